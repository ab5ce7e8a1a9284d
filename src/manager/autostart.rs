//! Whether a service starts after a reboot and keeps running after a logout, with the reason. Never guessed. Pure.

use serde::{Deserialize, Serialize};

/// Whether a service starts by itself and keeps running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "survives", rename_all = "snake_case")]
pub enum Autostart {
    /// It starts at boot and keeps running after a logout.
    Yes {
        /// The reason.
        because: String,
    },
    /// It does not.
    No {
        /// The reason.
        because: String,
        /// What to type.
        next: String,
    },
    Unknown {
        /// The reason.
        because: String,
    },
}

/// Installs, enables and starts; whatever is so already stays.
pub(super) const INIT: &str = "parachute init";
/// The same for what root owns.
pub(super) const SYSTEM_INIT: &str = "sudo parachute init";
/// It does, because.
pub(super) fn yes(because: &str) -> Autostart {
    Autostart::Yes { because: because.to_owned() }
}

/// It does not, because.
pub(super) fn no(because: &str, next: &str) -> Autostart {
    Autostart::No { because: because.to_owned(), next: next.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::backend::{Domain, Launchd, Manager, Systemd};
    use crate::manager::state::{Told, UnitState};
    use crate::unit::target::Scope;

    fn systemd(scope: Scope) -> Manager {
        Manager::Systemd(Systemd { scope, version: 252, dir: "/u".into(), runtime_dir: None })
    }

    fn launchd(domain: Domain) -> Manager {
        Manager::Launchd(Launchd { domain, dir: "/l".into() })
    }

    fn installed(enabled: bool) -> UnitState {
        UnitState {
            loaded: Told::Known(true),
            enabled: Told::Known(enabled),
            file: Some("/u/parachute-hub.service".into()),
            ..UnitState::unknown("")
        }
    }

    fn said(survival: Autostart) -> String {
        match survival {
            Autostart::Yes { because } => format!("yes: {because}"),
            Autostart::No { because, next } => format!("no: {because} → {next}"),
            Autostart::Unknown { because } => format!("?: {because}"),
        }
    }

    #[test]
    fn reboot_and_logout_for_each_manager_with_the_reason() {
        let (on, off) = (Told::Known(true), Told::Known(false));
        let unknown = Told::Unknown("no logind".to_owned());
        let (user, system) = (systemd(Scope::User), systemd(Scope::System));
        let (gui, background, daemon) =
            (launchd(Domain::Gui(501)), launchd(Domain::User(501)), launchd(Domain::System));
        let word = |word: &str| UnitState { enablement: Some(word.to_owned()), ..installed(false) };
        let for_nothing = UnitState { wanted_by: Some(Vec::new()), ..installed(true) };
        let masked = UnitState { masked: true, loaded: Told::Known(false), ..installed(false) };
        let absent = UnitState { loaded: Told::Known(false), file: None, ..installed(false) };
        let silent = UnitState::unknown("Failed to connect to bus: No medium found");
        let table = [
            (&system, installed(true), &off),
            (&system, installed(false), &off),
            (&user, installed(true), &on),
            (&user, installed(true), &off),
            (&user, installed(true), &unknown),
            (&user, installed(false), &off),
            (&user, word("static"), &on),
            (&user, word("enabled-runtime"), &on),
            (&user, for_nothing, &on),
            (&user, masked, &on),
            (&user, absent.clone(), &on),
            (&user, silent.clone(), &on),
            (&gui, installed(true), &unknown),
            (&background, installed(true), &unknown),
            (&gui, installed(false), &unknown),
            (&daemon, installed(true), &unknown),
            (&daemon, silent, &unknown),
            (&daemon, absent, &unknown),
        ];
        let lines = table.map(|(manager, service, linger)| {
            format!("{} | {}", manager.words(), said(manager.autostart(&service, linger)))
        });
        insta::assert_snapshot!(lines.join("\n"));
    }
}
