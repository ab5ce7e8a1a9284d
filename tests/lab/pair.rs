//! The pair of units that an earlier version installed, a service and a socket: upgraded, used and uninstalled, while a
//! client connects to the port all the time, and killed at any step.

use serde_json::Value;

use crate::hub::{Hub, SERVICE, SOCKET, Scope, in_both_scopes};
use crate::lab::{Lab, Who};
use crate::program::Outcome;
use crate::snapshot::Snapshot;

/// Root under sudo, acting for the user.
const SUDO: &str = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";
/// No second process finishes what a test kills.
const ALONE: &str = "export PARACHUTE_STANDBY=none;";

/// An installation of the earlier version: its files, its receipt, and both units enabled and running.
struct Pair<'lab> {
    lab: &'lab Lab,
    hub: Hub<'lab>,
    /// The directory of its receipt.
    state: String,
    /// Hash and length of its program.
    program: (String, String),
    /// Name and text of each unit file.
    units: [(String, String); 2],
    /// The machine without it.
    before: Snapshot,
}

impl<'lab> Pair<'lab> {
    #[track_caller]
    fn install(lab: &'lab Lab, hub: &Hub<'lab>) -> Self {
        let before = lab.snapshot();
        let texts = match hub.scope {
            Scope::System => [
                include_str!("../data/units/pair-system.service"),
                include_str!("../data/units/pair-system.socket"),
                include_str!("../data/plan/receipt-1-pair-system.json"),
            ],
            Scope::User => [
                include_str!("../data/units/pair-user.service"),
                include_str!("../data/units/pair-user.socket"),
                include_str!("../data/plan/receipt-1-pair-user.json"),
            ],
        };
        let [service, socket, receipt] =
            texts.map(|text| text.replace("/home/op/", "/home/lab/").replace("User=op", "User=lab"));
        let (program, state) = match hub.scope {
            Scope::System => {
                ("/usr/local/lib/parachute/parachute".to_owned(), "/var/lib/parachute".to_owned())
            }
            Scope::User => (format!("{}/bin/parachute", hub.home), format!("{}/install", hub.home)),
        };
        // The program of this test in the place of the earlier one, and its fingerprint in the receipt.
        let put = r#"umask 077; mkdir -p "${1%/*}" "$2"; chmod "$3" "${1%/*}"; cp -L "$4" "$1"; chmod 755 "$1"
            sha256sum < "$1" | cut -d' ' -f1; stat -c %s "$1""#;
        let mode = if hub.scope == Scope::System { "755" } else { "700" };
        let said = lab.exec(&hub.keeper(), put, &[&program, &state, mode, &hub.bin], b"").code(0).out;
        let (sha256, len) = said.trim().split_once('\n').unwrap();
        let program = (sha256.to_owned(), len.to_owned());
        lab.write(&hub.keeper(), &format!("{state}/receipt.json"), &with_program(&receipt, &program));
        let units = [(SERVICE.to_owned(), service), (SOCKET.to_owned(), socket)];
        for (name, text) in &units {
            lab.write(&hub.keeper(), &format!("{}/{name}", hub.units), text);
        }
        let _ = hub.systemctl("daemon-reload").code(0);
        let _ = hub.systemctl(&format!("enable {SERVICE} {SOCKET}")).code(0);
        let _ = hub.systemctl(&format!("start {SOCKET}")).code(0);
        let _ = hub.systemctl(&format!("start {SERVICE}")).code(0);
        let pair = Self { lab, hub: hub.clone(), state, units, program, before };
        pair.runs();
        pair
    }

    /// A verb of the program, as whoever may change the installation.
    fn verb(&self, args: &str) -> Outcome {
        self.verb_with("", args)
    }

    /// The same, with a fault.
    fn verb_with(&self, fault: &str, args: &str) -> Outcome {
        let fault = if fault.is_empty() { String::new() } else { format!("PARACHUTE_FAULT='{fault}' ") };
        match self.hub.scope {
            Scope::System => self.lab.root(&format!("{SUDO} {ALONE} {fault}parachute {args}")),
            Scope::User => self.lab.user(&format!("{ALONE} {fault}parachute {args}")),
        }
    }

    fn is(&self, question: &str, unit: &str) -> bool {
        self.hub.systemctl(&format!("{question} {unit}")).code == 0
    }

    /// Both units run, from their files as the earlier version wrote them.
    #[track_caller]
    fn runs(&self) {
        for (name, text) in &self.units {
            assert_eq!(self.lab.read(&format!("{}/{name}", self.hub.units)), *text, "{name}");
            assert!(self.is("is-active", name) && self.is("is-enabled", name), "{name}");
        }
    }

    /// One unit runs, and its text is the new one.
    #[track_caller]
    fn is_upgraded(&self) {
        let (service, socket) = (self.hub.path(SERVICE), self.hub.path(SOCKET));
        assert_eq!(self.lab.root(&format!("ls {socket} 2>/dev/null || true")).out, "");
        assert!(!self.lab.read(&service).contains("socket"), "{}", self.lab.read(&service));
        assert!(!self.is("is-active", SOCKET) && !self.is("is-enabled", SOCKET));
        assert!(self.is("is-active", SERVICE) && self.is("is-enabled", SERVICE));
        assert_eq!(self.hub.show("NeedDaemonReload"), "no");
    }

    /// Nothing is left but the home, which is deleted.
    #[track_caller]
    fn is_gone(&self) {
        let _ = self.lab.root(&format!("rm -rf {}", self.hub.home)).code(0);
        self.before.same_as(&self.lab.snapshot());
    }

    #[track_caller]
    fn uninstall(&self) {
        let said = self.verb("uninstall --yes").code(0);
        assert!(said.out.contains("nothing is left of it"), "{said:?}");
        self.is_gone();
    }

    /// Steps of the plan of a verb.
    #[track_caller]
    fn steps(&self, verb: &str) -> usize {
        let plan: Value =
            serde_json::from_str(&self.verb(&format!("{verb} --dry-run --json")).code(0).out).unwrap();
        plan["steps"].as_array().unwrap().len()
    }
}

/// A receipt or journal of the earlier version, with the hash and the length of another program in it.
fn with_program(text: &str, (sha256, len): &(String, String)) -> String {
    let other = "69db59d882962a7825eea1aaf071afd82b949117daf4842135cc6eb975cb44f8";
    assert!(text.contains(other), "{text}");
    text.replace(other, sha256).replace("75004808", len)
}

/// A client that connects to the port all the time, until the unit is stopped.
#[track_caller]
fn poll(lab: &Lab) {
    let connect = "while :; do (exec 3<>/dev/tcp/127.0.0.1/1939) 2>/dev/null; sleep 0.02; done";
    let _ = lab.exec(&Who::Root, "systemd-run -q --unit poller bash -c \"$1\"", &[connect], b"").code(0);
}

/// The finding of doctor about the socket unit: verdict and repair.
#[track_caller]
fn finding(pair: &Pair<'_>) -> (String, Value) {
    let report: Value = serde_json::from_str(&pair.verb("doctor --json").out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == "unit.socket").unwrap();
    (check["verdict"].as_str().unwrap().to_owned(), check["mend"].clone())
}

#[test]
fn the_pair_is_upgraded_to_one_unit_while_a_client_connects() {
    in_both_scopes(|lab, hub| {
        poll(lab);
        for upgrade in ["init --yes", "doctor --fix --yes"] {
            let pair = Pair::install(lab, &hub);
            hub.module("web", 1950, "");
            hub.runs_once(&["web"]);
            assert_eq!(finding(&pair), ("warn".to_owned(), "install".into()));
            let _ = pair.verb(upgrade).code(0);
            pair.is_upgraded();
            hub.runs_once(&["web"]);
            assert_eq!(finding(&pair), ("ok".to_owned(), Value::Null));
            lab.eventually("all ok", || pair.verb("doctor").out.contains("all ok"));
            assert!(pair.verb("init --yes").code(0).out.contains("nothing to do"));

            // The verbs of the hub, with the one unit.
            let status = pair.verb("status").code(0).out;
            assert!(!status.contains("socket held by"), "{status}");
            let old = hub.pid();
            let _ = pair.verb("restart").code(0);
            assert_ne!(hub.pid(), old);
            let _ = pair.verb("stop").code(0);
            assert!(!pair.is("is-active", SERVICE) && pair.verb("status").code != 0);
            let _ = pair.verb("start").code(0);
            pair.is_upgraded();
            lab.reboot();
            poll(lab);
            hub.becomes("ActiveState", "active");
            pair.is_upgraded();
            pair.uninstall();
        }
    });
}

#[test]
fn the_verbs_of_the_hub_work_with_the_pair() {
    in_both_scopes(|lab, hub| {
        let pair = Pair::install(lab, &hub);
        poll(lab);
        let status = pair.verb("status").code(0).out;
        assert!(status.contains("socket held by systemd"), "{status}");
        let old = hub.pid();
        let _ = pair.verb("restart").code(0);
        assert_ne!(hub.pid(), old);
        pair.runs();
        let _ = pair.verb("stop").code(0);
        assert!(!pair.is("is-active", SOCKET) && !pair.is("is-active", SERVICE));
        let _ = pair.verb("start").code(0);
        pair.runs();
        pair.uninstall();
    });
}

/// Once an uninstallation that was killed between the stop of the socket and that of the service failed for ever:
/// "Socket service already active, refusing".
#[test]
fn an_uninstall_of_the_pair_that_was_killed_is_ended_by_the_next_verb() {
    let Some(lab) = Lab::up() else { return };
    let hub = Hub::new(&lab, Scope::User);
    poll(&lab);
    let mut pair = Pair::install(&lab, &hub);
    let steps = pair.steps("uninstall");
    let mut killed = 0;
    for step in 1..=steps {
        let fault = ["kill", "kill-after"][step % 2];
        let outcome = pair.verb_with(&format!("{fault} {step}"), "uninstall --yes");
        if outcome.code == 137 {
            killed += 1;
            match killed % 3 {
                0 => {
                    let _ = pair.verb("init --rollback").code(0);
                    pair.runs();
                    let _ = pair.verb("uninstall --yes").code(0);
                }
                1 => {
                    let said = pair.verb("uninstall --yes").code(0);
                    assert!(said.err.contains("was interrupted; it is finished"), "{said:?}");
                }
                _ => {
                    let _ = pair.verb("init --resume").code(0);
                }
            }
        }
        pair.is_gone();
        pair = Pair::install(&lab, &hub);
    }
    assert!(killed >= 8, "only {killed} kills");
    pair.uninstall();
}

/// The journal that the earlier version left when it was killed between the two stops.
#[test]
fn an_uninstall_that_the_earlier_version_began_is_ended() {
    let Some(lab) = Lab::up() else { return };
    let hub = Hub::new(&lab, Scope::User);
    poll(&lab);
    for verb in ["uninstall --yes", "init --resume", "init --rollback"] {
        let pair = Pair::install(&lab, &hub);
        let _ = hub.systemctl(&format!("stop {SOCKET}")).code(0);
        let journal = include_str!("../data/plan/journal-1-pair-uninstall.jsonl");
        let journal = with_program(journal, &pair.program);
        lab.write(&hub.keeper(), &format!("{}/journal.jsonl", pair.state), &journal);
        let _ = pair.verb(verb).code(0);
        if verb == "init --rollback" {
            pair.runs();
            pair.uninstall();
        } else {
            pair.is_gone();
        }
    }
}

/// Every step of the upgrade made to fail, or killed and then undone, finished or begun again.
#[test]
fn an_upgrade_of_the_pair_that_was_cut_off_is_undone_or_finished() {
    let Some(lab) = Lab::up() else { return };
    let hub = Hub::new(&lab, Scope::User);
    poll(&lab);
    let mut pair = Pair::install(&lab, &hub);
    let steps = pair.steps("init");
    let mut cut = 0;
    for step in 1..=steps {
        let fault = ["fail", "kill", "kill-after"][step % 3];
        let outcome = pair.verb_with(&format!("{fault} {step}"), "init --yes");
        match outcome.code {
            0 => {}
            1 => {
                assert!(outcome.err.contains("everything is as it was before"), "{outcome:?}");
                pair.runs();
            }
            137 => {
                cut += 1;
                match cut % 3 {
                    0 => {
                        let _ = pair.verb("init --yes").code(0);
                        pair.is_upgraded();
                    }
                    1 => {
                        let _ = pair.verb("init --rollback").code(0);
                        pair.runs();
                    }
                    _ => {
                        let _ = pair.verb("init --resume").code(0);
                        pair.is_upgraded();
                    }
                }
            }
            _ => panic!("{fault} {step}: {outcome:?}"),
        }
        pair.uninstall();
        pair = Pair::install(&lab, &hub);
    }
    assert!(cut >= 4, "only {cut} kills");
    pair.uninstall();
}

/// A socket that its user edited is not removed without being asked.
#[test]
fn an_edited_socket_is_kept_unless_forced() {
    let Some(lab) = Lab::up() else { return };
    let hub = Hub::new(&lab, Scope::User);
    let pair = Pair::install(&lab, &hub);
    let socket = hub.path(SOCKET);
    let edit = format!("echo '# mine' >> {socket}; systemctl --user daemon-reload");
    let _ = lab.user(&edit).code(0);
    let edited = lab.read(&socket);
    assert_eq!(finding(&pair), ("warn".to_owned(), Value::Null));
    let refused = pair.verb("init --yes").code(78).err;
    assert!(refused.contains("parachute-hub.socket was changed after it was installed"), "{refused}");
    assert_eq!(lab.read(&socket), edited);
    let _ = pair.verb("init --yes --force").code(0);
    pair.is_upgraded();
    pair.uninstall();
}
