//! Every file that we write for a service manager, in full, and the invariants of all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use parachute::unit::bind::{Binding, Unit};
use parachute::unit::descriptor::{Descriptor, Hardening};
use parachute::unit::launchd::Launchd;
use parachute::unit::name::UnitName;
use parachute::unit::overrides::{self, Overrides};
use parachute::unit::render::{Rendered, render};
use parachute::unit::systemd::Systemd;
use parachute::unit::target::{JobKind, Scope, Target};

use crate::support::executable;
use crate::support::units::UnitFile;
use crate::unit_plists::environment;

pub const HOSTILE: &str = r#"/home/my op/100% $x "q" 'é\"#;

const TARGETS: [&str; 4] = ["systemd-user", "systemd-system", "launchd-agent", "launchd-daemon"];

fn binding(home: &str, target: &Target) -> Binding {
    let system = matches!(
        target,
        Target::Systemd(Systemd { scope: Scope::System, .. })
            | Target::Launchd(Launchd { kind: JobKind::Daemon })
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

pub fn hub(home: &str, target: &Target, overrides: &Overrides) -> Unit {
    Descriptor::embedded("hub").unwrap().bind(&binding(home, target), overrides).unwrap()
}

pub fn files(home: &str, target: &Target, overrides: &Overrides) -> Vec<Rendered> {
    render(&hub(home, target, overrides), target).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that a user can set and this target can express.
pub fn everything(target: &Target) -> Overrides {
    let rest = match target {
        Target::Systemd(_) => "hardening = 'strict'\nlimits = { nofile = 4096, memory = '2G', tasks = 500 }",
        Target::Launchd(_) => "hardening = 'off'\nlimits = { nofile = 4096 }",
    };
    let text = r#"[unit]
        path = ["/opt/my node/bin"]
        env = { NODE_OPTIONS = "--max-old-space-size=512", GREETING = 'say "100%" & <$x>' }
        "#;
    overrides::parse(&format!("{text}{rest}")).unwrap()
}

pub fn all_targets() -> Vec<Target> {
    let mut all: Vec<Target> = TARGETS.iter().map(|name| name.parse().unwrap()).collect();
    all.extend([Scope::User, Scope::System].map(|scope| Target::Systemd(Systemd { scope, version: 259 })));
    all
}

fn services() -> Vec<(Target, UnitFile, String)> {
    let mut found = Vec::new();
    for target in all_targets().into_iter().filter(|target| matches!(target, Target::Systemd(_))) {
        for overrides in [Overrides::default(), everything(&target)] {
            for home in ["/home/op/.parachute", HOSTILE] {
                let text = files(home, &target, &overrides).remove(0).text;
                found.push((target, UnitFile::parse(&text), text));
            }
        }
    }
    assert_eq!(found.len(), 16);
    found
}

#[test]
fn golden() {
    for target in all_targets() {
        let version = match target {
            Target::Systemd(Systemd { version, .. }) => format!("-{version}"),
            Target::Launchd(_) => String::new(),
        };
        let cases = [
            ("plain", "/home/op/.parachute", Overrides::default()),
            ("overrides", "/home/op/.parachute", everything(&target)),
            ("hostile", HOSTILE, Overrides::default()),
        ];
        for (case, home, overrides) in cases {
            let files = files(home, &target, &overrides);
            let texts = files.iter().map(|file| format!("=== {}\n{}", file.unit, file.text));
            let text = texts.collect::<Vec<_>>().join("\n");
            insta::assert_snapshot!(format!("{target}{version}_{case}"), text);
        }
    }
}

/// In [Service] the interval is ignored. Starts that are one pause apart each, with as much time to start and to fail, fit
/// into the window many times.
#[test]
fn the_start_limit_is_where_systemd_reads_it_and_is_reached() {
    for (_, file, _) in services() {
        let number = |section: &str, key: &str| file.one(section, key).parse::<u64>().unwrap();
        let (window, starts) = (number("Unit", "StartLimitIntervalSec"), number("Unit", "StartLimitBurst"));
        // `hub/safe_mode.rs` has the same numbers: a hub that runs and dies starts less often than this.
        assert_eq!((window, starts), (60, 20));
        let pause = file.one("Service", "RestartSec").strip_suffix("ms").unwrap().parse::<u64>().unwrap();
        assert!(2 * starts * 2 * pause < window * 1000, "{pause}");
        assert!(file.all("RestartSteps").is_empty() && file.all("RestartMaxDelaySec").is_empty());
        assert_eq!(file.one("Service", "RestartPreventExitStatus"), "78");
        assert_eq!(file.one("Service", "Restart"), "on-failure");
    }
}

/// Only the hub gets the signal to stop, and has longer than its own stop takes; what it left is ended by a command.
#[test]
fn stop_readiness_and_memory_settings() {
    for (_, file, _) in services() {
        let service = |key: &str| file.one("Service", key).to_owned();
        assert_eq!((service("KillMode"), service("TimeoutStopSec")), ("process".into(), "45".into()));
        let (after, start) = (service("ExecStopPost"), service("ExecStart"));
        let program = start.strip_suffix(" serve --port 1939").unwrap();
        assert_eq!(after, format!("-{program} reap"), "its failure does not count");
        assert_eq!((service("Type"), service("NotifyAccess")), ("notify".into(), "main".into()));
        assert_eq!((service("OOMPolicy"), service("WatchdogSec")), ("continue".into(), "60".into()));
        assert_eq!((service("UMask"), service("TimeoutStartSec")), ("0077".into(), "60".into()));
    }
}

#[test]
fn the_hub_is_bound_to_loopback_everywhere() {
    for (_, file, _) in services() {
        assert_eq!(file.started().env["PARACHUTE_BIND_HOST"], "127.0.0.1");
    }
    for target in all_targets() {
        if let Target::Launchd(_) = target {
            let files = files(HOSTILE, &target, &Overrides::default());
            assert_eq!(environment(&files[0].text)["PARACHUTE_BIND_HOST"], "127.0.0.1");
        }
    }
}

/// A home that broke the original is passed unchanged.
#[test]
fn a_hostile_home_is_passed_unchanged() {
    for (target, file, text) in services() {
        let started = file.started();
        let home = if text.contains("my op") { HOSTILE } else { "/home/op/.parachute" };
        assert_eq!(started.env["PARACHUTE_HOME"], home);
        assert_eq!(started.argv[1..], ["serve", "--port", "1939"]);
        if matches!(target, Target::Systemd(Systemd { scope: Scope::User, .. })) {
            assert_eq!(started.argv[0], format!("{home}/bin/parachute"));
        }
    }
}

/// A manager would open it with its own rights, wherever a link leads and however long a FIFO blocks.
#[test]
fn no_manager_opens_a_path_below_a_users_home() {
    let dirs = ["/home", "/Users"].map(Path::new);
    for (target, file, text) in services() {
        assert_eq!(target.opens_below(&text, &dirs), [], "{text}");
        let names_home = file.0.iter().filter(|(_, _, value)| value.contains("/home/"));
        let keys: BTreeSet<&str> = names_home.map(|(_, key, _)| key.as_str()).collect();
        let wanted: &[&str] = match target {
            // The program of a system unit is owned by root.
            Target::Systemd(Systemd { scope: Scope::System, .. }) => &["Environment"],
            _ => &["Environment", "ExecStart", "ExecStopPost"],
        };
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), wanted, "{text}");
    }
}

/// hub.toml belongs to a user, and root's `init` renders it into a system unit: it sets values, never a line.
#[test]
fn user_settings_add_no_line_to_roots_unit() {
    let target: Target = "systemd-system".parse().unwrap();
    let keys = |overrides: &Overrides| {
        let file = UnitFile::parse(&files("/home/op/.parachute", &target, overrides).remove(0).text);
        let keys = file.0.into_iter().map(|(section, key, _)| (section, key));
        keys.filter(|(_, key)| key != "Environment").collect::<Vec<_>>()
    };
    let plain = keys(&Overrides::default());
    let set = |name: &str, value: &str, dir: &str| Overrides {
        env: [(name.to_owned(), value.to_owned())].into(),
        path: vec![dir.into()],
        ..Overrides::default()
    };
    for value in
        ["EnvironmentFile=/home/op/x", r"\", r"\nUser=root", r"%n\x0aUser=root", "]", "\t[Service]", "\"'"]
    {
        assert_eq!(keys(&set("A", value, &format!("/{value}"))), plain, "{value}");
    }
    const LINE: &str = "x\nEnvironmentFile=/home/op/x";
    for overrides in [
        set("A", LINE, "/x"),
        set("A=1\nEnvironmentFile", "/home/op/x", "/x"),
        set("A", "x", &format!("/{LINE}")),
        set("A", "x", "x"),
    ] {
        let bound = Descriptor::embedded("hub").unwrap().bind(&binding("/h", &target), &overrides);
        assert!(bound.and_then(|unit| render(&unit, &target)).is_err(), "{overrides:?}");
    }
    assert!(overrides::parse("[unit]\nsecrets = '/x'\n").is_err(), "no key takes a file");
}

#[test]
fn a_line_break_in_a_path_adds_no_line() {
    for target in all_targets() {
        let unit = hub("/home/a\nExecStartPre=/bin/evil", &target, &Overrides::default());
        match render(&unit, &target) {
            Err(error) => assert_eq!(error.because, "it holds a line break"),
            // A property list can hold it.
            Ok(files) => {
                assert!(matches!(target, Target::Launchd(_)));
                let home = &environment(&files[0].text)["PARACHUTE_HOME"];
                assert_eq!(home, "/home/a\nExecStartPre=/bin/evil");
            }
        }
    }
}

/// Measured with a real user manager, 252: these fail the unit (216, 217, 218, 226, 210), or have no effect.
#[test]
fn a_user_unit_has_no_setting_that_a_user_manager_cannot_apply() {
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
            let target = Target::Systemd(Systemd { scope: Scope::User, version });
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
fn the_scope_decides_the_user_and_the_target() {
    for (target, file, _) in services() {
        let Target::Systemd(Systemd { scope, .. }) = target else { continue };
        let (user, wanted) = match scope {
            Scope::System => (vec!["op"], "multi-user.target"),
            Scope::User => (vec![], "default.target"),
        };
        assert_eq!((file.all("User"), file.one("Install", "WantedBy")), (user, wanted));
    }
    // A system unit never runs as root by default.
    for name in ["systemd-system", "launchd-daemon"] {
        let target: Target = name.parse().unwrap();
        let unit = Unit { person: None, ..hub("/h", &target, &Overrides::default()) };
        let error = render(&unit, &target).unwrap_err();
        assert_eq!(error.key, "user", "{error}");
    }
}

/// A socket unit was the cause of faults: a manager that holds the port is taken for a foreign process, and starts the hub
/// in the middle of a plan.
#[test]
fn a_unit_is_one_file_and_wants_no_socket() {
    for target in all_targets() {
        for overrides in [Overrides::default(), Overrides { socket: Some(true), ..Overrides::default() }] {
            let files = files("/h", &target, &overrides);
            let [service] = &files[..] else { panic!("{} files", files.len()) };
            assert_eq!(service.unit, UnitName::hub());
            assert!(!service.text.to_lowercase().contains("socket"), "{}", service.text);
        }
    }
}

/// The real parser's messages, where it is installed: any line is a complaint.
#[test]
fn systemd_analyze_has_no_complaints() {
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
        let target = Target::Systemd(Systemd { scope, version });
        for (case, overrides) in [Overrides::default(), everything(&target)].iter().enumerate() {
            for home in ["plain", r#"my op/100% $x "q" 'é\"#] {
                let home = dir.path().join(home);
                let program = home.join("bin/parachute");
                std::fs::create_dir_all(program.parent().unwrap()).unwrap();
                executable::write(&program, "#!/bin/sh\n", 0o755);
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
                // Proof that the check can fail: a setting in the wrong section.
                let moved = files[0].text.replacen("StartLimitIntervalSec=60\n", "", 1);
                let moved = moved.replacen("[Service]\n", "[Service]\nStartLimitIntervalSec=60\n", 1);
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
