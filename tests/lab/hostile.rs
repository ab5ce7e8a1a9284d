//! A home with special characters, all the way: rendered by us, read by systemd, seen by a module.

use crate::hub::{Scope, in_both_scopes};
use crate::lab::Who;

/// Blank, percent, dollar, both quotes, a non-ASCII letter.
const HOME: &str = "/home/my op/100% $x \"q\" 'é";

/// The user's home directory and `$PARACHUTE_HOME` are hostile, and the program is there too, as `init` installs it.
#[test]
fn a_hostile_home_is_passed_unchanged() {
    in_both_scopes(|lab, mut hub| {
        let script = "mkdir -p \"${1%/*}\" && useradd --create-home --home-dir \"$1\" --shell /bin/bash op
                      chmod 755 \"$1\"; loginctl enable-linger op";
        let _ = lab.exec(&Who::Root, script, &[HOME], b"").code(0);
        let runs = "systemctl is-active user@$(id -u op).service";
        lab.eventually("the user's manager runs", || lab.root(runs).code == 0);
        hub.person = "op".to_owned();
        hub.home = format!("{HOME}/.parachute");
        hub.bin = format!("{HOME}/.parachute/bin/parachute");
        if hub.scope == Scope::User {
            hub.units = format!("{HOME}/.config/systemd/user");
        }
        let copy = "mkdir -p \"${1%/*}\" && cp \"$(command -v parachute)\" \"$1\"";
        let _ = lab.exec(&hub.owner(), copy, &[&hub.bin], b"").code(0);
        hub.module("web", 1950, "--dump /tmp/dump");
        hub.install();
        hub.start();
        hub.runs_once(&["web"]);
        let dump = lab.read("/tmp/dump");
        assert!(dump.lines().any(|line| line == format!("PARACHUTE_HOME={}", hub.home)), "{dump}");
        assert!(dump.lines().any(|line| line == format!("HOME={HOME}")), "{dump}");
        lab.reboot();
        hub.runs_once(&["web"]);
    });
}
