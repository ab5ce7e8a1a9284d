//! The daily verbs: exit codes, output, and how they find the hub.

use nix::sys::signal::Signal;
use parachute::api::wire;
use serde_json::{Value, json};

use crate::support::executable;
use crate::support::http;
use crate::support::world::{Outcome, World, fixture};
use crate::support::{eventually, until};

/// A failure has a hint.
#[track_caller]
fn helps(said: &Outcome) {
    let text = format!("{}{}", said.out, said.err);
    assert!(text.contains("hint:") || text.contains("Usage:") || text.contains("--help"), "{said:#?}");
}

#[test]
fn without_a_hub_every_verb_reports_that_with_its_own_code() {
    let world = World::new();
    world.module("web", &[]);
    let rows: [(&[&str], i32); 15] = [
        (&["status"], 3),
        (&["start"], 69),
        (&["start", "web"], 69),
        (&["start", "--all"], 69),
        (&["restart", "web"], 69),
        (&["restart"], 69),
        (&["stop"], 0),
        (&["stop", "web"], 0),
        (&["stop", "--all"], 0),
        (&["logs", "web"], 0),
        (&["logs", "nobody"], 1),
        (&["why", "web"], 0),
        (&["why", "nobody"], 1),
        (&["remove", "nobody"], 1),
        (&["remove", "a/b"], 2),
    ];
    for (args, code) in rows {
        let said = world.run(args).code(code);
        if code != 0 {
            helps(&said);
        }
    }
    let json: Value = serde_json::from_str(&world.run(&["status", "--json"]).code(3).out).unwrap();
    assert_eq!((&json["hub"], &json["modules"][0]["short"]), (&Value::Null, &json!("web")));
}

#[test]
fn wrong_usage_is_two_and_help_is_zero() {
    let world = World::new();
    for args in [
        &[][..],
        &["frobnicate"],
        &["start", "web", "--all"],
        &["why"],
        &["status", "web"],
        &["logs", "-n", "x"],
    ] {
        helps(&world.run(args).code(2));
    }
    for args in [&["--help"][..], &["help", "add"], &["--version"], &["completions", "bash"], &["man"]] {
        assert!(world.run(args).code(0).out.contains("parachute"), "{args:?}");
    }
    let mut homeless = world.parachute(&["status"]);
    homeless.env_remove("PARACHUTE_HOME").env_remove("HOME");
    assert_eq!(homeless.output().unwrap().status.code(), Some(2));
    assert!(!world.home().join("run").exists(), "the home was not touched");
}

#[test]
fn with_a_hub_on_any_port_verbs_find_it_by_its_socket() {
    let world = World::new();
    world.module("web", &[]);
    let mut hub = world.parachute(&["serve", "--port", "0"]);
    hub.env_remove("PARACHUTE_HOME").args(["--home", world.home().to_str().unwrap()]);
    world.spawn(hub);
    world.hub_answers();
    let pid = world.ready("web");
    let up = world.run(&["start"]).code(0);
    assert!(up.out.contains(&format!("pid {}", world.hub_pid())), "{up:#?}");
    let stopped = world.run(&["stop", "web"]).code(0);
    assert_eq!(stopped.out, "✓ web stopped\n");
    world.expect_no_processes();
    let _ = world.run(&["status"]).code(0);
    let started = world.run(&["start", "web"]).code(0);
    assert_eq!(started.out, format!("✓ web ready (pid {})\n", world.ready("web")));
    let again = world.run(&["restart", "--all"]).code(0);
    assert_eq!(again.out, format!("✓ web ready (pid {})\n", world.ready("web")));
    assert_ne!(world.ready("web"), pid);
    let unknown = world.run(&["stop", "web", "nobody"]).code(1);
    assert!(unknown.out.contains("✓ web stopped") && unknown.out.contains("✗ nobody: "), "{unknown:#?}");
    helps(&unknown);
    let json: Value = serde_json::from_str(&world.run(&["start", "web", "--json"]).code(0).out).unwrap();
    assert_eq!((&json[0]["module"], &json[0]["ok"]), (&json!("web"), &json!(true)));
    world.stop_hub();
}

#[test]
fn status_as_json_is_the_wire_type_and_the_screen_has_every_module() {
    let world = World::new();
    let port = world.module("web", &[]);
    world.module("mute", &["--never-bind"]);
    world.start_hub();
    let pid = world.ready("web");
    world.problem("mute", "started_but_unbound");
    let said = world.run(&["status", "--json"]).code(1);
    let status: wire::Status = serde_json::from_str(&said.out).unwrap();
    assert_eq!((status.hub.pid, status.hub.port), (world.hub_pid(), world.port()));
    assert_eq!(status.hub.mode, "foreground");
    assert_eq!(status.modules[0].pid, Some(pid));
    assert!(status.modules[0].memory_bytes > Some(0) && status.modules[0].uptime_ms.is_some());
    let screen = world.run(&["status"]).code(1).out;
    let web = screen.lines().find(|line| line.starts_with("web")).unwrap();
    for part in [pid.to_string(), port.to_string(), "yes".to_owned()] {
        assert!(web.split_whitespace().any(|word| word == part), "{part}: {screen}");
    }
    assert!(screen.contains("hint: parachute logs mute"), "{screen}");
    assert!(!screen.contains('\u{1b}'), "no colours without a terminal");
    world.stop_hub();
}

#[test]
fn a_start_of_a_broken_module_prints_the_reason() {
    let world = World::new();
    world.command("broken", &["no-such-program-5d1c", "--x"]);
    world.start_hub();
    world.problem("broken", "missing_dependency");
    for verb in ["start", "restart"] {
        let said = world.run(&[verb, "broken"]).code(1);
        assert!(said.out.contains("✗ broken: ") && said.out.contains("no-such-program-5d1c"), "{said:#?}");
        helps(&said);
    }
    let why = world.run(&["why", "broken"]).code(0);
    assert!(
        why.out.contains("no-such-program-5d1c") && why.out.contains("no process was started"),
        "{why:#?}"
    );
    world.stop_hub();
}

#[test]
fn a_module_without_a_valid_definition_is_reported_with_a_hint() {
    let world = World::new();
    let dir = world.home().join("gone");
    world.command("gone", &["true"]);
    world.command("bad", &["true"]);
    world.command("mute", &["true"]);
    std::fs::remove_dir_all(dir).unwrap();
    std::fs::write(world.home().join("bad/.parachute/module.json"), "{").unwrap();
    std::fs::remove_file(world.home().join("mute/.parachute/module.json")).unwrap();
    world.start_hub();
    for (short, kind) in [("gone", "missing_cwd"), ("bad", "bad_definition"), ("mute", "no_start_cmd")] {
        world.problem(short, kind);
        let said = world.run(&["start", short]).code(1);
        assert!(said.out.contains(&format!("✗ {short}: ")), "{said:#?}");
        helps(&said);
        helps(&world.run(&["why", short]).code(0));
    }
    helps(&world.run(&["status"]).code(1));
    world.stop_hub();
}

#[test]
fn init_runs_the_hub_in_the_foreground_without_a_service_manager() {
    let world = World::new();
    world.module("web", &[]);
    let dry = world.run(&["init", "--dry-run"]).code(0);
    assert!(dry.out.contains("no service manager can keep a hub here"), "{dry:?}");
    let _ = world.run(&["status"]).code(3);
    world.spawn(world.parachute(&["init", "--port", &world.port().to_string()]));
    world.hub_answers();
    world.ready("web");
    for installed in ["install", "bin"] {
        assert!(!world.home().join(installed).exists(), "{installed}");
    }
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn stop_ends_a_foreground_hub_and_waits() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let said = world.run(&["stop"]).code(0);
    assert!(said.out.contains(&format!("pid {}", world.hub_pid())), "{said:#?}");
    world.expect_no_processes();
    assert!(!world.socket().exists());
    assert_eq!(world.hub_ends().code(), Some(0));
    let _ = world.run(&["status"]).code(3);
}

#[test]
fn why_reports_the_last_failure_with_the_hub_up_and_down() {
    let world = World::new();
    let program = fixture();
    let argv = [program.to_str().unwrap(), "server", "--flood", "1000", "100"];
    let port = world.define("web", &argv, json!({}));
    world.start_hub();
    world.ready("web");
    let well = world.run(&["why", "web"]).code(0);
    assert!(well.out.contains("is ready now") && well.out.contains("no failure on record"), "{well:#?}");
    http::tcp(port, "GET", "/crash", &[]);
    eventually("the failure is kept", || {
        let why = world.get("/api/modules/web/why").unwrap().json();
        why["failure"]["lines"].as_array().is_some_and(|lines| lines.iter().any(|line| line == "last words"))
    });
    world.ready("web");
    let check = |out: &str, head: &str| {
        for part in [
            head,
            "exited with code 3",
            "it had been ready",
            "crash 1 of 5",
            "| last words",
            " lines:",
            "hint:",
        ] {
            assert!(out.contains(part), "{part:?} is not in:\n{out}");
        }
        assert!(out.contains(&format!("command: {}", program.display())), "{out}");
    };
    check(&world.run(&["why", "web"]).code(0).out, "is ready now");
    let json = world.run(&["why", "web", "--json"]).code(0).out;
    assert!(serde_json::from_str::<wire::Why>(&json).unwrap().failure.is_some());
    world.stop_hub();
    check(&world.run(&["why", "web"]).code(0).out, "the hub is not running");
}

#[test]
fn why_names_the_signal_and_the_holder_of_the_port() {
    let world = World::new();
    let port = world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let target = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(target, Signal::SIGKILL).unwrap();
    until("the failure is kept", || {
        world.get("/api/modules/web/why").unwrap().json()["failure"]["ended"].as_object().cloned()
    });
    let why = world.run(&["why", "web"]).code(0);
    assert!(why.out.contains("SIGKILL"), "{why:#?}");
    world.ready("web");
    world.op("web", "stop");
    let stranger = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = world.run(&["start", "web"]).code(1);
    let me = format!("pid {}", std::process::id());
    assert!(said.out.contains(&me), "{said:#?}");
    let why = world.run(&["why", "web"]).code(0);
    assert!(why.out.contains(&me) && why.out.contains(&port.to_string()), "{why:#?}");
    drop(stranger);
    world.ready("web");
    world.stop_hub();
}

#[test]
fn the_demo_is_added_and_removed_by_its_hub_and_survives_its_crash() {
    let world = World::new();
    world.spawn(world.parachute(&["serve", "--demo", "--port", &world.port().to_string()]));
    world.hub_answers();
    let first = world.ready("demo");
    assert!(world.read("services.json").contains("\"demo\""));
    let port = u16::try_from(world.view("demo")["port"].as_u64().unwrap()).unwrap();
    let page = http::tcp(port, "GET", "/", &[]).unwrap();
    assert!(page.status == 200 && page.body.contains("/crash"), "{page:?}");
    http::tcp(port, "GET", "/crash", &[]);
    let second = until("a new life", || Some(world.ready("demo")).filter(|pid| *pid != first));
    assert_eq!(world.view("demo")["restarts"], 1, "{second}");
    let why = world.run(&["why", "demo"]).code(0);
    assert!(why.out.contains("/crash was requested"), "{why:#?}");
    assert!(world.hub_log().contains("parachute logs demo -f"), "it says what to try");
    world.stop_hub();
    world.expect_no_processes();
    assert!(!world.read("services.json").contains("\"demo\""), "the row was removed");
    assert_eq!(world.run(&["status"]).code(3).out.lines().count(), 2, "nothing is left to show");
}

/// A command that a test starts cannot reach the service manager of this machine, not even for a query.
#[test]
fn no_tool_outside_of_a_world_is_run() {
    let world = World::new();
    let (outside, witness) = (world.file("outside"), world.file("witness"));
    std::fs::create_dir(&outside).unwrap();
    for tool in ["systemctl", "loginctl", "journalctl", "systemd-analyze", "launchctl", "plutil"] {
        let script = format!("#!/bin/sh\necho {tool} \"$@\" >>{}\n", witness.display());
        executable::write(&outside.join(tool), &script, 0o755);
    }
    for manager in ["systemd", "launchd"] {
        for verb in
            ["init --yes --dry-run", "uninstall --yes", "status", "start", "stop", "restart", "logs hub"]
        {
            let args: Vec<&str> = verb.split(' ').collect();
            let mut command = world.parachute(&args);
            command.env("PATH", &outside).env("PARACHUTE_MANAGER", manager);
            assert!(command.output().unwrap().status.code().is_some(), "{verb}");
        }
    }
    assert_eq!(std::fs::read_to_string(witness).unwrap_or_default(), "");
}
