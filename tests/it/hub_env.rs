//! `hub.env`: which hubs read it, what it sets, and that no module starts without a present file.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use parachute::module::hub_env;

use crate::support::eventually;
use crate::support::world::World;

/// The variables of a manager, by which a hub recognises that it is managed.
#[derive(Debug, Clone, Copy)]
enum Manager {
    Systemd,
    Launchd,
}

/// A hub of this world that believes to run under a manager.
fn kept(world: &World, manager: Manager) -> Command {
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    match manager {
        Manager::Systemd => hub.env("NOTIFY_SOCKET", world.file("notify")),
        Manager::Launchd => hub.env("XPC_SERVICE_NAME", "computer.parachute.hub"),
    };
    hub.env("LANG", "en_US.UTF-8");
    hub
}

fn put(path: &Path, text: impl AsRef<[u8]>, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The environment of a module, which it writes before it is ready.
fn given(world: &World, dump: &Path) -> String {
    world.ready("web");
    std::fs::read_to_string(dump).unwrap()
}

#[test]
fn a_hub_under_a_manager_reads_it_and_one_in_a_terminal_does_not() {
    for manager in [Manager::Systemd, Manager::Launchd] {
        let world = World::new();
        let (dump, secret) = (world.file("dump"), "planted-secret-77ab");
        world.module("web", &["--dump", dump.to_str().unwrap()]);
        let env = world.home().join("hub.env");
        put(
            &env,
            format!(
                "# of a person\n  API_KEY = '{secret}'  \nLANG=C\nLONG=\"a\nb\"\nPARACHUTE_HOME=/x\nexport NO=1\n"
            ),
            0o644,
        );
        let _notified = UnixDatagram::bind(world.file("notify")).unwrap();
        world.spawn(kept(&world, manager));
        world.hub_answers();
        let said = given(&world, &dump);
        for line in [&format!("API_KEY={secret}"), "LANG=C", "LONG=a\nb"] {
            assert!(said.contains(&format!("{line}\n")), "{manager:?}: {said}");
        }
        assert!(said.contains(&format!("PARACHUTE_HOME={}\n", world.home().display())), "{said}");
        assert!(!said.contains("NO=1"), "{said}");
        let environ = std::fs::read(format!("/proc/{}/environ", world.hub_pid())).unwrap();
        assert!(!String::from_utf8_lossy(&environ).contains(secret), "the hub's own has none of it");
        let status = world.status();
        let notes = status["notes"].to_string();
        for note in [
            "mode 0644): chmod 600",
            "line 7: not used: it begins with `export`",
            "PARACHUTE_HOME is not used",
        ] {
            assert!(notes.contains(note), "{note}: {notes}");
        }
        assert!(!status.to_string().contains(secret) && !world.read("hub/logs/hub.log").contains(secret));

        // An edit applies from the next start of a module on; nothing is restarted for it.
        let pid = world.ready("web");
        put(&env, "API_KEY=second\n", 0o600);
        eventually("the edit is noticed", || world.read("hub/logs/hub.log").contains("hub.env changed"));
        assert_eq!(world.ready("web"), pid);
        assert_eq!(world.op("web", "restart")["ok"], true);
        assert!(given(&world, &dump).contains("API_KEY=second\n"));
        assert!(world.status()["notes"].is_null(), "it has no remarks any more");
        world.stop_hub();

        // In a terminal the user gives the environment.
        std::fs::remove_file(&dump).unwrap();
        world.start_hub();
        let said = given(&world, &dump);
        assert!(!said.contains("API_KEY"), "{said}");
        world.stop_hub();
    }
}

/// A refused file, and the text of the reason.
type Case = (&'static str, fn(&Path, &Path));

/// The second path is outside the home.
const REFUSED: [Case; 7] = [
    ("it is a symbolic link", |env, other| {
        put(other, "API_KEY=linked\n", 0o600);
        std::os::unix::fs::symlink(other, env).unwrap();
    }),
    ("it is a FIFO, not a regular file", |env, _| {
        nix::unistd::mkfifo(env, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }),
    ("it is a directory, not a regular file", |env, _| std::fs::create_dir(env).unwrap()),
    ("other users can write it (mode 0666)", |env, _| put(env, "API_KEY=open\n", 0o666)),
    ("other users can write it (mode 0620)", |env, _| put(env, "API_KEY=open\n", 0o620)),
    ("it is larger than 1048576 bytes", |env, _| put(env, vec![b'#'; (1 << 20) + 1], 0o600)),
    ("it contains NUL bytes", |env, _| put(env, b"API_KEY=1\n\0\0\0", 0o600)),
];

#[test]
fn a_refused_file_blocks_every_module_is_reported_by_each_verb_and_applies_once_repaired() {
    for (why, make) in REFUSED {
        let world = World::new();
        let dump = world.file("dump");
        world.module("web", &["--dump", dump.to_str().unwrap()]);
        world.module("other", &[]);
        let env = world.home().join("hub.env");
        make(&env, &world.file("elsewhere"));
        world.spawn(kept(&world, Manager::Launchd));
        world.hub_answers();

        let reason = format!("{} is refused: {why}", env.display());
        let mut next = String::new();
        for module in ["web", "other"] {
            let view = world.problem(module, "bad_definition");
            assert_eq!((view["detail"].as_str(), view["pid"].as_u64()), (Some("blocked"), None), "{view:#}");
            assert!(view["problem"]["error_description"].as_str().unwrap().starts_with(&reason), "{view:#}");
            next = view["problem"]["next"].as_str().unwrap().to_owned();
        }
        assert!(world.get("/health").unwrap().body.contains(why), "{why}");
        // Each verb reports it, and the command to type.
        let asked = [
            world.run(&["status"]).code(1),
            world.run(&["why", "web"]).code(0),
            world.run(&["start", "web"]).code(1),
            world.run(&["doctor"]),
            world.run(&["serve", "--check", "--port", "0"]).code(78),
        ];
        for said in asked {
            let text = format!("{}{}", said.out, said.err);
            assert!(text.contains(&reason) && text.contains(&format!("hint: {next}")), "{reason}: {text}");
        }
        assert!(world.run(&["logs", "hub"]).code(0).out.contains(&reason), "{why}");
        assert!(!dump.exists(), "it was never started");

        // The command, as shown.
        let mended = Command::new("sh").args(["-c", &next]).status().unwrap();
        assert!(mended.success(), "{next}");
        let said = given(&world, &dump);
        assert_eq!(said.contains("API_KEY=linked\n"), why.contains("link"), "{said}");
        assert_eq!(said.contains("API_KEY=open\n"), why.contains("other users can write"), "{said}");
        world.ready("other");
        assert_eq!(world.status()["problems"], serde_json::json!([]));
        world.stop_hub();
    }
}

/// Running modules keep running; only their next start waits until the file is repaired.
#[test]
fn a_file_that_becomes_invalid_ends_no_module() {
    let world = World::new();
    world.module("web", &[]);
    let env: PathBuf = world.home().join("hub.env");
    put(&env, "API_KEY=1\n", 0o600);
    world.spawn(kept(&world, Manager::Launchd));
    world.hub_answers();
    let pid = world.ready("web");
    put(&env, "API_KEY=1\n", 0o602);
    eventually("it is noticed", || {
        world.read("hub/logs/hub.log").contains("is refused: other users can write it")
    });
    assert_eq!(world.ready("web"), pid);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    world.problem("web", "bad_definition");
    put(&env, "API_KEY=1\n", 0o600);
    assert_ne!(world.ready("web"), pid);
    world.stop_hub();
}

/// `PARACHUTE_BIND_HOST` is one of the hub's own settings, and the file overrides the unit, as it did under systemd.
#[test]
fn the_hubs_own_settings_are_read_from_it_at_its_start() {
    let world = World::new();
    let env = world.home().join("hub.env");
    put(&env, "PARACHUTE_BIND_HOST=::1\nPORT=1\nPARACHUTE_HUB_ORIGIN=https://hub.example/\n", 0o600);
    let dump = world.file("dump");
    world.module("web", &["--dump", dump.to_str().unwrap()]);
    let mut hub = kept(&world, Manager::Launchd);
    hub.env("PARACHUTE_BIND_HOST", "127.0.0.1");
    world.spawn(hub);
    world.hub_answers();
    let status = world.status();
    assert_eq!(
        (status["hub"]["host"].as_str(), status["hub"]["port"].as_u64()),
        (Some("::1"), Some(world.port().into()))
    );
    assert!(
        status["notes"].to_string().contains("PORT is not used: the hub was started with --port"),
        "{status}"
    );
    assert!(given(&world, &dump).contains("PARACHUTE_HUB_ORIGIN=https://hub.example\n"));
    put(&env, "", 0o600);
    let notes = world.status()["notes"].to_string();
    assert!(
        notes.contains("PARACHUTE_BIND_HOST has changed since this hub started: parachute restart"),
        "{notes}"
    );
    world.stop_hub();
}

/// The lists of docs/hub-env.md are complete, so each name in them is used or unused as they say.
#[test]
fn the_documented_names_are_used_as_described() {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hub-env.md")).unwrap();
    let (_, lists) = docs.split_once("## What each name is for").unwrap();
    let (lists, _) = lists.split_once("\n## ").unwrap();
    let (used, unused) = lists.split_once("These are not used").unwrap();
    let cells = used.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let used: Vec<String> = cells.flat_map(names).collect();
    let unused: Vec<String> =
        unused.lines().filter(|line| line.starts_with(['*', ' '])).flat_map(names).collect();
    assert!(used.len() >= 8 && unused.len() > 20, "{used:?} {unused:?}");
    let settings: Vec<String> = used.iter().take(hub_env::SETTINGS.len()).cloned().collect();
    assert_eq!(settings, hub_env::SETTINGS);
    for (names, is_used) in [(used, true), (unused, false)] {
        for name in names {
            let remarks = hub_env::parse(format!("{name}=1\n").as_bytes()).remarks;
            assert_eq!(remarks.is_empty(), is_used, "{name}: {remarks:?}");
        }
    }
}

/// Names of variables in a line of Markdown; `X_*` stands for all with that prefix.
fn names(line: &str) -> Vec<String> {
    let spans = line.split('`').skip(1).step_by(2).map(|span| span.replace('*', "X"));
    let is_name =
        |span: &String| !span.is_empty() && span.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    spans.filter(is_name).collect()
}
