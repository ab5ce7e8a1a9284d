//! Machines in good health, for tests.

use super::facts::{Disk, DoctorFacts, Drift, Private};
use crate::install::facts::{OnDisk, PortHolder};
use crate::install::planner::{self, Request};
use crate::install::testing::{fresh, running};
use crate::manager::survival::Survival;
use crate::module::stamp::Stamp;
use crate::plan::step::Step;

const NOW: Stamp = Stamp(1_790_000_000_000);

/// op's hub as it is after `init`.
pub(crate) fn installed() -> DoctorFacts {
    let mut install = fresh();
    for step in planner::plan(&install, &Request::default()).unwrap().steps {
        if let Step::PutUnit { path, text, .. } = step {
            let unit = install.units.iter_mut().find(|unit| unit.path == path).unwrap();
            unit.on_disk = OnDisk::Text(text.clone());
            unit.written = Some(text);
            unit.state = running(7);
            unit.state.file = Some(path);
        }
    }
    install.program.same = true;
    install.holder = Some(PortHolder { pid: Some(7), command: "parachute serve".to_owned(), ours: true });
    let status = serde_json::json!({
        "hub": {
            "version": env!("CARGO_PKG_VERSION"), "pid": 7, "port": 1939, "host": "127.0.0.1", "home": "/h",
            "mode": "managed by systemd", "started_at": "2026-01-01T00:00:00.000Z", "uptime_ms": 1,
            "memory_bytes": null, "draining": false, "instance": "a"
        },
        "modules": [{
            "short": "vault", "name": "parachute-vault", "state": "running", "detail": "ready", "ready": true, "pid": 9,
            "port": 1940, "listens": true, "version": "1", "url": null, "install_dir": null, "started_at": null,
            "uptime_ms": null, "restarts": 0, "restarts_in_window": 0, "memory_bytes": null, "last_exit": null,
            "last_exit_at": null, "problem": null
        }],
        "problems": []
    });
    DoctorFacts {
        install: Ok(Box::new(install)),
        survival: Some(Survival::Yes { because: "enabled, and linger is on".to_owned() }),
        drift: Drift::None,
        hub: Some(Box::new(serde_json::from_value(status).unwrap())),
        older: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        private: vec![Private { path: "/home/op/.parachute".into(), mode: 0o700, may: 0o755 }],
        services: Ok(Vec::new()),
        programs: Vec::new(),
        held: Vec::new(),
        disk: Some(Disk { free: 9 << 30, total: 10 << 30 }),
        log_bytes: 1 << 20,
        failures: Vec::new(),
        now: NOW,
    }
}

/// A container: no manager, no hub.
pub(crate) fn nothing() -> DoctorFacts {
    DoctorFacts {
        install: Err(vec!["systemd: this machine was not booted with it".to_owned()]),
        survival: None,
        drift: Drift::NotInstalled,
        hub: None,
        ..installed()
    }
}
