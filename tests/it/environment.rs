//! The environment of a module, and the permissions of files in the home.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use crate::support::until;
use crate::support::world::World;

/// The environment that a module wrote to a file, waited for.
fn dump(world: &World, path: &std::path::Path) -> BTreeMap<String, String> {
    let text = until("the module wrote its environment", || std::fs::read_to_string(path).ok());
    world.ready("web");
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn mode(world: &World, path: &str) -> u32 {
    std::fs::metadata(world.home().join(path)).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_env_file_counts_except_port_and_an_edit_applies_at_restart() {
    let world = World::new();
    let file = world.file("dump");
    let port = world.module("web", &["--dump", file.to_str().unwrap()]);
    let env = world.home().join("web/.env");
    std::fs::write(&env, "PORT=1\nAPI_KEY=\"a b\"\n# no\nEMPTY=\n").unwrap();
    world.start_hub();
    let given = dump(&world, &file);
    assert_eq!(given["PORT"], port.to_string(), "the row decides");
    assert_eq!((given["API_KEY"].as_str(), given["EMPTY"].as_str()), ("a b", ""));
    assert_eq!(given["PARACHUTE_MODULE"], "web");
    assert_eq!(given["PARACHUTE_HOME"], world.home().to_str().unwrap());

    std::fs::write(&env, "API_KEY=second\n").unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(world.op("web", "restart")["ok"], true);
    let given = dump(&world, &file);
    assert_eq!(given["API_KEY"], "second");
    assert!(!given.contains_key("EMPTY"));
    world.stop_hub();
}

#[test]
fn hub_only_variables_are_not_passed_on() {
    let world = World::new();
    let file = world.file("dump");
    world.module("web", &["--dump", file.to_str().unwrap()]);
    let socket = world.file("notify");
    let _manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let secret = "planted-secret-5d1c";
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    hub.env("PARACHUTE_INITIAL_ADMIN_PASSWORD", secret)
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "60000000")
        .env("INVOCATION_ID", "0123")
        .env("KEPT", "yes");
    world.spawn(hub);
    world.hub_answers();
    let given = dump(&world, &file);
    for name in ["PARACHUTE_INITIAL_ADMIN_PASSWORD", "NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!given.contains_key(name), "{name} was passed on: {given:#?}");
    }
    assert_eq!(given["KEPT"], "yes", "the rest of the hub's environment is");
    assert!(!given.values().any(|value| value.contains(secret)));
    world.stop_hub();
}

#[test]
fn secrets_and_sockets_are_private() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let added = world.run(&["add", "tool", "--no-listen", "--env", "TOKEN=s3cret", "--", "sleep", "1000"]);
    let _ = added.code(0);
    let private =
        ["operator.token", "tool/.env", "tool/.parachute/module.json", "run/hub.sock", "run/ledger.jsonl"];
    for file in private {
        assert_eq!(mode(&world, file), 0o600, "{file}");
    }
    assert_eq!(mode(&world, "run"), 0o700);
    assert_eq!(mode(&world, "web/logs/web.log"), 0o600);
    assert!(!world.hub_log().contains("s3cret"));
    world.stop_hub();
}

#[test]
fn a_readable_token_file_is_made_private_and_kept() {
    let world = World::new();
    let path = world.home().join("operator.token");
    let token = "0123456789abcdef0123456789abcdef";
    std::fs::write(&path, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    world.start_hub();
    assert_eq!(mode(&world, "operator.token"), 0o600);
    assert_eq!(world.read("operator.token").trim(), token);
    world.stop_hub();
}
