//! Plans on the real host, in a separate process that is killed with SIGKILL or that cannot write any more.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use parachute::plan::content::{Content, Fingerprint};
use parachute::plan::journal::Journal;
use parachute::plan::run_options::RunOptions;
use parachute::plan::step::Step;
use parachute::plan::{OnStuck, Plan, Verb, resume, roll_back, run};

use super::real_place::{self, Place, Systemctl};

/// SIGKILL before each step and after each.
#[tokio::test]
async fn the_next_run_finishes_a_killed_plan_or_undoes_it() {
    for fault in (1..=6).flat_map(|step| [format!("kill {step}"), format!("kill-after {step}")]) {
        for finish in [false, true] {
            let place = Place::new();
            place.put_files();
            let before = place.all();
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "plan::killed::a_process_to_be_killed", "--nocapture"])
                .env("TO_BE_KILLED_IN", place.temp.path())
                .env("TO_BE_KILLED_AT", &fault)
                .output()
                .unwrap();
            assert_eq!(child.status.signal(), Some(9), "{fault}: {child:?}");
            let mut journal = Journal::open(&place.state()).unwrap();
            let mut options = RunOptions { progress: &mut |_| {}, shown: None, fault: None, stop: None };
            let mut host = place.host();
            if finish {
                resume(&mut host, &mut journal, &mut options).await.unwrap();
            } else {
                let rollback = roll_back(&mut host, &mut journal, &mut options, OnStuck::Retry).await;
                assert_eq!(rollback.remaining, [], "{fault}");
            }
            journal.close().unwrap();
            if finish {
                let read = |name| std::fs::read(place.at(name)).ok();
                assert_eq!(read("conf").unwrap(), b"ours\n", "{fault}");
                assert_eq!(read("a/b/program").unwrap().len(), 200_000, "{fault}");
                assert_eq!(read("a/tree/file").unwrap(), b"deep", "{fault}");
                for gone in ["old", "link", "tree"] {
                    assert!(std::fs::symlink_metadata(place.at(gone)).is_err(), "{fault}: {gone}");
                }
            } else {
                assert_eq!(place.all(), before, "{fault}");
            }
        }
    }
}

/// Run by the test above; alone it does nothing.
#[tokio::test]
async fn a_process_to_be_killed() {
    let (Some(dir), Ok(fault)) = (std::env::var_os("TO_BE_KILLED_IN"), std::env::var("TO_BE_KILLED_AT"))
    else {
        return;
    };
    let dir = PathBuf::from(dir);
    let mut journal = Journal::open(&dir.join("install")).unwrap();
    let fault = Some(fault.parse().unwrap());
    let mut options = RunOptions { progress: &mut |_| {}, shown: None, fault, stop: None };
    let systemctl = Systemctl::of(dir.join("units"));
    let mut host = real_place::host(&systemctl, &dir);
    let _ = run(&steps_on_files(&dir), &mut host, &mut journal, &mut options).await;
}

fn steps_on_files(dir: &Path) -> Plan {
    let Fingerprint { sha256, len } = Fingerprint::of(&[0xfe; 200_000]);
    let content = Content::CopyOf { source: dir.join("program"), sha256, len };
    let steps = vec![
        Step::MakeDir { path: dir.join("a/b"), mode: 0o755 },
        Step::PutFile { path: dir.join("a/b/program"), mode: 0o755, content },
        Step::PutFile { path: dir.join("conf"), mode: 0o600, content: Content::Text("ours\n".to_owned()) },
        Step::RemoveFile { path: dir.join("old") },
        Step::RemoveFile { path: dir.join("link") },
        Step::Move { from: dir.join("tree"), to: dir.join("a/tree") },
    ];
    Plan { steps, ..Plan::new(Verb::Init) }
}

/// A limit on the size of files stands for a full disk: any write may fail. The limit applies to a process, so each
/// attempt is a process.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let mut ends = BTreeSet::new();
    for blocks in 0..32 {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "plan::killed::a_process_that_may_not_write", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{blocks} blocks: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let end = said.lines().find_map(|line| line.split_once("steps taken back: ")).map(|(_, end)| end);
        ends.insert(end.unwrap_or("?").to_owned());
    }
    // From "not even begun" through steps in the middle to "every step is done".
    assert!(ends.contains("none") && ends.contains("all done"), "{ends:?}");
    assert!(ends.len() >= 5, "{ends:?}");
}

/// Run by the test above; alone it has no limit and installs.
#[tokio::test]
async fn a_process_that_may_not_write() {
    let place = Place::new();
    if std::fs::write(place.at("program"), [0xff; 300]).is_err() {
        println!("steps taken back: none");
        return;
    }
    let before = place.all();
    let Ok(mut journal) = Journal::open(&place.state()) else {
        return println!("steps taken back: none");
    };
    let plan = place.install("[Unit]\n");
    let mut options = RunOptions { progress: &mut |_| {}, shown: None, fault: None, stop: None };
    let outcome = run(&plan, &mut place.host(), &mut journal, &mut options).await;
    journal.close().unwrap();
    match outcome {
        Ok(_) => println!("steps taken back: all done"),
        Err(failed) => {
            let rollback = failed.rollback.unwrap_or_default();
            assert_eq!(rollback.remaining, []);
            assert_eq!(place.all(), before);
            println!("steps taken back: {}", rollback.undone);
        }
    }
}
