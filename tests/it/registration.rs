//! `parachute add` and `parachute remove`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::until;
use crate::support::world::{World, fixture, free_port};

fn rows(world: &World) -> Vec<Value> {
    let file: Value = serde_json::from_str(&world.read("services.json")).unwrap();
    file["services"].as_array().unwrap().clone()
}

#[test]
fn fifty_adds_at_once_give_fifty_rows_with_fifty_ports() {
    let world = World::new();
    let adds: Vec<_> = (0..50)
        .map(|n| {
            let mut add = world.parachute(&["add", &format!("m{n}"), "--", "sleep", "1"]);
            add.stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut add in adds {
        assert!(add.wait().unwrap().success());
    }
    let names: BTreeSet<String> = rows(&world).iter().map(|row| row["name"].to_string()).collect();
    let ports: BTreeSet<u64> = rows(&world).iter().map(|row| row["port"].as_u64().unwrap()).collect();
    assert_eq!((names.len(), ports.len()), (50, 50));
}

#[test]
fn an_added_command_runs_at_once_and_remove_stops_it_and_names_the_kept_files() {
    let world = World::new();
    world.start_hub();
    let (port, program, dump) = (free_port().to_string(), fixture(), world.file("dump"));
    let cwd = world.file("work");
    std::fs::create_dir(&cwd).unwrap();
    let said = world
        .run(&[
            "add",
            "web",
            "--port",
            &port,
            "--env",
            "GREETING=hello you",
            "--cwd",
            cwd.to_str().unwrap(),
            "--",
            program.to_str().unwrap(),
            "server",
            "--dump",
            dump.to_str().unwrap(),
        ])
        .code(0);
    assert!(said.out.contains("web added") && said.out.contains("web ready"), "{said:#?}");
    world.ready("web");
    let given = std::fs::read_to_string(&dump).unwrap();
    assert!(given.contains("GREETING=hello you\n"), "{given}");
    assert!(given.contains(&format!("PORT={port}\n")), "{given}");
    assert!(given.ends_with(&format!("cwd={}", cwd.display())), "{given}");

    let again = world.run(&["add", "web", "--", "true"]).code(1);
    assert!(
        again.err.contains("exists already") && again.err.contains("hint: parachute remove web"),
        "{again:#?}"
    );

    let removed = world.run(&["remove", "web"]).code(0);
    world.expect_no_processes();
    assert!(world.view("web").is_null() && rows(&world).is_empty());
    for kept in ["web/.env", "web/logs"] {
        assert!(world.home().join(kept).exists(), "{kept}");
        let path = world.home().join(kept).display().to_string();
        assert!(removed.out.contains(&format!("kept {path}")), "{removed:#?}");
    }
    assert!(!world.home().join("web/.parachute/module.json").exists());
    world.stop_hub();
}

#[test]
fn a_worker_needs_no_port_and_is_ready_when_it_runs() {
    let world = World::new();
    world.start_hub();
    let said = world.run(&["add", "worker", "--no-listen", "--", "sleep", "1000"]).code(0);
    assert!(said.out.contains("reserved: a worker"), "{said:#?}");
    let view = world.view("worker");
    assert_eq!((view["listens"].as_bool(), view["ready"].as_bool()), (Some(false), Some(true)), "{view:#}");
    assert!(view["url"].is_null() && view["port"].as_u64() > Some(0), "{view:#}");
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn an_added_command_that_does_not_start_fails_with_its_reason_and_stays_added() {
    let world = World::new();
    world.start_hub();
    let said = world.run(&["add", "broken", "--", "/nowhere/at-all"]).code(1);
    assert!(said.out.contains("/nowhere/at-all") && said.out.contains("hint:"), "{said:#?}");
    world.problem("broken", "missing_dependency");
    let _ = world.run(&["remove", "broken"]).code(0);
    assert!(world.view("broken").is_null());
    world.stop_hub();
}

#[test]
fn invalid_commands_are_refused_with_a_hint_and_nothing_is_written() {
    let world = World::new();
    for (args, code) in [
        (&["add", "../evil", "--", "true"][..], 2),
        (&["add", "hub.toml", "--", "true"], 1),
        (&["add", "web", "--port", "1939", "--", "true"], 1),
        (&["add", "web", "--env", "=x", "--", "true"], 2),
        (&["add", "web", "--port", "70000", "--", "true"], 2),
        (&["add", "web"], 2),
    ] {
        let said = world.run(args).code(code);
        assert!(said.err.contains("hint:") || said.err.contains("--help"), "{args:?}: {said:#?}");
    }
    let left: Vec<_> = std::fs::read_dir(world.home()).unwrap().map(|e| e.unwrap().file_name()).collect();
    let known = ["services.json.lock", ".parachute-home"];
    let beyond: Vec<_> = left.iter().filter(|name| known.iter().all(|known| *name != known)).collect();
    assert!(beyond.is_empty(), "{left:?}");
}

#[test]
fn replace_takes_the_new_command_and_keeps_the_port() {
    let world = World::new();
    world.start_hub();
    let port = free_port().to_string();
    let program = fixture();
    let program = program.to_str().unwrap();
    let _ = world.run(&["add", "web", "--port", &port, "--", program, "server"]).code(0);
    let before = world.ready("web");
    let _ = world.run(&["add", "web", "--replace", "--", program, "server", "--flood", "10", "10"]).code(0);
    let after = until("a new process", || Some(world.ready("web")).filter(|pid| *pid != before));
    let processes = world.processes();
    assert_eq!(processes.iter().map(|p| p.pid).collect::<Vec<_>>(), [after], "{processes:#?}");
    assert_eq!(world.view("web")["port"].to_string(), port);
    world.stop_hub();
}

#[test]
fn purge_asks_first_and_then_deletes() {
    let world = World::new();
    let _ = world.run(&["add", "web", "--env", "A=1", "--", "true"]).code(0);
    let said = world.run(&["remove", "web", "--purge"]).code(2);
    assert!(said.err.contains("hint:"), "{said:#?}");
    assert!(world.home().join("web/.env").exists());
    let _ = world.run(&["remove", "web", "--purge", "--yes"]).code(0);
    assert!(!world.home().join("web").exists());
    let unknown = world.run(&["remove", "web"]).code(1);
    assert!(unknown.err.contains("hint:"), "{unknown:#?}");
}
