//! Hosts as literals, and the decision for each.

use std::path::Path;

use super::*;

fn about() -> Told<About> {
    Told::Known(About {
        version: 252,
        unit_path: [
            "/run/user/1000/systemd/transient",
            "/home/ann/.config/systemd/user",
            "/etc/systemd/user",
        ]
        .map(PathBuf::from)
        .to_vec(),
        state: "running".to_owned(),
    })
}

fn no<T>(because: &str) -> Told<T> {
    Told::Unknown(because.to_owned())
}

/// A server: ann is logged in, and her manager runs.
fn server() -> HostFacts {
    HostFacts {
        os: "linux".to_owned(),
        asked: None,
        uid: 1000,
        name: Some("ann".to_owned()),
        homes: vec!["/home/ann".into()],
        sudo_by: None,
        ssh: false,
        container: None,
        wsl: false,
        init: Some("systemd".to_owned()),
        systemd: Some(SystemdFacts {
            systemctl: true,
            system: about(),
            runtime_dir: Some("/run/user/1000".into()),
            user: about(),
        }),
        launchd: None,
    }
}

fn with_systemd(change: impl FnOnce(&mut SystemdFacts)) -> HostFacts {
    let mut facts = server();
    change(facts.systemd.as_mut().unwrap());
    facts
}

fn not_booted() -> HostFacts {
    let offline = "System has not been booted with systemd as init system (PID 1). Can't operate.";
    with_systemd(|systemd| {
        systemd.system = no(offline);
        (systemd.runtime_dir, systemd.user) = (None, no("there is no runtime directory"));
    })
}

/// A laptop: ann is logged in at its screen.
fn mac() -> HostFacts {
    let launchd = LaunchdFacts {
        launchctl: true,
        gui: Told::Known(true),
        user: Told::Known(true),
        console_uid: Some(501),
    };
    HostFacts {
        os: "macos".to_owned(),
        uid: 501,
        homes: vec!["/Users/ann".into()],
        init: None,
        systemd: None,
        launchd: Some(launchd),
        ..server()
    }
}

fn with_launchd(change: impl FnOnce(&mut LaunchdFacts)) -> HostFacts {
    let mut facts = mac();
    change(facts.launchd.as_mut().unwrap());
    facts
}

#[test]
fn every_host_gets_a_manager_or_a_reason() {
    let root = |facts: HostFacts| HostFacts { uid: 0, name: Some("root".to_owned()), ..facts };
    let sudo = |facts: HostFacts| HostFacts { sudo_by: Some("ann".to_owned()), ..root(facts) };
    let silent_user = |systemd: &mut SystemdFacts| systemd.user = no("Failed to connect to bus: x");
    let table = [
        ("server", server()),
        (
            "cron without a manager of the person",
            with_systemd(|s| {
                (s.runtime_dir, s.user) = (None, no("there is no runtime directory"));
            }),
        ),
        ("the person's manager is silent", with_systemd(silent_user)),
        ("root", root(with_systemd(|s| (s.runtime_dir, s.user) = (None, no("x"))))),
        ("sudo", sudo(with_systemd(|s| (s.runtime_dir, s.user) = (None, no("x"))))),
        (
            "docker",
            HostFacts { container: Some("docker".to_owned()), init: Some("sh".to_owned()), ..not_booted() },
        ),
        (
            "docker without systemctl",
            HostFacts {
                container: Some("docker".to_owned()),
                init: Some("sh".to_owned()),
                ..with_systemd(|s| s.systemctl = false)
            },
        ),
        ("runit", HostFacts { init: Some("runit".to_owned()), ..not_booted() }),
        ("wsl", HostFacts { wsl: true, init: Some("init".to_owned()), ..not_booted() }),
        ("systemd that does not answer", not_booted()),
        ("no systemctl", with_systemd(|s| s.systemctl = false)),
        ("laptop", mac()),
        ("laptop over ssh, same person at the screen", HostFacts { ssh: true, ..mac() }),
        (
            "laptop over ssh, another at the screen",
            HostFacts { ssh: true, ..with_launchd(|l| l.console_uid = Some(502)) },
        ),
        (
            "headless",
            HostFacts {
                ssh: true,
                ..with_launchd(|l| (l.gui, l.console_uid) = (Told::Known(false), Some(0)))
            },
        ),
        (
            "no domain",
            with_launchd(|l| {
                (l.gui, l.user) = (Told::Known(false), no("`launchctl print user/501` failed: 5"))
            }),
        ),
        ("mac, sudo", sudo(mac())),
        ("mac, root", root(mac())),
        ("no launchctl", with_launchd(|l| l.launchctl = false)),
        ("freebsd", HostFacts { os: "freebsd".to_owned(), systemd: None, ..server() }),
        ("asked for none", HostFacts { asked: Some("none".to_owned()), ..server() }),
        ("asked for upstart", HostFacts { asked: Some("upstart".to_owned()), ..server() }),
        (
            "asked for launchd on linux",
            HostFacts { os: "linux".to_owned(), asked: Some("launchd".to_owned()), ..mac() },
        ),
    ];
    let mut out = String::new();
    for (host, facts) in table {
        let found = detect(&facts);
        let words = |manager: &Manager| manager.words();
        let chosen = found.chosen.as_ref().map_or("none".to_owned(), words);
        let all: Vec<String> = found.candidates.iter().map(words).collect();
        out.push_str(&format!("{host}: {chosen} of [{}]\n", all.join(", ")));
        for why in &found.why_not {
            out.push_str(&format!(
                "    {}: {} → {}\n",
                why.manager,
                why.because,
                why.next.as_deref().unwrap_or("-")
            ));
        }
        // Without a manager there is a reason.
        assert!(found.chosen.is_some() || !found.why_not.is_empty(), "{host}");
    }
    insta::assert_snapshot!(out);
}

#[test]
fn units_go_where_the_manager_searches() {
    let dir = |facts: &HostFacts| detect(facts).chosen.unwrap().dir().to_owned();
    assert_eq!(dir(&server()), Path::new("/home/ann/.config/systemd/user"));
    let elsewhere = |path: &str| {
        with_systemd(|systemd| {
            let about = About { version: 255, unit_path: vec![path.into()], state: "running".to_owned() };
            systemd.user = Told::Known(about);
        })
    };
    // XDG_CONFIG_HOME of the manager, which may differ from ours.
    assert_eq!(dir(&elsewhere("/home/ann/cfg/systemd/user")), Path::new("/home/ann/cfg/systemd/user"));
    assert_eq!(dir(&elsewhere("/etc/systemd/user")), Path::new("/home/ann/.config/systemd/user"));
    assert_eq!(dir(&HostFacts { uid: 0, ..server() }), Path::new("/etc/systemd/system"));
    assert_eq!(dir(&mac()), Path::new("/Users/ann/Library/LaunchAgents"));
    assert_eq!(dir(&HostFacts { uid: 0, ..mac() }), Path::new("/Library/LaunchDaemons"));
}

#[test]
fn facts_survive_serialisation() {
    for facts in [server(), mac()] {
        assert_eq!(
            serde_json::from_str::<HostFacts>(&serde_json::to_string(&facts).unwrap()).unwrap(),
            facts
        );
    }
}
