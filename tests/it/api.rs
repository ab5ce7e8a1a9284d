//! What is on the wire: shapes, status codes, and who may ask.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::support::http::{self, Answer};
use crate::support::world::World;
use crate::support::{eventually, until};

fn local(world: &World, method: &str, target: &str, extra: &[(&str, &str)]) -> Answer {
    let host = format!("127.0.0.1:{}", world.port());
    let mut headers = vec![("host", host.as_str())];
    headers.retain(|_| !extra.iter().any(|(name, _)| *name == "host"));
    headers.extend(extra);
    http::tcp(world.port(), method, target, &headers).expect("an answer")
}

/// W-C1, A18: every row is listed and driven, not only the known ones.
#[test]
fn every_row_is_listed_and_driven() {
    let world = World::new();
    world.module("acme", &[]);
    world.start_hub();
    let pid = world.ready("acme");
    let list = world.get("/api/modules").unwrap().json();
    let shorts: Vec<&str> =
        list["modules"].as_array().unwrap().iter().map(|m| m["short"].as_str().unwrap()).collect();
    assert_eq!(shorts, ["vault", "scribe", "acme"]);
    assert_eq!(list["modules"][0]["installed"], false);
    assert_eq!(list["modules"][0]["supervisor_status"], Value::Null);
    let acme = &list["modules"][2];
    assert_eq!(
        (&acme["pid"], &acme["supervisor_status"], &acme["uis"]),
        (&json!(pid), &json!("running"), &json!([]))
    );
    assert_eq!(
        (&list["supervisor_available"], &list["module_install_channel"]),
        (&json!(true), &json!("latest"))
    );

    let start = world.op("acme", "start");
    assert_eq!(
        (&start["ok"], &start["state"]["pid"]),
        (&json!(true), &json!(pid)),
        "a second start spawns nothing"
    );
    let stop = world.op("acme", "stop");
    assert_eq!((&stop["stopped"], &stop["state"]["status"]), (&json!(true), &json!("stopped")));
    assert_eq!(stop["state"]["lastExitCode"], 143, "128 + SIGTERM");
    let restart = world.op("acme", "restart");
    assert_eq!(restart["ok"], true, "{restart:#}");
    assert!(restart["state"]["startedAt"].as_str().unwrap().ends_with('Z'));
    let logs = world.get("/api/modules/acme/logs?n=3").unwrap().json();
    assert_eq!(logs["lines"].as_array().unwrap().len(), 3);
    assert!(logs["text"].as_str().unwrap().contains("[acme] "));
    world.stop_hub();
}

#[test]
fn what_is_not_there_is_told_apart() {
    let world = World::new();
    world.start_hub();
    let ask = |method: &str, target: &str| {
        http::socket(&world.socket(), method, target, &[("host", "hub")]).unwrap()
    };
    for (method, target, status, error) in [
        ("POST", "/api/modules/vault/start", 400, "not_installed"),
        ("POST", "/api/modules/vault/restart", 404, "not_supervised"),
        ("GET", "/api/modules/vault/logs", 404, "not_supervised"),
        ("POST", "/api/modules/acme/start", 404, "unknown_module"),
        ("POST", "/api/modules/hub/stop", 404, "unknown_module"),
        ("GET", "/api/modules/acme/why", 404, "unknown_module"),
        ("GET", "/api/modules/%E0%A4%A/why", 400, "bad_request"),
        ("GET", "/api/modules/vault/start", 405, "method_not_allowed"),
        ("POST", "/api/modules/vault/dance", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
    ] {
        let answer = ask(method, target);
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(error)),
            "{method} {target}"
        );
        assert!(answer.json()["error_description"].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert_eq!(world.op("vault", "stop"), json!({ "short": "vault", "ok": true, "stopped": false }));
    world.stop_hub();
}

/// W-X1, B3, B4: a token, or a plain loopback caller and a public route.
#[test]
fn on_tcp_only_the_token_opens_what_is_not_public() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let token = format!("Bearer {}", world.read("operator.token").trim());
    for (target, extra, status) in [
        ("/health", vec![], 200),
        ("/api/ready", vec![], 200),
        ("/health", vec![("host", "evil.example")], 403),
        ("/health", vec![("x-forwarded-for", "")], 403),
        ("/api/ready", vec![("forwarded", "for=1.2.3.4")], 403),
        ("/api/status", vec![], 401),
        ("/api/status", vec![("authorization", "Bearer nonsense")], 401),
        ("/api/status", vec![("host", "evil.example")], 403),
        ("/api/status", vec![("authorization", token.as_str())], 200),
        ("/api/status", vec![("authorization", token.as_str()), ("host", "my.example")], 200),
        ("/metrics", vec![], 401),
        ("/api/events", vec![], 401),
    ] {
        let answer = local(&world, "GET", target, &extra);
        assert_eq!(answer.status, status, "{target} {extra:?}: {answer:?}");
    }
    assert_eq!(
        local(&world, "DELETE", "/api/status", &[]).status,
        405,
        "the method is looked at before the token"
    );
    assert_eq!(
        local(&world, "POST", "/api/hub/stop", &[("authorization", &token)]).status,
        403,
        "socket only"
    );
    assert_eq!(local(&world, "PUT", "/health", &[]).status, 200, "liveness answers any method");
    assert!(local(&world, "GET", "/health", &[]).head.contains("cache-control: no-store"));
    world.stop_hub();
}

#[test]
fn readiness_does_not_wait_for_what_somebody_stopped() {
    let world = World::new();
    world.module("web", &[]);
    world.module("off", &[]);
    world.command("broken", &["no-such-program-anywhere"]);
    world.start_hub();
    world.ready("web");
    world.ready("off");
    world.problem("broken", "missing_dependency");
    world.op("off", "stop");
    let ready = world.get("/api/ready").unwrap().json();
    let expected = json!({
        "ready": false, "ready_modules": ["web"], "transient_modules": [], "persistent_modules": ["broken"],
    });
    assert_eq!(ready, expected);
    world.op("broken", "stop");
    assert_eq!(world.get("/api/ready").unwrap().json()["ready"], true);
    world.stop_hub();
}

#[test]
fn state_changes_are_pushed() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let mut stream = UnixStream::connect(world.socket()).unwrap();
    stream.write_all(http::request("GET", "/api/events", &[("host", "hub")]).as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == ": connected"), "the stream begins");
    world.op("web", "stop");
    let data =
        lines.by_ref().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let states: Vec<String> = data
        .map(|event| event["state"].as_str().unwrap().to_owned())
        .take_while(|state| state != "stopped")
        .collect();
    assert!(states.iter().all(|state| state == "running"), "{states:?}");
    world.signal_hub(nix::sys::signal::Signal::SIGTERM);
    assert!(lines.count() > 0, "the stream ends with the hub");
    assert_eq!(world.hub_ends().code(), Some(0));
}

#[test]
fn metrics_are_samples_line_by_line() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let text = world.get("/metrics").unwrap().body;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("parachute_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(text.contains("parachute_module_ready{module=\"web\"} 1\n"), "{text}");
    world.stop_hub();
}

/// Nobody who says nothing, or nonsense, keeps others from being answered.
#[test]
fn slow_and_senseless_clients_hold_up_nobody() {
    let world = World::new();
    world.start_hub();
    let idle: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(world.socket()).unwrap()).collect();
    let mut senseless = UnixStream::connect(world.socket()).unwrap();
    senseless.write_all(b"\x00\x01 nonsense\r\n\r\n").unwrap();
    let mut answer = String::new();
    senseless.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let huge = "x".repeat(64 * 1024);
    let refused = http::socket(&world.socket(), "GET", "/health", &[("host", "hub"), ("x-huge", &huge)]);
    assert!(refused.is_none_or(|answer| answer.status == 431));
    assert_eq!(world.get("/health").unwrap().status, 200);
    drop(idle);
    world.stop_hub();
}

/// A13, W-S6: a restart reads everything anew.
#[test]
fn a_restart_reads_the_environment_anew() {
    let world = World::new();
    let dump = world.file("dump");
    let port = world.module("web", &["--dump", dump.to_str().unwrap()]);
    let env = world.home().join("web/.env");
    std::fs::write(&env, "# NOTE=1\nKEY=old\nPORT=1\n").unwrap();
    world.start_hub();
    world.ready("web");
    let text = std::fs::read_to_string(&dump).unwrap();
    assert!(
        text.contains("KEY=old") && text.contains(&format!("PORT={port}\n")) && !text.contains("NOTE"),
        "{text}"
    );
    assert!(text.contains("PARACHUTE_HUB_ORIGIN=http://127.0.0.1:"), "{text}");
    std::fs::write(&env, "KEY=new\n").unwrap();
    assert_eq!(world.op("web", "restart")["ok"], true);
    eventually("the new value", || std::fs::read_to_string(&dump).unwrap().contains("KEY=new"));
    world.stop_hub();
}

/// DC18, W-X5: what belongs to the hub stays with it.
#[test]
fn modules_do_not_inherit_the_hubs_secrets() {
    let world = World::new();
    let dump = world.file("dump");
    world.module("web", &["--dump", dump.to_str().unwrap()]);
    let mut hub = world
        .parachute(&["serve", "--port", "0"])
        .env("PARACHUTE_INITIAL_ADMIN_PASSWORD", "secret")
        .env("NOTIFY_SOCKET", "/nowhere")
        .env("WATCHDOG_USEC", "60000000")
        .env("HARMLESS", "yes")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let text = until("the dump", || std::fs::read_to_string(&dump).ok().filter(|text| text.contains("cwd=")));
    world.ready("web");
    assert!(text.contains("HARMLESS=yes"));
    for hidden in ["secret", "NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!text.contains(hidden), "{text}");
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(hub.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(hub.wait().unwrap().success());
    world.expect_no_processes();
}
