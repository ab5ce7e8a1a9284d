//! A socket unit that its user wrote, so that systemd holds the port: no client is refused while the hub is replaced.

use serde_json::Value;

use crate::hub::{SERVICE, SOCKET, in_both_scopes};
use crate::lab::{FIXTURE, Who};

#[test]
fn no_client_is_refused_while_the_hub_restarts() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.install();
        hub.own_socket();
        hub.start();
        hub.runs_once(&["web"]);
        assert_eq!(hub.systemctl(&format!("is-active {SOCKET}")).code, 0);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| lab.root(&format!("{FIXTURE} hammer 1939 /tmp/enough")).code(0));
            lab.eventually("the first answer", || lab.root("test -e /tmp/enough.began").code == 0);
            let mut restarts = Vec::new();
            for _ in 0..8 {
                // As for every start that a user requests: the limit is for crashes.
                let forgotten = hub.systemctl(&format!("reset-failed {SERVICE}"));
                let before = hub.pid();
                let restarted = hub.systemctl(&format!("restart {SERVICE}"));
                restarts.push((forgotten, before, restarted, hub.pid()));
            }
            lab.write(&Who::Root, "/tmp/enough", "");
            let said: Value = serde_json::from_str(&asking.join().unwrap().out).unwrap();
            for (forgotten, before, restarted, after) in restarts {
                let _ = (forgotten.code(0), restarted.code(0));
                assert_ne!(before, after, "a restart gives a new hub");
            }
            assert_eq!((&said["refused"], &said["cut"]), (&0.into(), &0.into()), "{said}");
        });
        hub.runs_once(&["web"]);
    });
}
