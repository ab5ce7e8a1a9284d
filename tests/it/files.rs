//! services.json: broken, edited, repaired, and with content that is not ours.

use serde_json::{Value, json};

use crate::support::world::World;
use crate::support::{eventually, until};

/// Results of a crash, a full disk or a careless editor.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("truncated", br#"{"services": [{"name": "web", "po"#.to_vec()),
        ("nul bytes", vec![0; 300]),
        ("an array", b"[]".to_vec()),
        ("empty", Vec::new()),
        ("no list", br#"{"services": 7}"#.to_vec()),
    ]
}

fn put(world: &World, bytes: &[u8]) {
    let path = world.home().join("services.json");
    let temp = world.home().join("services.json.new");
    std::fs::write(&temp, bytes).unwrap();
    std::fs::rename(temp, path).unwrap();
}

fn health(world: &World) -> Value {
    world.get("/health").expect("the hub answers").json()
}

/// A broken file is never "0 modules".
#[test]
fn a_broken_services_json_is_reported_while_modules_keep_running() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    for (what, bytes) in broken() {
        put(&world, &bytes);
        eventually(what, || health(&world)["status"] == "degraded");
        let status = world.run(&["status"]).code(1);
        assert!(
            status.out.contains("problem:") && status.out.contains("services.json"),
            "{what}: {status:#?}"
        );
        assert!(status.out.contains("hint:"), "{what}: {status:#?}");
        assert_eq!(world.view("web")["pid"], pid, "{what}: the module keeps running");
        world.write_rows();
        eventually("it heals", || health(&world)["status"] == "ok");
        assert_eq!(world.ready("web"), pid);
        let _ = world.run(&["status"]).code(0);
    }
    world.stop_hub();
}

#[test]
fn a_hub_that_boots_on_a_broken_services_json_reports_it_and_starts_the_modules_after_the_repair() {
    for (what, bytes) in broken() {
        let world = World::new();
        world.module("web", &[]);
        put(&world, &bytes);
        let down = world.run(&["status"]).code(3);
        assert!(down.out.contains("problem:"), "{what}: {down:#?}");
        world.start_hub();
        let problems = health(&world)["problems"].to_string();
        assert!(problems.contains("services.json"), "{what}: {problems}");
        let status = world.run(&["status"]).code(1);
        assert!(status.out.contains("problem:"), "{what}: {status:#?}");
        let kept = std::fs::read(world.home().join("services.json")).unwrap();
        assert_eq!(kept, bytes, "{what}: the hub does not touch it");
        world.write_rows();
        world.ready("web");
        assert_eq!(health(&world)["status"], "ok", "{what}");
        world.stop_hub();
    }
}

#[test]
fn a_broken_services_json_is_not_overwritten_by_add_or_remove() {
    let world = World::new();
    for (what, bytes) in broken() {
        put(&world, &bytes);
        for verb in [&["add", "x", "--", "true"][..], &["remove", "x"]] {
            let said = world.run(verb).code(1);
            assert!(said.err.contains("services.json") && said.err.contains("hint:"), "{what}: {said:#?}");
        }
        assert_eq!(std::fs::read(world.home().join("services.json")).unwrap(), bytes, "{what}");
    }
}

/// A name must not lead out of the home.
#[test]
fn a_row_that_leads_out_of_the_home_is_refused_and_the_others_run() {
    let world = World::new();
    let dir = world.file("evil");
    world.module("web", &[]);
    for name in ["../evil", "/etc/evil", "a/b", ".."] {
        let row = json!({"name": name, "port": 9, "paths": ["/e"], "health": "/", "version": "1", "installDir": dir});
        world.rows().push(row);
    }
    world.write_rows();
    world.start_hub();
    world.ready("web");
    let status = world.status();
    assert_eq!(status["modules"].as_array().unwrap().len(), 1, "{status:#}");
    let named: Vec<&str> =
        status["problems"].as_array().unwrap().iter().filter_map(|p| p["row"].as_str()).collect();
    assert_eq!(named, ["../evil", "/etc/evil", "a/b", ".."]);
    assert!(!dir.exists() && !world.file("logs").exists(), "nothing was made outside the home");
    world.stop_hub();
}

#[test]
fn foreign_content_of_services_json_survives_add_and_remove() {
    let world = World::new();
    let strange = json!({
        "$schema": "https://example.org/s.json",
        "services": [
            {"name": "web", "port": 1, "paths": ["/"], "health": "/", "version": "1", "futureField": {"deep": [1, 2.50, "ü"]}},
            {"name": "bad", "port": "none"},
            "not even an object",
            {"name": "parachute-vault", "port": 1940, "paths": ["/vault/default"], "health": "/h", "version": "", "uis": {}},
        ],
        "futureRoot": {"big": 12345678901234567890_u64, "small": 1e-7},
    });
    world.write_services(&serde_json::to_string_pretty(&strange).unwrap());
    let _ = world.run(&["add", "tool", "--no-listen", "--", "sleep", "1000"]).code(0);
    let with: Value = serde_json::from_str(&world.read("services.json")).unwrap();
    assert_eq!(with["services"].as_array().unwrap().len(), 5);
    assert_eq!(with["services"][4]["name"], "tool");
    let _ = world.run(&["remove", "tool"]).code(0);
    let without: Value = serde_json::from_str(&world.read("services.json")).unwrap();
    assert_eq!(without, strange);
    let (keys, text) = (["$schema", "services", "futureRoot"], world.read("services.json"));
    let order: Vec<usize> = keys.iter().map(|key| text.find(key).unwrap()).collect();
    assert!(order.is_sorted(), "keys keep their order");
    assert!(text.contains("12345678901234567890") && text.contains("2.5"), "{text}");
}

#[test]
fn added_and_removed_rows_are_noticed_without_a_restart() {
    let world = World::new();
    world.module("first", &[]);
    world.start_hub();
    let first = world.ready("first");
    world.module("second", &[]);
    world.ready("second");
    world.rows().retain(|row| row["name"] != "second");
    world.write_rows();
    eventually("the removed row's module is gone", || world.view("second").is_null());
    world.gone("second");
    assert_eq!(world.ready("first"), first, "the other one was not touched");
    world.stop_hub();
}

/// A typing error, or what a module writes about itself, stops no running module: it stays unchanged until its row
/// can be read again. Only a name that is removed from the file stops its module.
#[test]
fn an_invalid_field_stops_no_running_module() {
    let world = World::new();
    let port = world.module("web", &[]);
    world.start_hub();
    let mut pid = world.ready("web");
    let good = world.rows()[0].clone();
    for (field, value) in
        [("port", json!(port.to_string())), ("displayName", Value::Null), ("paths", json!("/web"))]
    {
        world.rows()[0][field] = value;
        world.write_rows();
        let said = world.post("/api/reload").unwrap().json();
        let problem = &said["problems"][0];
        assert_eq!((&problem["row"], &said["modules"]), (&json!("web"), &json!(1)), "{field}: {said:#}");
        assert!(problem["message"].as_str().unwrap().contains(field), "{field}: {said:#}");
        let status = world.run(&["status"]).code(0);
        assert!(status.out.contains("stays as it was"), "{field}: {}", status.out);
        assert_eq!(world.ready("web"), pid, "{field}");
        // Its next run also uses the last valid row.
        assert_eq!(world.op("web", "restart")["ok"], true, "{field}");
        pid = world.ready("web");
        assert_eq!(world.view("web")["port"], port);
        world.rows()[0] = good.clone();
        world.write_rows();
        let said = world.post("/api/reload").unwrap().json();
        assert_eq!((&said["problems"], world.ready("web")), (&json!([]), pid), "{field}: {said:#}");
    }
    assert!(!world.hub_log().contains("has no row"), "{}", world.hub_log());
    world.rows().clear();
    world.write_rows();
    world.gone("web");
    world.stop_hub();
}

/// Running out of descriptors is temporary, and changes nothing about the file.
#[test]
#[cfg(target_os = "linux")]
fn a_services_json_that_could_not_be_opened_once_is_read_again() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let world = World::new();
    world.module("first", &[]);
    world.start_hub();
    let first = world.ready("first");
    let hub = i32::try_from(world.hub_pid()).ok().and_then(Pid::from_raw);
    let limit = |current| Rlimit { current: Some(current), maximum: Some(4096) };
    prlimit(hub, Resource::Nofile, limit(3)).unwrap();
    world.module("second", &[]);
    eventually("it cannot be opened", || world.hub_log().contains("the last valid 1 modules"));
    prlimit(hub, Resource::Nofile, limit(1024)).unwrap();
    world.ready("second");
    assert_eq!(health(&world)["status"], "ok");
    assert_eq!(world.ready("first"), first);
    world.stop_hub();
}

/// Broken settings must not stop modules: they run with the last valid settings, or the defaults.
#[test]
fn a_typo_in_hub_toml_stops_no_module_and_is_reported_until_it_is_repaired() {
    let world = World::new();
    world.module("web", &[]);
    let typo = "[hub]\nprot = 1\n";
    let mend = |text: &str| std::fs::write(world.home().join("hub.toml"), text).unwrap();
    let told = || {
        let said = health(&world);
        assert_eq!(said["status"], "degraded", "{said:#}");
        assert!(said["problems"][0].as_str().unwrap().contains("hub.toml, line 2: unknown field `prot`"));
        let status = world.run(&["status"]).code(1);
        assert!(status.out.contains("problem:") && status.out.contains("`prot`"), "{}", status.out);
        assert!(world.run(&["doctor"]).out.contains("`prot`"));
    };
    let mended = || {
        assert_eq!(health(&world)["status"], "ok");
        let _ = world.run(&["status"]).code(0);
    };
    // At a boot, ...
    mend(typo);
    let check = world.run(&["serve", "--check"]).code(0);
    assert!(check.out.contains("would use the defaults"), "{}", check.out);
    world.start_hub();
    world.ready("web");
    told();
    mend("");
    mended();
    // ... and while it runs, where the last valid ones are used.
    mend("[modules.web]\nlisten = false\n");
    assert_eq!(world.op("web", "restart")["ok"], true);
    assert_eq!(world.view("web")["listens"], false);
    mend(typo);
    assert_eq!(world.op("web", "restart")["ok"], true);
    assert_eq!(world.view("web")["listens"], false);
    told();
    let log = world.get("/api/modules/web/logs").unwrap().json()["text"].to_string();
    assert!(log.contains("unknown field `prot`"), "{log}");
    std::fs::remove_file(world.home().join("hub.toml")).unwrap();
    mended();
    assert_eq!(world.op("web", "restart")["ok"], true);
    assert_eq!(world.view("web")["listens"], true);
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn a_changed_port_is_noted_and_applied_by_restart() {
    let world = World::new();
    let old = world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let new = crate::support::world::free_port();
    for row in world.rows().iter_mut() {
        row["port"] = new.into();
    }
    world.write_rows();
    let noted = world.problem("web", "edited");
    assert_eq!(
        (noted["pid"].as_u64(), noted["ready"].as_bool()),
        (Some(pid.into()), Some(true)),
        "{noted:#}"
    );
    assert!(noted["problem"]["next"].as_str().unwrap().contains("restart web"), "{noted:#}");
    assert_eq!(world.op("web", "restart")["ok"], true);
    let view = world.view("web");
    assert!(view["problem"].is_null() && view["port"] == new, "{view:#}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", new)).is_ok());
    assert!(std::net::TcpStream::connect(("127.0.0.1", old)).is_err());
    world.stop_hub();
}

/// A home as the original hub left it. Its modules are not installed here, so they do not start; the file is not
/// changed.
#[test]
fn a_home_of_the_original_hub_boots_and_its_services_json_stays_as_it_is() {
    let world = World::new();
    let theirs = include_bytes!("../data/services-0.6.2.json");
    put(&world, theirs);
    std::fs::create_dir(world.home().join("scribe")).unwrap();
    std::fs::write(world.home().join("scribe/.env"), "GROQ_API_KEY=x\nPORT=9\n").unwrap();
    world.start_hub();
    let names = until("three rows are judged", || {
        let modules = world.status()["modules"].as_array().unwrap().clone();
        let judged = modules.iter().all(|m| !m["problem"].is_null());
        judged.then(|| modules.iter().map(|m| m["short"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    });
    assert_eq!(names, ["vault", "scribe", "wrapper"]);
    assert_eq!(health(&world)["status"], "ok", "{}", world.hub_log());
    let expected = [("vault", 1940), ("scribe", 1943), ("wrapper", 1951)];
    for (short, port) in expected {
        assert_eq!(world.view(short)["port"], port);
    }
    assert!(world.run(&["why", "parachute-vault"]).code(0).out.contains("hint:"));
    world.stop_hub();
    assert_eq!(std::fs::read(world.home().join("services.json")).unwrap(), theirs);
}

/// A row with an old name beside the live one is removed, and the live module keeps running.
#[test]
fn a_duplicate_row_is_removed_while_the_live_module_keeps_running() {
    let world = World::new();
    world.module("scribe", &[]);
    world.rows()[0]["name"] = json!("parachute-scribe");
    let mut leftover = world.rows()[0].clone();
    leftover["name"] = json!("scribe");
    world.rows().push(leftover);
    world.write_rows();
    world.start_hub();
    let pid = world.ready("scribe");
    let said = world.run(&["remove", "scribe"]).code(0);
    assert!(said.out.contains("✓ scribe removed"), "{said:?}");
    assert_eq!(world.ready("scribe"), pid, "{said:?}");
    assert!(world.read("services.json").contains("parachute-scribe"));
    // The row of the live module is removed together with the module.
    let _ = world.run(&["remove", "scribe"]).code(0);
    world.gone("scribe");
    assert!(!world.read("services.json").contains("scribe"));
    world.stop_hub();
}
