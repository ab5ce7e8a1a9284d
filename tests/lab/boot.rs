//! Hub and modules after a boot.

use crate::hub::{Hub, Scope, in_both_scopes};
use crate::lab::{Lab, PERSON, Who};

/// A reboot and a power failure, both scopes: the hub and its modules run again, once.
#[test]
fn the_hub_runs_again_after_a_reboot_and_after_a_power_cut() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.install();
        hub.start();
        hub.runs_once(&["web"]);
        lab.reboot();
        hub.runs_once(&["web"]);
        lab.power_cut();
        hub.runs_once(&["web"]);
    });
}

/// A user manager without linger: without a login nothing runs; `parachute` promises no more than that.
#[test]
fn without_linger_the_hub_starts_at_login_and_stops_at_logout() {
    let Some(lab) = Lab::up() else { return };
    let hub = Hub::new(&lab, Scope::User);
    // Instead of the ten seconds after which logind stops the manager of a user who logged out.
    lab.write(&Who::Root, "/etc/systemd/logind.conf.d/test.conf", "[Login]\nUserStopDelaySec=0\n");
    hub.module("web", 1950, "");
    hub.install();
    let _ = lab.root(&format!("loginctl disable-linger {PERSON}")).code(0);
    lab.reboot();
    assert_eq!(lab.processes(), [], "the boot has ended, and no user has logged in");
    assert_eq!(hub.parachute("status").code, 3);
    let login = lab.login();
    hub.runs_once(&["web"]);
    drop(login);
    lab.eventually("all is gone after the logout", || lab.processes().is_empty());
    // The hub itself may still be stopping.
    lab.eventually("no hub answers", || hub.parachute("status").code == 3);
}
