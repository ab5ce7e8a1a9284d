//! Whether a service comes back by itself under systemd. Pure.

use super::Systemd;
use crate::manager::autostart::{Autostart, INIT, SYSTEM_INIT, no, yes};
use crate::manager::state::{Told, UnitState};
use crate::unit::target::Scope;

/// What the state of a service and of its person's linger mean for it. Linger counts for a person's systemd only.
pub(super) fn autostart(systemd: &Systemd, service: &UnitState, linger: &Told<bool>) -> Autostart {
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

/// With the name, since without one it needs a session: the shell puts it in before sudo could change it.
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
