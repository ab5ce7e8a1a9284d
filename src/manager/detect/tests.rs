//! Hosts as literals, and the decision for each.

use std::path::{Path, PathBuf};

use super::*;
use crate::manager::state::Told;
use crate::manager::systemd::parse::About;

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
    let host = Host {
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
    };
    HostFacts {
        host,
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
    let host = Host {
        os: "macos".to_owned(),
        uid: 501,
        homes: vec!["/Users/ann".into()],
        init: None,
        ..server().host
    };
    HostFacts { host, systemd: None, launchd: Some(launchd) }
}

fn with_launchd(change: impl FnOnce(&mut LaunchdFacts)) -> HostFacts {
    let mut facts = mac();
    change(facts.launchd.as_mut().unwrap());
    facts
}

/// The same host, but for this.
fn but(facts: HostFacts, change: impl FnOnce(&mut Host)) -> HostFacts {
    let mut facts = facts;
    change(&mut facts.host);
    facts
}

#[test]
fn every_host_gets_a_manager_or_a_reason() {
    let root = |facts: HostFacts| but(facts, |h| (h.uid, h.name) = (0, Some("root".to_owned())));
    let sudo = |facts: HostFacts| but(root(facts), |h| h.sudo_by = Some("ann".to_owned()));
    let docker = |h: &mut Host| (h.container, h.init) = (Some("docker".to_owned()), Some("sh".to_owned()));
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
        ("docker", but(not_booted(), docker)),
        ("docker without systemctl", but(with_systemd(|s| s.systemctl = false), docker)),
        ("runit", but(not_booted(), |h| h.init = Some("runit".to_owned()))),
        ("wsl", but(not_booted(), |h| (h.wsl, h.init) = (true, Some("init".to_owned())))),
        ("systemd that does not answer", not_booted()),
        ("no systemctl", with_systemd(|s| s.systemctl = false)),
        ("laptop", mac()),
        ("laptop over ssh, same person at the screen", but(mac(), |h| h.ssh = true)),
        (
            "laptop over ssh, another at the screen",
            but(with_launchd(|l| l.console_uid = Some(502)), |h| h.ssh = true),
        ),
        (
            "headless",
            but(with_launchd(|l| (l.gui, l.console_uid) = (Told::Known(false), Some(0))), |h| h.ssh = true),
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
        ("freebsd", but(HostFacts { systemd: None, ..server() }, |h| h.os = "freebsd".to_owned())),
        ("asked for none", but(server(), |h| h.asked = Some("none".to_owned()))),
        ("asked for upstart", but(server(), |h| h.asked = Some("upstart".to_owned()))),
        (
            "asked for launchd on linux",
            but(mac(), |h| (h.os, h.asked) = ("linux".to_owned(), Some("launchd".to_owned()))),
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
    assert_eq!(dir(&but(server(), |h| h.uid = 0)), Path::new("/etc/systemd/system"));
    assert_eq!(dir(&mac()), Path::new("/Users/ann/Library/LaunchAgents"));
    assert_eq!(dir(&but(mac(), |h| h.uid = 0)), Path::new("/Library/LaunchDaemons"));
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
