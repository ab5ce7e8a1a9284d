//! A machine without an installation, as facts, for tests of planners.

use super::facts::{Facts, HomeFacts, OnDisk, Program, SettingsFacts, UnitFacts};
use crate::manager::backend::{Manager, Systemd};
use crate::manager::state::{Active, Told, UnitState};
use crate::plan::content::Content;
use crate::process::user::User;
use crate::unit::name::UnitName;
use crate::unit::target::Scope;

/// A manager's state of an unknown unit.
pub(crate) fn unheard() -> UnitState {
    UnitState {
        loaded: Told::Known(false),
        active: Told::Known(Active::Stopped),
        enabled: Told::Known(false),
        ..UnitState::unknown("")
    }
}

/// Its state of one that runs as `pid`, and starts at boot.
pub(crate) fn running(pid: u32) -> UnitState {
    UnitState {
        loaded: Told::Known(true),
        active: Told::Known(Active::Running),
        enabled: Told::Known(true),
        pid: Some(pid),
        ..UnitState::unknown("")
    }
}

/// The pair of units that an earlier version installed, which runs.
pub(crate) fn pair(facts: &mut Facts) {
    let texts = [
        include_str!("../../tests/data/units/pair-user.service"),
        include_str!("../../tests/data/units/pair-user.socket"),
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let unit = &mut facts.units[at];
        unit.on_disk = OnDisk::Text(text.to_owned());
        unit.written = Some(text.to_owned());
        // A socket has no process.
        unit.state =
            UnitState { pid: Some(42).filter(|_| at == 0), file: Some(unit.path.clone()), ..running(42) };
    }
}

/// op's own systemd, and an empty home.
pub(crate) fn fresh() -> Facts {
    let dir = std::path::PathBuf::from("/home/op/.config/systemd/user");
    let hub = UnitName::hub();
    let unit = |unit: UnitName| UnitFacts {
        path: dir.join(unit.systemd()),
        unit,
        on_disk: OnDisk::Nothing,
        written: None,
        state: unheard(),
    };
    Facts {
        person: User { uid: 1000, gid: 1000, name: "op".to_owned(), home: "/home/op".into() },
        manager: Manager::Systemd(Systemd {
            scope: Scope::User,
            version: 252,
            dir: dir.clone(),
            runtime_dir: Some("/run/user/1000".into()),
        }),
        home: HomeFacts {
            root: "/home/op/.parachute".into(),
            owner: Some(1000),
            modules: Vec::new(),
            broken: None,
            hub_env: None,
        },
        program: Program {
            content: Content::CopyOf {
                source: "/usr/bin/parachute".into(),
                sha256: "0".repeat(64),
                len: 4_000_000,
            },
            path: "/home/op/.parachute/bin/parachute".into(),
            same: false,
        },
        units: vec![unit(hub.clone()), unit(hub.socket())],
        twins: Vec::new(),
        others: None,
        linger: Some(Told::Known(true)),
        holder: None,
        hub: None,
        search: ["/usr/local/bin", "/usr/bin", "/bin"].map(Into::into).to_vec(),
        needs: Vec::new(),
        settings: SettingsFacts { port: 1939, text: String::new(), broken: None },
        unfinished: None,
    }
}
