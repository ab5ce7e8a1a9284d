//! Whether a service starts after a reboot and keeps running after a logout, with the reason. Never guessed.

use serde::{Deserialize, Serialize};

use super::backend::{Domain, Launchd, Manager, Systemd};
use super::state::{Told, UnitState};
use crate::unit::target::Scope;

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
    /// It is unknown.
    Unknown {
        /// The reason.
        because: String,
    },
}

/// Derives it from the state of a service and its user's linger. Linger counts for a user's systemd only.
#[must_use]
pub fn autostart(manager: &Manager, service: &UnitState, linger: &Told<bool>) -> Autostart {
    match manager {
        Manager::Systemd(systemd) => under_systemd(systemd, service, linger),
        Manager::Launchd(launchd) => under_launchd(launchd, service),
    }
}

fn under_systemd(systemd: &Systemd, service: &UnitState, linger: &Told<bool>) -> Autostart {
    let init = match systemd.scope {
        Scope::System => SYSTEM_INIT,
        Scope::User => INIT,
    };
    if service.masked {
        let unmask = match systemd.scope {
            Scope::System => "sudo systemctl unmask",
            Scope::User => "systemctl --user unmask",
        };
        let file = service.file.as_ref().and_then(|file| file.file_name()).unwrap_or_default();
        return no("the unit is masked", &format!("{unmask} {}", file.to_string_lossy()));
    }
    if service.loaded.is_false() {
        return no("no valid unit is installed", init);
    }
    match (systemd.scope, enabled_under_systemd(service), linger) {
        (_, Told::Unknown(because), _) => Autostart::Unknown { because },
        (Scope::System, Told::Known(Ok(())), _) => yes("enabled: systemd starts it at boot"),
        (Scope::System, Told::Known(Err(because)), _) => no(&because, init),
        (Scope::User, Told::Known(Err(because)), Told::Known(false)) => {
            no(&format!("{because}, and linger is off"), INIT)
        }
        (Scope::User, Told::Known(Err(because)), _) => no(&because, INIT),
        (Scope::User, Told::Known(Ok(())), Told::Known(true)) => {
            yes("enabled, and linger is on: it starts at boot, without a login")
        }
        (Scope::User, Told::Known(Ok(())), Told::Known(false)) => {
            no("linger off: it starts at login, and stops at logout", LINGER)
        }
        (Scope::User, Told::Known(Ok(())), Told::Unknown(because)) => {
            Autostart::Unknown { because: format!("linger is unknown: {because}") }
        }
    }
}

/// Installs, enables and starts; repeats no step that is already done.
const INIT: &str = "parachute init";
/// The same for a system unit.
const SYSTEM_INIT: &str = "sudo parachute init";
/// With the user name, because without it loginctl needs a session; the shell expands it before sudo changes it.
const LINGER: &str = "sudo loginctl enable-linger \"$USER\"";

fn enabled_under_systemd(service: &UnitState) -> Told<Result<(), String>> {
    service.enabled.clone().map(|enabled| match (enabled, service.enablement.as_deref()) {
        // A link into a target that does not exist is "enabled" too, and never starts (measured).
        (true, _) if service.wanted_by.as_ref().is_some_and(Vec::is_empty) => {
            Err("enabled for a target that this manager does not have".to_owned())
        }
        (true, _) => Ok(()),
        (false, Some("enabled-runtime")) => Err("enabled until the next boot only".to_owned()),
        (false, Some(word)) if word != "disabled" => Err(format!("not enabled ({word})")),
        (false, _) => Err("not enabled".to_owned()),
    })
}

fn under_launchd(launchd: &Launchd, service: &UnitState) -> Autostart {
    let init = if launchd.domain == Domain::System { SYSTEM_INIT } else { INIT };
    match (&service.enabled, launchd.domain) {
        _ if service.loaded.is_false() && service.file.is_none() => no("no job is installed", init),
        (Told::Known(false), _) => no("disabled override: launchd does not load it", init),
        // With or without an override: an agent runs only while its user is logged in.
        (_, Domain::Gui(_)) => no("an agent stops at logout, and starts at login", DAEMON),
        (_, Domain::User(_)) => no("an agent starts at the first login, not at boot", DAEMON),
        (Told::Unknown(because), Domain::System) => Autostart::Unknown { because: because.clone() },
        (Told::Known(true), Domain::System) => yes("a daemon: launchd starts it at boot"),
    }
}

/// The way to run without a login on macOS.
const DAEMON: &str = "sudo parachute init --scope system";

fn yes(because: &str) -> Autostart {
    Autostart::Yes { because: because.to_owned() }
}

fn no(because: &str, next: &str) -> Autostart {
    Autostart::No { because: because.to_owned(), next: next.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            format!("{} | {}", manager.words(), said(autostart(manager, &service, linger)))
        });
        insta::assert_snapshot!(lines.join("\n"));
    }
}
