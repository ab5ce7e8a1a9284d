//! What modules write to: FIFOs in `run/log`, who else meets them, and what happens where there can be none.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::world::World;
use crate::support::{eventually, processes, until};

/// The names in `run/log`.
fn fifos(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.home().join("run/log")).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a tool to its end and returns its output. It has ended, whatever it says of files that changed or of sockets.
#[track_caller]
fn ends(argv: &[&str]) -> String {
    let mut tool = Command::new(argv[0]);
    tool.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut tool = tool.spawn().unwrap();
    let mut said = String::new();
    let output = std::thread::spawn({
        let mut stdout = tool.stdout.take().unwrap();
        move || std::io::Read::read_to_string(&mut stdout, &mut said).map(|_| said)
    });
    until(&format!("{argv:?} ends"), || tool.try_wait().unwrap());
    output.join().unwrap().unwrap()
}

fn has(tool: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success()
}

/// Copies and searches a home in each way that this machine knows.
fn copied_in_every_way(world: &World, round: &str) {
    let home = world.home();
    let home = home.to_str().unwrap();
    let to = |name: &str| world.file(&format!("{name}-{round}")).to_str().unwrap().to_owned();
    ends(&["tar", "-cf", &to("tar"), "-C", home, "."]);
    let listed = ends(&["tar", "-tvf", &to("tar")]);
    let is_fifo = |line: &str| line.starts_with('p') && line.ends_with("/run/log/web.out");
    assert!(listed.lines().any(is_fifo), "{listed}");
    ends(&["cp", "-r", home, &to("cp")]);
    ends(&["grep", "-r", "no line has this", home]);
    if has("rsync") {
        ends(&["rsync", "-a", home, &to("rsync")]);
    }
}

#[test]
fn a_copy_of_a_live_home_ends_and_takes_no_line() {
    let world = World::new();
    let (stop, done) = (world.file("stop"), world.file("done"));
    let script = format!(
        "n=0; while [ ! -e {} ]; do n=$((n+1)); echo \"line $n\"; sleep 0.002; done; echo $n > {}; exec sleep 1000",
        stop.display(),
        done.display()
    );
    world.define("web", &["sh", "-c", &script], json!({ "listen": false }));
    world.start_hub();
    world.ready("web");
    let numbers = || -> Vec<u64> {
        let log = world.read_or_empty("web/logs/web.log");
        log.lines().filter_map(|line| line.split_once("line ")?.1.parse().ok()).collect()
    };
    eventually("it writes", || !numbers().is_empty());
    for round in 0..3 {
        copied_in_every_way(&world, &round.to_string());
    }
    std::fs::write(&stop, "").unwrap();
    let last: u64 = until("it has ended", || std::fs::read_to_string(&done).ok()?.trim().parse().ok());
    eventually("the last line is there", || numbers().last() == Some(&last));
    assert_eq!(numbers(), (1..=last).collect::<Vec<_>>());

    // The same when no hub reads.
    world.kill_hub();
    copied_in_every_way(&world, "dead");
    assert_eq!(world.run(&["status"]).code, 3);
    assert_eq!(world.run(&["doctor"]).code, 0);
    world.start_hub();
    world.stop_hub();
}

#[test]
fn fifos_are_removed_with_their_module_and_at_an_ordered_end() {
    let world = World::new();
    world.module("one", &[]);
    world.module("two", &[]);
    world.start_hub();
    world.ready("one");
    world.ready("two");
    assert_eq!(fifos(&world), ["one.err", "one.out", "two.err", "two.out"]);
    world.rows().retain(|row| row["name"] == "one");
    world.write_rows();
    eventually("those of the removed module are gone", || fifos(&world) == ["one.err", "one.out"]);

    // Of a dead hub they stay, until the next one has ended the module.
    world.kill_hub();
    assert_eq!(fifos(&world), ["one.err", "one.out"]);
    world.rows().clear();
    world.write_rows();
    world.start_hub();
    eventually("those of the forgotten module are gone", || fifos(&world).is_empty());

    world.module("three", &[]);
    world.ready_soon("three");
    world.stop_hub();
    assert_eq!(fifos(&world), [""; 0]);

    // Without a hub and without a process the verb removes them.
    world.start_hub();
    world.ready("three");
    world.kill_hub();
    world.processes().iter().for_each(processes::kill);
    world.gone("three");
    assert_eq!(fifos(&world), ["three.err", "three.out"]);
    let removed = world.run(&["remove", "three"]).code(0);
    assert!(removed.out.starts_with("✓ three removed"), "{removed:?}");
    assert_eq!(fifos(&world), [""; 0]);
}

/// Each run has FIFOs of its own: what a process of an earlier run still has open is not the new one.
#[test]
fn each_start_makes_them_again() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let out = world.home().join("run/log/web.out");
    let inode = |path: &Path| std::fs::symlink_metadata(path).unwrap().ino();
    // A second name, so that the number is not used again.
    std::fs::hard_link(&out, world.file("kept")).unwrap();
    let before = inode(&out);
    world.op("web", "restart");
    world.ready("web");
    assert_ne!(inode(&out), before);
    world.stop_hub();
}

#[test]
fn without_fifos_modules_write_to_pipes_and_the_hub_says_so() {
    let world = World::new();
    let in_the_way = world.home().join("run/log");
    std::fs::create_dir_all(world.home().join("run")).unwrap();
    std::fs::write(&in_the_way, "a file of the user").unwrap();
    let speaker = world.speaker("one");
    world.module("two", &[]);
    world.start_hub();
    world.ready("one");
    world.ready("two");
    speaker.says("through a pipe");
    eventually("its line is there", || world.read_or_empty("one/logs/one.log").contains("through a pipe"));
    let reason = format!("{} is in the way: it is not a directory of this user", in_the_way.display());
    let notes: Vec<_> = world.status()["notes"].as_array().unwrap().clone();
    assert!(notes.len() == 1 && notes[0].as_str().unwrap().contains(&reason), "{notes:#?}");
    assert_eq!(world.hub_log().matches(&reason).count(), 1, "said once: {}", world.hub_log());
    let doctor = world.run(&["doctor"]).code(0).out;
    let told: Vec<&str> = doctor.lines().filter(|line| line.contains(&reason)).collect();
    assert!(told.len() == 1 && told[0].starts_with("!  home.fifo"), "{doctor}");
    world.stop_hub();
    assert_eq!(world.hub_log().matches("run/log").count(), 1, "{}", world.hub_log());
    assert_eq!(std::fs::read(&in_the_way).unwrap(), b"a file of the user");
}
