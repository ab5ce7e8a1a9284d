//! The start checks are the same at a first start and at every restart.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::executable;
use crate::support::processes::{self, Process};
use crate::support::world::{World, fixture};
use crate::support::{eventually, until};

/// A process of no hub on a port.
struct Stranger(Child);

impl Stranger {
    fn on(port: u16, env: &[(&str, &str)]) -> Self {
        let child = Command::new(fixture())
            .arg("server")
            .env_clear()
            .env("PORT", port.to_string())
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the stranger listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self(child)
    }

    fn lives(&self) -> bool {
        processes::identity(self.0.id()).is_some()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn define(world: &World, short: &str, extra: &[&str], supervise: Value) -> u16 {
    let program = fixture();
    let argv: Vec<&str> = [program.to_str().unwrap(), "server"].iter().chain(extra).copied().collect();
    world.define(short, &argv, supervise)
}

fn kill_leader(world: &World, short: &str) {
    let pid = world.view(short)["pid"].as_u64().unwrap();
    processes::kill(world.processes().iter().find(|p| u64::from(p.pid) == pid).unwrap());
}

fn of(world: &World, short: &str) -> Vec<Process> {
    world.processes().into_iter().filter(|p| p.module == short).collect()
}

/// A foreign process that is found at a respawn costs no more of the budget than the crash itself.
#[test]
fn a_foreign_process_found_at_a_respawn_is_not_touched_and_costs_no_budget() {
    let world = World::new();
    let port = define(&world, "web", &["--never-bind"], json!({ "restart": { "max": 2 } }));
    world.start_hub();
    eventually("it runs", || world.view("web")["pid"].is_u64());
    let stranger = Stranger::on(port, &[]);
    kill_leader(&world, "web");
    let view = world.problem("web", "port_squatter");
    assert_eq!(
        (view["pid"].clone(), view["restarts_in_window"].as_u64()),
        (Value::Null, Some(1)),
        "{view:#}"
    );
    assert_eq!(view["problem"]["holder"]["pid"], stranger.0.id());
    let asked = world.post("/api/modules/web/start").unwrap().json();
    assert_eq!((&asked["ok"], &asked["problem"]["error_type"]), (&json!(false), &json!("port_squatter")));
    assert!(stranger.lives());
    drop(stranger);
    until("it runs again by itself", || world.view("web")["pid"].as_u64());
    world.stop_hub();
    world.expect_no_processes();
}

/// The command line proves nothing. The same command, marked as the same module of another home, is not ended.
#[test]
fn the_same_command_of_another_home_is_not_touched() {
    let (world, other) = (World::new(), World::new());
    let port = world.module("web", &[]);
    let home = other.home();
    let marks = [
        ("PARACHUTE_HOME", home.to_str().unwrap()),
        ("PARACHUTE_MODULE", "web"),
        ("PARACHUTE_INCARNATION", "1234:web:1"),
    ];
    let stranger = Stranger::on(port, &marks);
    world.start_hub();
    world.problem("web", "port_squatter");
    assert!(stranger.lives());
    drop(stranger);
    world.ready("web");
    world.stop_hub();
}

/// An instance that an earlier hub of this home started, in no ledger, is ended and replaced.
#[test]
fn an_earlier_instance_of_this_home_on_the_port_is_replaced() {
    let world = World::new();
    let port = world.module("web", &[]);
    let home = world.home();
    let marks = [
        ("PARACHUTE_HOME", home.to_str().unwrap()),
        ("PARACHUTE_MODULE", "web"),
        ("PARACHUTE_INCARNATION", "1234:web:1"),
    ];
    world.start_hub();
    world.ready("web");
    assert_eq!(world.op("web", "stop")["ok"], true);
    let mut earlier = Stranger::on(port, &marks);
    assert_eq!(world.op("web", "start")["ok"], true);
    assert!(earlier.0.try_wait().unwrap().is_some(), "two instances");
    assert_eq!(of(&world, "web").len(), 1);
    world.stop_hub();
    world.expect_no_processes();
}

/// The leader of a daemon exits; its daemonised child holds the port and must end before the next run.
#[test]
fn a_crashed_daemons_grandchild_is_ended_before_the_next_run() {
    let world = World::new();
    define(&world, "daemon", &["--escape", "--ignore-term"], json!({ "kill_timeout": "300ms" }));
    world.start_hub();
    world.ready("daemon");
    let before = of(&world, "daemon");
    kill_leader(&world, "daemon");
    let after = until("a second life", || {
        let now = of(&world, "daemon");
        (world.view("daemon")["ready"] == true && now.len() == 2 && !now.iter().any(|p| before.contains(p)))
            .then_some(now)
    });
    assert_eq!(world.view("daemon")["problem"], Value::Null, "{after:#?}");
    world.stop_hub();
    world.expect_no_processes();
}

/// At a respawn: the directory is removed, then the program loses its execute bit; each is named, and each recovers.
#[test]
fn files_missing_at_a_respawn_are_named_and_the_module_recovers() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let copy = world.file("program");
    executable::copy(&fixture(), &copy);
    let dir = world.file("work");
    std::fs::create_dir(&dir).unwrap();
    world.define(
        "web",
        &[copy.to_str().unwrap(), "server"],
        json!({ "cwd": dir, "restart": { "max": 100 } }),
    );
    world.start_hub();
    world.ready("web");
    std::fs::remove_dir(&dir).unwrap();
    kill_leader(&world, "web");
    world.problem("web", "missing_cwd");
    std::fs::create_dir(&dir).unwrap();
    world.ready("web");
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o644)).unwrap();
    kill_leader(&world, "web");
    let view = world.problem("web", "non_executable");
    assert_eq!(view["problem"]["next"], format!("chmod +x {}", copy.display()));
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.ready("web");
    world.stop_hub();
    world.expect_no_processes();
}

/// A respawn uses the files as they are then, not those of the first start.
#[test]
fn a_respawn_reads_its_definition_again() {
    let world = World::new();
    let dumps = [world.file("one"), world.file("two")];
    define(&world, "web", &["--dump", dumps[0].to_str().unwrap()], json!({}));
    world.start_hub();
    world.ready("web");
    let manifest = world.home().join("web/.parachute/module.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let [one, two] = dumps.each_ref().map(|path| path.to_str().unwrap());
    std::fs::write(&manifest, text.replace(one, two)).unwrap();
    std::fs::write(world.home().join("web/.env"), "COLOUR=green\n").unwrap();
    kill_leader(&world, "web");
    eventually("the second definition runs", || {
        std::fs::read_to_string(two).is_ok_and(|dump| dump.contains("COLOUR=green"))
    });
    world.ready("web");
    world.stop_hub();
}

/// Two rows with the same port: the first keeps it and its process, the second is reported with a command.
#[test]
fn two_rows_with_one_port_end_no_process() {
    let world = World::new();
    world.module("one", &[]);
    world.start_hub();
    let pid = world.ready("one");
    world.module("two", &[]);
    let taken = world.rows()[0]["port"].clone();
    world.rows()[1]["port"] = taken;
    world.write_rows();
    let problem = until("the second row is refused", || {
        let problem = world.status()["problems"][0].clone();
        (problem["row"] == "two").then_some(problem)
    });
    assert!(problem["message"].as_str().unwrap().contains("`one`"), "{problem:#}");
    assert_eq!(world.ready("one"), pid);
    assert_eq!(world.processes().len(), 1);
    world.stop_hub();
}

/// Another program adds a row above that of a running module, with the same port: the running one keeps it.
#[test]
fn a_row_on_the_port_of_a_running_module_is_refused() {
    let world = World::new();
    world.module("runs", &[]);
    world.start_hub();
    let pid = world.ready("runs");
    world.module("newer", &[]);
    world.rows().reverse();
    let taken = world.rows()[1]["port"].clone();
    world.rows()[0]["port"] = taken;
    world.write_rows();
    let said = world.post("/api/reload").unwrap().json();
    let problem = &said["problems"][0];
    assert_eq!((&problem["row"], &said["modules"]), (&json!("newer"), &json!(1)), "{said:#}");
    assert!(problem["message"].as_str().unwrap().contains("`runs`"), "{said:#}");
    assert_eq!(world.ready("runs"), pid);
    assert!(!world.hub_log().contains("has no row"), "{}", world.hub_log());
    world.stop_hub();
}
