//! The hub's life under systemd: start, hang, crash, and when to give up.

use crate::hub::{Hub, SERVICE, Scope};
use crate::lab::Lab;

const BOTH: [Scope; 2] = [Scope::System, Scope::User];

/// Type=notify: `start` returns when the hub is ready; what it does is in `systemctl status`.
#[test]
fn systemd_is_told_when_the_hub_is_ready_and_what_it_does() {
    let Some(lab) = Lab::up() else { return };
    for scope in BOTH {
        let hub = Hub::new(&lab, scope);
        hub.module("web", 1950, "");
        hub.install();
        hub.start();
        assert_eq!(hub.parachute("status").code, 0, "ready means that it answers");
        hub.runs_once(&["web"]);
        let shown = ["ActiveState", "SubState", "Type", "NRestarts", "Result"].map(|p| hub.show(p));
        assert_eq!(shown, ["active", "running", "notify", "0", "success"]);
        lab.eventually("the status line names its modules", || hub.show("StatusText").contains("1 of 1"));
        let _ = hub.systemctl(&format!("disable --now {SERVICE}")).code(0);
    }
}
