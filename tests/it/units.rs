//! Every file that we hand to a service manager, to the letter, and what must hold in all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use parachute::unit::bind::{Binding, Unit};
use parachute::unit::descriptor::{Descriptor, Hardening};
use parachute::unit::embedded;
use parachute::unit::overrides::{self, Overrides};
use parachute::unit::render::{Rendered, render};
use parachute::unit::target::{Kind, Scope, Target};
use plist::Value;

use crate::support::units::UnitFile;
use crate::support::world::World;

const HOSTILE: &str = r#"/home/my op/100% $x "q" 'é\"#;

const TARGETS: [&str; 4] = ["systemd-user", "systemd-system", "launchd-agent", "launchd-daemon"];

fn binding(home: &str, target: &Target) -> Binding {
    let system = matches!(
        target,
        Target::Systemd { scope: Scope::System, .. } | Target::Launchd { kind: Kind::Daemon }
    );
    Binding {
        bin: if system {
            parachute::unit::bind::SYSTEM_BINARY.into()
        } else {
            Path::new(home).join("bin/parachute")
        },
        home: home.into(),
        person: Some("op".to_owned()),
        person_home: Some("/home/op".into()),
        port: 1939,
        path: "/home/op/.local/bin:/usr/local/bin:/usr/bin:/bin".into(),
        log_dir: Path::new(home).join("hub/logs"),
    }
}

fn hub(home: &str, target: &Target, overrides: &Overrides) -> Unit {
    Descriptor::embedded("hub").unwrap().bind(&binding(home, target), overrides).unwrap()
}

fn files(home: &str, target: &Target, overrides: &Overrides) -> Vec<Rendered> {
    render(&hub(home, target, overrides), target).unwrap_or_else(|error| panic!("{error}"))
}

/// All of what a person can set and this target can express.
fn everything(target: &Target) -> Overrides {
    let rest = match target {
        Target::Systemd { .. } => {
            "hardening = 'strict'\nlimits = { nofile = 4096, memory = '2G', tasks = 500 }"
        }
        Target::Launchd { .. } => "hardening = 'off'\nlimits = { nofile = 4096 }",
    };
    let text = r#"[unit]
        path = ["/opt/my node/bin"]
        env = { NODE_OPTIONS = "--max-old-space-size=512", GREETING = 'say "100%" & <$x>' }
        "#;
    overrides::parse(&format!("{text}{rest}")).unwrap()
}

fn no_socket() -> Overrides {
    Overrides { socket: false, ..Overrides::default() }
}

fn all_targets() -> Vec<Target> {
    let mut all: Vec<Target> = TARGETS.iter().map(|name| name.parse().unwrap()).collect();
    all.extend([Scope::User, Scope::System].map(|scope| Target::Systemd { scope, version: 259 }));
    all
}

fn services() -> Vec<(Target, UnitFile, String)> {
    let mut found = Vec::new();
    for target in all_targets().into_iter().filter(|target| matches!(target, Target::Systemd { .. })) {
        for overrides in [Overrides::default(), no_socket(), everything(&target)] {
            for home in ["/home/op/.parachute", HOSTILE] {
                let text = files(home, &target, &overrides).remove(0).text;
                found.push((target, UnitFile::parse(&text), text));
            }
        }
    }
    assert_eq!(found.len(), 24);
    found
}

#[test]
fn golden() {
    for target in all_targets() {
        let version = match target {
            Target::Systemd { version, .. } => format!("-{version}"),
            Target::Launchd { .. } => String::new(),
        };
        let cases = [
            ("plain", "/home/op/.parachute", Overrides::default()),
            ("no_socket", "/home/op/.parachute", no_socket()),
            ("overrides", "/home/op/.parachute", everything(&target)),
            ("hostile", HOSTILE, Overrides::default()),
        ];
        for (case, home, overrides) in cases {
            if case == "no_socket" && matches!(target, Target::Launchd { .. }) {
                continue;
            }
            let files = files(home, &target, &overrides);
            let texts = files.iter().map(|file| format!("=== {}\n{}", file.unit, file.text));
            let text = texts.collect::<Vec<_>>().join("\n");
            insta::assert_snapshot!(format!("{target}{version}_{case}"), text);
        }
    }
}

/// Lessons DB1 and U1: in [Service] the interval is ignored, and a window of 10 s with a pause of 5 s never trips.
#[test]
fn the_ceiling_stands_where_systemd_reads_it_and_is_reached() {
    for (_, file, _) in services() {
        let number = |section: &str, key: &str| file.one(section, key).parse::<u64>().unwrap();
        let (window, starts) = (number("Unit", "StartLimitIntervalSec"), number("Unit", "StartLimitBurst"));
        assert_eq!((window, starts), (300, 5));
        let longest = file.all("RestartMaxDelaySec").first().map_or(0, |text| text.parse().unwrap());
        let pause = number("Service", "RestartSec").max(longest);
        // 20 s for a hub to come up and crash.
        assert!(starts * (pause + 20) < window, "{pause}");
        assert!(number("Service", "RestartSec") >= 5, "no faster than a person can read");
        assert_eq!(file.one("Service", "RestartPreventExitStatus"), "78");
        assert_eq!(file.one("Service", "Restart"), "on-failure");
    }
}

/// Lessons DB3, DB4: the hub alone is told to stop, and has longer than its own ordered stop takes.
#[test]
fn stopping_readiness_and_memory_are_decided() {
    for (target, file, _) in services() {
        let service = |key: &str| file.one("Service", key).to_owned();
        assert_eq!((service("KillMode"), service("TimeoutStopSec")), ("mixed".into(), "45".into()));
        assert_eq!((service("Type"), service("NotifyAccess")), ("notify".into(), "main".into()));
        assert_eq!((service("OOMPolicy"), service("WatchdogSec")), ("continue".into(), "60".into()));
        assert_eq!((service("UMask"), service("TimeoutStartSec")), ("0077".into(), "60".into()));
        let newer = matches!(target, Target::Systemd { version: 254.., .. });
        assert_eq!(file.all("RestartSteps").len(), usize::from(newer));
        assert_eq!(file.all("RestartMaxDelaySec").len(), usize::from(newer));
    }
}

/// Lesson B1.
#[test]
fn the_hub_is_pinned_to_loopback_everywhere() {
    for (_, file, _) in services() {
        assert_eq!(file.started().env["PARACHUTE_BIND_HOST"], "127.0.0.1");
    }
    for target in all_targets() {
        let files = files(HOSTILE, &target, &Overrides::default());
        match target {
            Target::Systemd { .. } => {
                assert_eq!(UnitFile::parse(&files[1].text).one("Socket", "ListenStream"), "127.0.0.1:1939");
            }
            Target::Launchd { .. } => {
                assert_eq!(environment(&files[0].text)["PARACHUTE_BIND_HOST"], "127.0.0.1");
            }
        }
    }
}

/// Lessons DB2 and U2: the home that broke the original arrives as it is.
#[test]
fn a_hostile_home_arrives() {
    for (target, file, text) in services() {
        let started = file.started();
        let home = if text.contains("my op") { HOSTILE } else { "/home/op/.parachute" };
        assert_eq!(started.env["PARACHUTE_HOME"], home);
        assert_eq!(file.environment_file(), format!("{home}/hub.env"));
        assert_eq!(started.argv[1..], ["serve", "--port", "1939"]);
        if matches!(target, Target::Systemd { scope: Scope::User, .. }) {
            assert_eq!(started.argv[0], format!("{home}/bin/parachute"));
        }
    }
}

#[test]
fn a_line_break_in_a_path_adds_no_line() {
    for target in all_targets() {
        let unit = hub("/home/a\nExecStartPre=/bin/evil", &target, &Overrides::default());
        match render(&unit, &target) {
            Err(error) => assert_eq!(error.because, "it holds a line break"),
            // A property list can hold it.
            Ok(files) => {
                assert!(matches!(target, Target::Launchd { .. }));
                let home = &environment(&files[0].text)["PARACHUTE_HOME"];
                assert_eq!(home, "/home/a\nExecStartPre=/bin/evil");
            }
        }
    }
}

/// facts of a real user manager, 252: these fail the unit (216, 217, 218, 226, 210), or do nothing in silence.
#[test]
fn a_users_unit_holds_nothing_that_a_users_manager_cannot_do() {
    const FATAL: [&str; 15] = [
        "User",
        "Group",
        "SupplementaryGroups",
        "DynamicUser",
        "AmbientCapabilities",
        "CapabilityBoundingSet",
        "PrivateDevices",
        "BindPaths",
        "BindReadOnlyPaths",
        "TemporaryFileSystem",
        "LogNamespace",
        "RootDirectory",
        "CPUSchedulingPolicy",
        "PAMName",
        "Nice",
    ];
    const SILENT: [&str; 8] = [
        "ProtectSystem",
        "ProtectHome",
        "PrivateTmp",
        "PrivateNetwork",
        "ProtectControlGroups",
        "ProtectKernelTunables",
        "InaccessiblePaths",
        "IPAddressDeny",
    ];
    for version in [252, 254, 259] {
        for hardening in [Hardening::Off, Hardening::ModulesSafe, Hardening::Strict] {
            let target = Target::Systemd { scope: Scope::User, version };
            let overrides = Overrides { hardening: Some(hardening), ..everything(&target) };
            for file in files(HOSTILE, &target, &overrides) {
                let parsed = UnitFile::parse(&file.text);
                for key in FATAL.iter().chain(&SILENT) {
                    assert!(parsed.all(key).is_empty(), "{key} in\n{}", file.text);
                }
                let text: Vec<&str> = file.text.lines().filter(|line| !line.starts_with('#')).collect();
                let text = text.join("\n");
                assert!(!text.contains("network") && !text.contains("multi-user.target"), "{text}");
            }
        }
    }
}

#[test]
fn the_scope_decides_who_and_when() {
    for (target, file, _) in services() {
        let Target::Systemd { scope, .. } = target else { continue };
        let (user, wanted) = match scope {
            Scope::System => (vec!["op"], "multi-user.target"),
            Scope::User => (vec![], "default.target"),
        };
        assert_eq!((file.all("User"), file.one("Install", "WantedBy")), (user, wanted));
    }
    // Lesson P-U3: nothing becomes root by being forgotten.
    for name in ["systemd-system", "launchd-daemon"] {
        let target: Target = name.parse().unwrap();
        let unit = Unit { person: None, ..hub("/h", &target, &Overrides::default()) };
        let error = render(&unit, &target).unwrap_err();
        assert_eq!(error.key, "user", "{error}");
    }
}

#[test]
fn the_socket_is_wanted_and_outlives_the_service() {
    for target in all_targets() {
        let with = files("/h", &target, &Overrides::default());
        let without = files("/h", &target, &no_socket());
        let Target::Systemd { .. } = target else {
            assert_eq!((with.len(), without.len()), (1, 1));
            continue;
        };
        let [service, socket] = &with[..] else { panic!("two files") };
        let service = UnitFile::parse(&service.text);
        assert_eq!(service.one("Unit", "Wants"), "parachute-hub.socket");
        assert!(service.all("After").contains(&"parachute-hub.socket") && service.all("Requires").is_empty());
        assert_eq!(socket.unit.systemd(), "parachute-hub.socket");
        let socket = UnitFile::parse(&socket.text);
        assert_eq!(socket.one("Socket", "FileDescriptorName"), "hub");
        assert_eq!(socket.one("Install", "WantedBy"), "sockets.target");
        let [alone] = &without[..] else { panic!("one file") };
        assert!(!alone.text.contains(".socket"), "{}", alone.text);
    }
}

/// What a job gets as environment.
fn environment(text: &str) -> BTreeMap<String, String> {
    let plist = dictionary(text);
    let env = plist["EnvironmentVariables"].as_dictionary().unwrap();
    env.iter().map(|(name, value)| (name.clone(), value.as_string().unwrap().to_owned())).collect()
}

fn dictionary(text: &str) -> plist::Dictionary {
    let value: Value = plist::from_bytes(text.as_bytes()).unwrap();
    value.into_dictionary().unwrap()
}

/// launchd.plist(5): the keys we use, and the type of each. A value of another type is ignored in silence.
#[test]
fn a_property_list_has_the_keys_and_types_of_the_manual() {
    let types = BTreeMap::from([
        ("EnvironmentVariables", "strings"),
        ("ExitTimeOut", "integer"),
        ("HardResourceLimits", "integers"),
        ("KeepAlive", "booleans"),
        ("Label", "string"),
        ("LimitLoadToSessionType", "array"),
        ("ProcessType", "string"),
        ("ProgramArguments", "array"),
        ("RunAtLoad", "boolean"),
        ("SoftResourceLimits", "integers"),
        ("StandardErrorPath", "string"),
        ("StandardOutPath", "string"),
        ("ThrottleInterval", "integer"),
        ("Umask", "integer"),
        ("UserName", "string"),
    ]);
    fn all(value: &Value, is: fn(&Value) -> bool) -> bool {
        value.as_dictionary().is_some_and(|inner| inner.values().all(is))
    }
    let mut seen = BTreeSet::new();
    for target in all_targets().into_iter().filter(|target| matches!(target, Target::Launchd { .. })) {
        for overrides in [Overrides::default(), everything(&target)] {
            let text = files(HOSTILE, &target, &overrides).remove(0).text;
            assert!(text.starts_with("<?xml "), "nothing may stand before it");
            for comment in text.split("<!--").skip(1) {
                assert!(!comment.split("-->").next().unwrap().contains("--"), "{comment}");
            }
            let plist = dictionary(&text);
            assert_eq!(text.matches("\n\t<key>").count(), plist.len(), "a key twice:\n{text}");
            for (key, value) in &plist {
                let right = match types[key.as_str()] {
                    "string" => value.as_string().is_some(),
                    "boolean" => value.as_boolean().is_some(),
                    "integer" => value.as_signed_integer().is_some(),
                    "array" => value.as_array().is_some_and(|a| a.iter().all(|v| v.as_string().is_some())),
                    "strings" => all(value, |v| v.as_string().is_some()),
                    "integers" => all(value, |v| v.as_signed_integer().is_some()),
                    _ => all(value, |v| v.as_boolean().is_some()),
                };
                assert!(right, "{key}: {value:?}");
                seen.insert(key.clone());
            }
            let integer = |key: &str| plist[key].as_signed_integer();
            assert_eq!((integer("Umask"), integer("ExitTimeOut")), (Some(0o077), Some(45)));
            assert_eq!(integer("ThrottleInterval"), Some(10));
            assert_eq!(plist["Label"].as_string(), Some("computer.parachute.hub"));
            assert_eq!(
                plist["KeepAlive"].as_dictionary().unwrap()["SuccessfulExit"].as_boolean(),
                Some(false)
            );
            let env = plist["EnvironmentVariables"].as_dictionary().unwrap();
            for name in ["HOME", "PATH", "LANG", "PARACHUTE_HOME"] {
                assert!(env[name].as_string().is_some_and(|value| !value.is_empty()), "{name}");
            }
            let daemon = matches!(target, Target::Launchd { kind: Kind::Daemon });
            assert_eq!(plist.get("UserName").and_then(Value::as_string), daemon.then_some("op"));
            assert_eq!(plist.contains_key("LimitLoadToSessionType"), !daemon);
            let log = format!("{HOSTILE}/hub/logs/launchd.log");
            for key in ["StandardOutPath", "StandardErrorPath"] {
                assert_eq!(plist[key].as_string(), Some(log.as_str()));
            }
        }
    }
    assert_eq!(seen.len(), types.len(), "every key of the table is rendered by some case");
}

#[test]
fn launchd_refuses_what_it_has_no_word_for() {
    let target: Target = "launchd-agent".parse().unwrap();
    for (text, key) in [
        ("hardening = 'strict'", "hardening"),
        ("limits = { memory = '1G' }", "limits.memory"),
        ("limits = { tasks = 9 }", "limits.tasks"),
    ] {
        let overrides = overrides::parse(&format!("[unit]\n{text}")).unwrap();
        let error = render(&hub("/h", &target, &overrides), &target).unwrap_err();
        assert_eq!(error.key, key, "{error}");
    }
    let unit = Unit { person_home: None, ..hub("/h", &target, &Overrides::default()) };
    assert!(render(&unit, &target).unwrap_err().to_string().contains("launchd sets no HOME"));
}

/// What the real parser says, where there is one: any line is a complaint.
#[test]
fn systemd_analyze_has_nothing_to_say() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("SKIPPED: no systemd-analyze here; the rendered units were not read by the real parser");
        return;
    };
    let version = String::from_utf8(version.stdout).unwrap();
    let version = version.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let runtime = dir.path().join("runtime");
    std::fs::create_dir(&runtime).unwrap();
    for scope in [Scope::User, Scope::System] {
        let target = Target::Systemd { scope, version };
        for (case, overrides) in [Overrides::default(), no_socket(), everything(&target)].iter().enumerate() {
            for home in ["plain", r#"my op/100% $x "q" 'é\"#] {
                let home = dir.path().join(home);
                let program = home.join("bin/parachute");
                std::fs::create_dir_all(program.parent().unwrap()).unwrap();
                std::fs::write(&program, "#!/bin/sh\n").unwrap();
                std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
                let binding = Binding { bin: program, ..binding(home.to_str().unwrap(), &target) };
                let unit = Descriptor::embedded("hub").unwrap().bind(&binding, overrides).unwrap();
                let into = dir.path().join(format!("{target}-{case}-{}", home.ends_with("plain")));
                std::fs::create_dir(&into).unwrap();
                let files = render(&unit, &target).unwrap();
                let paths: Vec<PathBuf> = files.iter().map(|file| into.join(file.unit.systemd())).collect();
                for (file, path) in files.iter().zip(&paths) {
                    std::fs::write(path, &file.text).unwrap();
                }
                let said = verify(scope, &runtime, &paths);
                assert_eq!(said, (Some(0), String::new()), "{}", files[0].text);
                // The check can fail: the mistake of the original.
                let moved = files[0].text.replacen("StartLimitIntervalSec=300\n", "", 1);
                let moved = moved.replacen("[Service]\n", "[Service]\nStartLimitIntervalSec=300\n", 1);
                std::fs::write(&paths[0], moved).unwrap();
                let (code, said) = verify(scope, &runtime, &paths);
                assert!(code != Some(0) && said.contains("Unknown key 'StartLimitIntervalSec'"), "{said}");
            }
        }
    }
}

fn verify(scope: Scope, runtime: &Path, files: &[PathBuf]) -> (Option<i32>, String) {
    let mut tool = Command::new("systemd-analyze");
    if scope == Scope::User {
        tool.arg("--user");
    }
    tool.args(["verify", "--man=no", "--recursive-errors=no"]).args(files);
    let output = tool.env("XDG_RUNTIME_DIR", runtime).env("LC_ALL", "C").output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A file that nobody built in would look as if it counted.
#[test]
fn every_file_under_units_and_templates_is_built_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let on_disk = |below: &str, ending: &str| {
        let (mut found, mut dirs) = (BTreeMap::new(), vec![root.join(below)]);
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.file_name().unwrap() != "README.md" {
                    let name = path.strip_prefix(root.join(below)).unwrap().to_str().unwrap();
                    let name = name.strip_suffix(ending).unwrap_or_else(|| panic!("{name} is no {ending}"));
                    found.insert(name.to_owned(), std::fs::read_to_string(&path).unwrap());
                }
            }
        }
        found
    };
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    assert_eq!(on_disk("units", ".toml"), embedded::UNITS.iter().map(owned).collect());
    let templates: BTreeMap<_, _> = embedded::TEMPLATES.iter().map(owned).collect();
    let found = on_disk("templates", ".tera").into_iter().map(|(name, text)| (format!("{name}.tera"), text));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), templates);
    for (name, text) in embedded::UNITS {
        let unit = Descriptor::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(unit.name.plain(), name);
    }
}

/// The schema's description has a row for each key there is.
#[test]
fn the_readme_of_units_names_every_key() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("units/README.md")).unwrap();
    let told: BTreeSet<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let error = Descriptor::parse("nothing = 1").unwrap_err().to_string();
    let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(known.len() > 10, "{error}");
    for key in known {
        assert!(told.iter().any(|row| *row == key || row.starts_with(&format!("{key}."))), "{key}: {told:?}");
    }
}

#[test]
fn the_verb_lists_and_renders() {
    let world = World::new();
    let list: serde_json::Value =
        serde_json::from_str(&world.run(&["units", "list", "--json"]).code(0).out).unwrap();
    assert_eq!(list[0]["systemd"][1], "parachute-hub.socket");
    let render = |args: &[&str]| world.run(&[&["units", "render", "hub", "--user", "root"], args].concat());
    let text = render(&["--target", "systemd-user"]).code(0).out;
    assert!(text.starts_with("# parachute-hub.service\n") && text.contains("\n# parachute-hub.socket\n"));
    let home = world.home();
    assert!(text.contains(&format!("PARACHUTE_HOME={}", home.display())), "{text}");
    let args = [
        "--target",
        "systemd-system",
        "--systemd-version",
        "255",
        "--port",
        "2000",
        "--bin",
        "/x/p",
        "--json",
    ];
    let json: serde_json::Value = serde_json::from_str(&render(&args).code(0).out).unwrap();
    let service = json["files"][0]["text"].as_str().unwrap();
    for line in ["ExecStart=/x/p serve --port 2000", "RestartSteps=4", "User=root"] {
        assert!(service.lines().any(|l| l == line), "{line} in {service}");
    }
    let plist = render(&["--target", "launchd-daemon"]).code(0).out;
    assert_eq!(dictionary(&plist)["UserName"].as_string(), Some("root"));

    std::fs::write(home.join("hub.toml"), "[hub]\nport = 3000\n[unit]\nsocket = false\nenv = { A = '1' }\n")
        .unwrap();
    let text = render(&["--target", "systemd-user"]).code(0).out;
    assert!(
        text.contains("--port 3000\n") && text.contains("\"A=1\"") && !text.contains(".socket"),
        "{text}"
    );
}

#[test]
fn the_verb_refuses_with_a_hint() {
    let world = World::new();
    let toml = |text: &str| std::fs::write(world.home().join("hub.toml"), text).unwrap();
    let run = |args: &[&str]| world.run(&[&["units", "render"], args].concat());
    let user = ["hub", "--target", "systemd-user"];
    let said = run(&["nothing", "--target", "systemd-user"]).code(2).err;
    assert_eq!(said, "error: there is no unit \"nothing\"\nhint: parachute units list\n");
    let said = run(&["hub", "--target", "upstart"]).code(2).err;
    assert!(said.contains("systemd-user, systemd-system, launchd-agent, launchd-daemon"), "{said}");
    let said = run(&["hub", "--target", "launchd-agent", "--systemd-version", "255"]).code(2).err;
    assert!(said.contains("--systemd-version is for systemd's targets"), "{said}");
    toml("\n[unit]\nsokcet = true\n");
    let said = run(&user).code(78).err;
    assert!(said.contains("hub.toml, line 3: unknown field `sokcet`"), "{said}");
    assert!(said.contains("\nhint: correct "), "{said}");
    toml("[unit]\nenv = { A = \"a\\nb\" }\n");
    let said = run(&user).code(1).err;
    assert!(said.starts_with("error: env.A cannot be \"a\\nb\": it holds a line break\n"), "{said}");
}
