//! The control API: formats and status codes, for every row and for unknown names.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use parachute::api::wire;
use serde_json::{Value, json};

use crate::support::stream::Live;
use crate::support::until;
use crate::support::world::{World, free_port};

#[track_caller]
fn error(world: &World, method: &str, target: &str, status: u16, code: &str) -> Value {
    let answer = crate::support::http::socket(&world.socket(), method, target, &[("host", "hub")]).unwrap();
    let body = answer.json();
    assert_eq!((answer.status, body["error"].as_str()), (status, Some(code)), "{method} {target}: {body:#}");
    assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{body:#}");
    body
}

#[test]
fn the_list_has_the_curated_modules_first_and_every_row() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let answer = world.get("/api/modules").unwrap();
    let list: wire::ModuleList = serde_json::from_str(&answer.body).unwrap();
    let shorts: Vec<&str> = list.modules.iter().map(|module| module.short.as_str()).collect();
    assert_eq!(shorts, ["vault", "scribe", "web"]);
    assert!(list.supervisor_available);
    let (vault, web) = (&answer.json()["modules"][0], &answer.json()["modules"][2]);
    assert_eq!(vault["package"], "@openparachute/vault");
    assert_eq!((&vault["installed"], &vault["available"]), (&json!(false), &json!(true)));
    let null = ["installed_version", "latest_version", "supervisor_status", "pid", "install_dir"];
    for key in null {
        assert!(
            vault.as_object().unwrap().contains_key(key) && vault[key].is_null(),
            "{key} is an explicit null"
        );
    }
    assert_eq!((&web["pid"], &web["supervisor_status"]), (&json!(pid), &json!("running")));
    assert_eq!((&web["installed"], &web["package"]), (&json!(true), &Value::Null));
    world.stop_hub();
}

#[test]
fn a_third_party_row_is_controlled_like_any_other() {
    let world = World::new();
    let port = world.module("web", &[]);
    world.start_hub();
    let first = world.ready("web");
    let started = world.op("web", "start");
    assert_eq!(
        started,
        json!({"short": "web", "ok": true, "state": started["state"]}),
        "start is idempotent"
    );
    assert_eq!(started["state"]["pid"], first);
    let state = &started["state"];
    assert_eq!((&state["status"], &state["restartsInWindow"]), (&json!("running"), &json!(0)));
    let second = world.op("web", "restart")["state"]["pid"].as_u64().unwrap();
    assert_ne!(second, u64::from(first));
    let stopped = world.op("web", "stop");
    assert_eq!((&stopped["ok"], &stopped["stopped"]), (&json!(true), &json!(true)), "{stopped:#}");
    assert_eq!(stopped["state"]["status"], "stopped");
    assert!(stopped["state"].get("pid").is_none(), "{stopped:#}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "its port is free");
    world.expect_no_processes();
    assert_eq!(world.op("web", "stop")["ok"], true, "a second stop succeeds");
    let why: wire::Why = serde_json::from_str(&world.get("/api/modules/web/why").unwrap().body).unwrap();
    assert!(why.failure.is_none() && why.module.is_some());
    let logs: wire::LogReply =
        serde_json::from_str(&world.get("/api/modules/web/logs?n=1").unwrap().body).unwrap();
    assert_eq!((logs.lines.len(), logs.entries.len()), (1, 1));
    assert_eq!(logs.text, format!("{}\n", logs.lines[0]));
    let status: wire::Status = serde_json::from_str(&world.get("/api/status").unwrap().body).unwrap();
    assert_eq!(status.modules[0].state, wire::State::Stopped);
    world.stop_hub();
}

#[test]
fn a_known_module_that_is_not_installed_and_an_unknown_name() {
    let world = World::new();
    world.start_hub();
    let missing = error(&world, "POST", "/api/modules/vault/start", 400, "not_installed");
    assert!(missing["next"].as_str().unwrap().starts_with("parachute add vault"), "{missing:#}");
    error(&world, "POST", "/api/modules/vault/restart", 404, "not_supervised");
    error(&world, "GET", "/api/modules/vault/logs", 404, "not_supervised");
    error(&world, "GET", "/api/modules/vault/why", 404, "not_supervised");
    let stopped = world.op("vault", "stop");
    assert_eq!(stopped, json!({"short": "vault", "ok": true, "stopped": false}));
    for name in ["nobody", "hub", "..%2Fvault", "%00", "a%2Fb"] {
        for op in ["start", "stop", "restart"] {
            error(&world, "POST", &format!("/api/modules/{name}/{op}"), 404, "unknown_module");
        }
        error(&world, "GET", &format!("/api/modules/{name}/logs"), 404, "unknown_module");
        error(&world, "GET", &format!("/api/modules/{name}/why"), 404, "unknown_module");
    }
    world.stop_hub();
}

#[test]
fn malformed_requests_are_named_as_such() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    error(&world, "GET", "/api/nothing", 404, "not_found");
    error(&world, "GET", "/", 404, "not_found");
    error(&world, "DELETE", "/api/modules/web/start", 405, "method_not_allowed");
    error(&world, "GET", "/api/modules/web/start", 405, "method_not_allowed");
    error(&world, "POST", "/api/modules/%FF/start", 400, "bad_request");
    error(&world, "GET", "/api/modules/web/logs?n=many", 400, "bad_request");
    error(&world, "GET", "/api/modules/web/logs?since=teatime", 400, "bad_request");
    world.stop_hub();
}

#[test]
fn health_answers_any_method_and_ready_lists_the_modules_by_state() {
    let world = World::new();
    world.module("web", &[]);
    world.module("mute", &["--never-bind"]);
    world.command("broken", &["/nowhere/at-all"]);
    world.module("asleep", &[]);
    world.start_hub();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer =
            crate::support::http::socket(&world.socket(), method, "/health", &[("host", "hub")]).unwrap();
        assert_eq!(
            (answer.status, answer.json()["service"].as_str()),
            (200, Some("parachute-hub")),
            "{method}"
        );
        assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
    }
    world.ready("web");
    world.ready("asleep");
    world.op("asleep", "stop");
    world.problem("broken", "missing_dependency");
    let ready = |name: &str| world.get("/api/ready").unwrap().json()[name].clone();
    assert_eq!(ready("ready"), false);
    assert_eq!(ready("ready_modules"), json!(["web"]));
    world.problem("mute", "started_but_unbound");
    assert_eq!(
        ready("persistent_modules"),
        json!(["mute", "broken"]),
        "none of them waits for a stopped one"
    );
    assert_eq!(ready("transient_modules"), json!([]));
    world.stop_hub();
}

#[test]
fn a_start_and_a_stop_are_seen_as_events() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let events = Live::get(&world, "/api/events", &[]);
    events.sees(": connected");
    world.op("web", "stop");
    world.op("web", "start");
    let last = until("the events of a stop and a start", || {
        let text = events.text();
        let seen: Vec<wire::ModuleEvent> = text
            .split("\n\n")
            .filter(|event| event.contains("event: module"))
            .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect();
        let stopped = seen.iter().position(|event| event.state == wire::State::Stopped && !event.ready)?;
        let ready = seen.iter().skip(stopped).position(|event| event.ready)?;
        let numbers: Vec<u64> = seen.iter().map(|event| event.seq).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        Some(seen[stopped + ready].clone())
    });
    assert_eq!((last.short.as_str(), last.pid), ("web", Some(world.ready("web"))));
    world.stop_hub();
    events.ends();
}

#[test]
fn every_line_of_the_metrics_parses() {
    let world = World::new();
    world.module("web", &[]);
    world.command("broken", &["/nowhere/at-all"]);
    world.start_hub();
    world.ready("web");
    world.problem("broken", "missing_dependency");
    let answer = world.get("/metrics").unwrap();
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let mut family = String::new();
    let mut samples = 0;
    for line in answer.body.lines() {
        if let Some(told) = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")) {
            told.split(' ').next().unwrap().clone_into(&mut family);
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let plain = name.split('{').next().unwrap();
        assert_eq!(plain, family, "a sample is listed under its family: {line}");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        assert!(name == plain || (name.ends_with("\"}") && name.contains("=\"")), "{line}");
        samples += 1;
    }
    assert!(samples > 12, "{}", answer.body);
    for line in ["parachute_module_ready{module=\"web\"} 1", "parachute_module_problem{module=\"broken\"} 1"]
    {
        assert!(answer.body.lines().any(|have| have == line), "{line}: {}", answer.body);
    }
    world.stop_hub();
}

#[test]
fn slow_clients_and_large_requests_block_no_other_client() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    // Half a request each, kept open on TCP and on the socket.
    let on_tcp: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", world.port())).unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nhost: localh").unwrap();
            stream
        })
        .collect();
    let on_socket: Vec<_> = (0..100).map(|_| UnixStream::connect(world.socket()).unwrap()).collect();
    let mut huge = UnixStream::connect(world.socket()).unwrap();
    let head = format!("GET /health HTTP/1.1\r\nhost: hub\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024));
    // The hub may close the connection before all of it is written: that is a response too.
    let _ = huge.write_all(head.as_bytes());
    let mut said = Vec::new();
    let _ = huge.read_to_end(&mut said);
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&said));
    assert_eq!(world.op("web", "restart")["ok"], true);
    assert_eq!(world.status()["modules"][0]["ready"], true);
    // They do not delay the hub's stop either.
    world.stop_hub();
    drop((on_tcp, on_socket));
}

#[test]
fn two_homes_do_not_mix() {
    let (one, two) = (World::new(), World::new());
    one.module("web", &[]);
    two.module("web", &[]);
    one.start_hub();
    two.start_hub();
    let (mine, theirs) = (one.ready("web"), two.ready("web"));
    assert_ne!(
        one.get("/health").unwrap().json()["instance"],
        two.get("/health").unwrap().json()["instance"]
    );
    one.kill_hub();
    one.start_hub();
    assert_eq!(one.ready("web"), mine, "its own process is adopted");
    assert_eq!(two.ready("web"), theirs, "the other home's is not touched");
    one.stop_hub();
    one.expect_no_processes();
    assert_eq!(two.ready("web"), theirs);
    two.stop_hub();
}

#[test]
fn one_home_takes_any_free_port() {
    let world = World::new();
    let port = free_port();
    let mut hub = world.parachute(&["serve"]);
    hub.env("PORT", port.to_string());
    world.spawn(hub);
    world.hub_answers();
    assert_eq!(world.status()["hub"]["port"], port);
    assert_eq!(world.read("hub/run/hub.port").trim(), port.to_string());
    world.stop_hub();
}
