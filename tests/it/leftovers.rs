//! Processes of a killed hub in harder cases: no ledger, no definition, no row.

use serde_json::json;

use crate::support::processes::Process;
use crate::support::world::{World, fixture};
use crate::support::{eventually, until};

fn define(world: &World, short: &str, extra: &[&str], kill_timeout: &str) {
    let program = fixture();
    let argv: Vec<&str> = [program.to_str().unwrap(), "server"].iter().chain(extra).copied().collect();
    world.define(short, &argv, json!({ "kill_timeout": kill_timeout }));
}

fn of(world: &World, short: &str) -> Vec<Process> {
    world.processes().into_iter().filter(|p| p.module == short).collect()
}

fn all_ready(world: &World, modules: &[&str]) {
    for short in modules {
        world.ready(short);
    }
}

/// The ledger is lost: the marks in the environment of every process are enough, daemons and workers included.
#[test]
fn without_a_ledger_remaining_processes_are_found_by_their_marks() {
    let world = World::new();
    define(&world, "wrapper", &["--child"], "300ms");
    define(&world, "daemon", &["--escape"], "300ms");
    world.define("worker", &["sleep", "1000"], json!({ "listen": false }));
    world.start_hub();
    all_ready(&world, &["wrapper", "daemon", "worker"]);
    // The shell that starts a daemon may still run for a moment when the daemon is ready.
    eventually("all run", || world.processes().len() == 5);
    world.kill_hub();
    let before = world.processes();
    std::fs::remove_file(world.home().join("run/ledger.jsonl")).unwrap();
    world.start_hub();
    all_ready(&world, &["wrapper", "daemon", "worker"]);
    let after = until("all run", || Some(world.processes()).filter(|all| all.len() == 5));
    assert!(after.iter().all(|p| !before.contains(p)), "{before:#?}\n{after:#?}");
    world.stop_hub();
    world.expect_no_processes();
}

/// A ledger with an incomplete line and unknown lines: the readable part counts.
#[test]
fn an_incomplete_ledger_stops_no_boot() {
    let world = World::new();
    define(&world, "web", &[], "300ms");
    world.start_hub();
    world.ready("web");
    world.kill_hub();
    let before = world.processes();
    let ledger = world.home().join("run/ledger.jsonl");
    let mut bytes = std::fs::read(&ledger).unwrap();
    bytes.extend_from_slice(b"\xff\xfe not ours\n{\"entry\":\"born\",\"short\":\"we");
    std::fs::write(&ledger, bytes).unwrap();
    world.start_hub();
    world.ready("web");
    assert_eq!(of(&world, "web"), before, "its own line is whole");
    world.stop_hub();
    world.expect_no_processes();
}

/// It cannot be started any more; its old processes are unsupervised, and are ended.
#[test]
fn processes_of_a_module_that_cannot_start_are_ended() {
    let world = World::new();
    define(&world, "web", &["--child", "--ignore-term"], "300ms");
    world.start_hub();
    world.ready("web");
    world.kill_hub();
    let manifest = world.home().join("web/.parachute/module.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, "{ broken").unwrap();
    world.start_hub();
    world.problem("web", "bad_definition");
    assert_eq!(of(&world, "web"), []);
    std::fs::write(&manifest, text).unwrap();
    world.ready("web");
    world.stop_hub();
    world.expect_no_processes();
}

/// Killed again while it ends the processes of the first one: the third hub has both in its ledger, and one run
/// results.
#[test]
fn a_hub_killed_while_it_ends_remaining_processes_leaves_them_to_the_next() {
    let world = World::new();
    define(&world, "deaf", &["--ignore-term"], "400ms");
    define(&world, "quick", &[], "400ms");
    world.start_hub();
    all_ready(&world, &["deaf", "quick"]);
    let before = of(&world, "deaf");
    world.kill_hub();
    // Nothing is adopted.
    for short in ["deaf", "quick"] {
        std::fs::write(world.home().join(short).join(".env"), "CHANGED=yes\n").unwrap();
    }
    for _ in 0..3 {
        world.start_hub();
        world.ready("quick");
        world.kill_hub();
    }
    world.start_hub();
    all_ready(&world, &["deaf", "quick"]);
    assert_eq!((of(&world, "deaf").len(), of(&world, "quick").len()), (1, 1));
    assert_ne!(of(&world, "deaf"), before);
    world.stop_hub();
    world.expect_no_processes();
}

/// A stop leaves no process, not even of a module without a row that is just being ended.
#[test]
fn a_stop_waits_until_processes_without_a_row_have_ended() {
    let world = World::new();
    define(&world, "goes", &["--ignore-term"], "300ms");
    world.start_hub();
    world.ready("goes");
    world.kill_hub();
    world.rows().clear();
    world.write_rows();
    world.start_hub();
    world.stop_hub();
    world.expect_no_processes();
}

/// Processes without a row take one kill timeout, not one each: when the first has ended, all have had their SIGTERM.
#[test]
fn processes_without_a_row_are_ended_together() {
    let world = World::new();
    let told = |n: usize| world.file(&format!("told{n}"));
    for n in 0..3 {
        let script = format!(
            "trap 'echo TERM >> {0}' TERM; echo up > {0}; while :; do sleep 0.02; done",
            told(n).display()
        );
        world.define(&format!("deaf{n}"), &["sh", "-c", &script], json!({ "listen": false }));
    }
    let said = |what: &str| {
        (0..3).filter(|n| std::fs::read_to_string(told(*n)).is_ok_and(|t| t.contains(what))).count()
    };
    world.start_hub();
    eventually("all run", || said("up") == 3);
    world.kill_hub();
    world.rows().clear();
    world.write_rows();
    world.start_hub();
    let modules =
        || world.processes().into_iter().map(|p| p.module).collect::<std::collections::BTreeSet<_>>().len();
    eventually("the first is gone", || modules() < 3);
    assert_eq!(said("TERM"), 3);
    world.stop_hub();
    world.expect_no_processes();
}

/// A killed hub leaves its modules running: no verb reports them as down, stopped or removed.
#[test]
fn verbs_without_a_hub_report_modules_that_still_run() {
    let world = World::new();
    world.module("vault", &[]);
    world.module("web", &[]);
    world.start_hub();
    let (vault, web) = (world.ready("vault"), world.ready("web"));
    world.kill_hub();
    let status = world.run(&["status"]).code(3);
    let said = format!("vault (pid {vault}), web (pid {web}) run on without a hub");
    assert!(status.out.contains(&said), "{status:?}");
    assert!(status.out.contains(&format!("runs, pid {web}")), "{status:?}");
    let doctor = world.run(&["doctor"]).out;
    assert!(doctor.contains("modules.left") && doctor.contains(&said), "{doctor}");
    for verb in [&["stop"][..], &["stop", "vault"], &["stop", "--all"], &["remove", "vault"]] {
        let said = world.run(verb).code(if verb == ["stop"] { 1 } else { 69 });
        assert!(said.err.contains(&format!("vault (pid {vault})")), "{verb:?}: {said:?}");
        assert!(said.err.contains("--without-hub"), "{verb:?}: {said:?}");
        assert!(said.err.contains("parachute serve"), "{verb:?}: {said:?}");
    }
    let start = world.run(&["start", "vault"]).code(69).err;
    assert!(start.contains("runs on without a hub") || start.contains("run on without a hub"), "{start}");
    assert!(world.read("services.json").contains("vault"), "its row is still there");
    assert!(
        world.run(&["stop", "notes"]).code(0).out.contains("already stopped"),
        "nobody of that name runs"
    );
    // As in the hint: a hub adopts them, and then they can be stopped.
    world.start_hub();
    assert_eq!(world.ready("vault"), vault);
    let _ = world.run(&["stop"]).code(0);
    world.hub_ends();
    world.expect_no_processes();
    assert!(world.run(&["stop"]).code(0).out.contains("already stopped"));
}

/// The processes that are proven to be the module's are ended, and no others; the next hub starts from there.
#[test]
fn without_a_hub_a_module_that_runs_is_stopped_only_when_that_is_said() {
    let world = World::new();
    world.module("vault", &[]);
    world.module("web", &[]);
    world.start_hub();
    let (vault, web) = (world.ready("vault"), world.ready("web"));
    let refused = world.run(&["stop", "vault", "--without-hub"]).code(2).err;
    assert!(refused.contains("a hub runs"), "{refused}");
    let _ = world.run(&["stop", "--without-hub"]).code(2);
    assert_eq!(world.ready("vault"), vault);
    world.kill_hub();
    // As in the hint of the refusal.
    let refused = world.run(&["stop", "vault"]).code(69).err;
    assert!(refused.contains("hint: parachute stop vault --without-hub"), "{refused}");
    let done = world.run(&["stop", "vault", "--without-hub"]).code(0).out;
    assert!(done.contains(&format!("✓ vault stopped without a hub (pid {vault})")), "{done}");
    assert_eq!(world.processes().iter().map(|p| p.pid).collect::<Vec<_>>(), [web]);
    let ledger = world.read("run/ledger.jsonl");
    assert!(ledger.lines().last().unwrap().contains(r#""entry":"gone","short":"vault""#), "{ledger}");
    assert!(world.run(&["stop", "vault"]).code(0).out.contains("already stopped"));
    let again = world.run(&["stop", "vault", "--without-hub"]).code(0).out;
    assert!(again.contains("vault was not running"), "{again}");
    world.start_hub();
    assert_ne!(world.ready("vault"), vault);
    world.ready("web");
    world.kill_hub();
    let all = world.run(&["stop", "--all", "--without-hub"]).code(0).out;
    assert!(all.contains("vault") && all.contains("web"), "{all}");
    world.expect_no_processes();
    assert!(world.run(&["stop"]).code(0).out.contains("already stopped"));
    assert_eq!(world.run(&["stop", "--all", "--without-hub"]).code(0).out, "no module runs without a hub\n");
}

/// An unreadable file does not mean that a module has no row: processes of a killed hub keep running until it is known.
#[test]
fn no_process_is_ended_while_the_rows_are_unknown() {
    let world = World::new();
    for short in ["web", "typo", "goes"] {
        define(&world, short, &[], "300ms");
    }
    world.start_hub();
    all_ready(&world, &["web", "typo", "goes"]);
    world.kill_hub();
    let before = world.processes();
    world.write_services("{\"services\": [{\"name\": \"web\", \"po");
    world.start_hub();
    for _ in 0..5 {
        world.post("/api/reload").unwrap();
    }
    assert_eq!(world.processes().len(), before.len(), "{}", world.hub_log());
    let good = world.rows()[1].clone();
    world.rows()[1]["port"] = json!("1944");
    world.rows().retain(|row| row["name"] != "goes");
    world.write_rows();
    let first = world.ready("web");
    world.gone("goes");
    assert!(of(&world, "typo").iter().all(|process| before.contains(process)) && first > 0);
    assert!(!of(&world, "typo").is_empty(), "its row is there: {}", world.hub_log());
    world.rows()[1] = good;
    world.write_rows();
    world.ready("typo");
    let told: Vec<String> =
        world.hub_log().lines().filter(|l| l.contains("has no row")).map(str::to_owned).collect();
    assert!(told.len() == 1 && told[0].contains("left by goes"), "{told:#?}");
    world.stop_hub();
    world.expect_no_processes();
}

/// A stop leaves no process, whether the rows are known or not.
#[test]
fn a_stop_ends_remaining_processes_although_services_json_cannot_be_read() {
    let world = World::new();
    define(&world, "web", &[], "300ms");
    world.start_hub();
    world.ready("web");
    world.kill_hub();
    world.write_services("");
    world.start_hub();
    assert_eq!(of(&world, "web").len(), 1, "{}", world.hub_log());
    world.stop_hub();
    world.expect_no_processes();
    assert!(!world.hub_log().contains("has no row"), "{}", world.hub_log());
}
