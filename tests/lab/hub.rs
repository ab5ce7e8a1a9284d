//! The hub of one lab, under its systemd: rendered by the program itself, installed by hand.

use serde_json::Value;

use crate::lab::{FIXTURE, Lab, PERSON, PROGRAMS, Who};
use crate::program::Outcome;

/// Its service.
pub const SERVICE: &str = "parachute-hub.service";
/// A socket for it, which an earlier version installed and a user may write.
pub const SOCKET: &str = "parachute-hub.socket";

/// The manager that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    System,
    User,
}

/// How it is installed. The hub itself always runs as a normal user, never as root.
#[derive(Clone)]
pub struct Hub<'lab> {
    lab: &'lab Lab,
    /// The manager that runs it.
    pub scope: Scope,
    /// Login name of the user it runs as.
    pub person: String,
    /// `$PARACHUTE_HOME`.
    pub home: String,
    /// The directory of user units, or of system units.
    pub units: String,
    /// The program that the unit starts.
    pub bin: String,
}

/// Runs the test in two separate labs, once for each scope. Skips where the machine can run no lab.
#[track_caller]
pub fn in_both_scopes(test: impl Fn(&Lab, Hub<'_>)) {
    for scope in [Scope::System, Scope::User] {
        let Some(lab) = Lab::up() else { return };
        eprintln!("in the scope {scope:?}:");
        test(&lab, Hub::new(&lab, scope));
    }
}

impl<'lab> Hub<'lab> {
    /// Described, not yet installed. In the user scope the user's manager is made to stay.
    pub fn new(lab: &'lab Lab, scope: Scope) -> Self {
        if scope == Scope::User {
            lab.linger();
        }
        let units = match scope {
            Scope::System => "/etc/systemd/system".to_owned(),
            Scope::User => format!("/home/{PERSON}/.config/systemd/user"),
        };
        let home = format!("/home/{PERSON}/.parachute");
        let bin = format!("{PROGRAMS}/parachute");
        Self { lab, scope, person: PERSON.to_owned(), home, units, bin }
    }

    /// The user who may change the unit.
    pub fn keeper(&self) -> Who {
        match self.scope {
            Scope::System => Who::Root,
            Scope::User => self.owner(),
        }
    }

    /// The user it runs as.
    pub fn owner(&self) -> Who {
        Who::NoSession(self.person.clone())
    }

    /// Renders the unit, installs and enables it.
    #[track_caller]
    pub fn install(&self) {
        for (name, text) in self.rendered() {
            self.lab.write(&self.keeper(), &format!("{}/{name}", self.units), &text);
        }
        let _ = self.systemctl("daemon-reload").code(0);
        let _ = self.systemctl(&format!("enable {SERVICE}")).code(0);
    }

    /// The path of a unit's file.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.units)
    }

    /// A socket that its user wrote: systemd holds the port, and passes it to the hub.
    #[track_caller]
    pub fn own_socket(&self) {
        let text = "[Socket]\nListenStream=127.0.0.1:1939\nFileDescriptorName=hub\n";
        self.lab.write(&self.keeper(), &self.path(SOCKET), text);
        let _ = self.systemctl("daemon-reload").code(0);
        let _ = self.systemctl(&format!("stop {SERVICE}")).code(0);
        let _ = self.systemctl(&format!("start {SOCKET}")).code(0);
    }

    /// The messages of systemd and the hub about it in this boot.
    pub fn journal(&self) -> String {
        self.journal_from("debug")
    }

    /// The same, of this priority or a higher one.
    pub fn journal_from(&self, priority: &str) -> String {
        // By the identifier too: the last lines of a program that exits at once are not assigned to the unit yet.
        // Until then, lines may still be on the way into the file: journalctl(1).
        let script = "journalctl --sync
            journalctl -b --no-pager -o cat -p $2 UNIT=$1 + USER_UNIT=$1 + SYSLOG_IDENTIFIER=parachute-hub";
        self.lab.exec(&Who::Root, script, &[SERVICE, priority], b"").code(0).out
    }

    /// Files of the unit: name and text, as `parachute units render` prints them.
    #[track_caller]
    pub fn rendered(&self) -> Vec<(String, String)> {
        let target = match self.scope {
            Scope::System => "systemd-system",
            Scope::User => "systemd-user",
        };
        let script = r#"parachute --home "$1" units render hub --target "$2" --bin "$3" --user "$4" --json"#;
        let args = [self.home.as_str(), target, &self.bin, &self.person];
        let said = self.lab.exec(&self.keeper(), script, &args, b"").code(0);
        let report: Value = serde_json::from_str(&said.out).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let files = report["files"].as_array().unwrap().iter();
        files.map(|file| (text(&file["name"]), text(&file["text"]))).collect()
    }

    /// `systemctl` of the manager that runs it.
    pub fn systemctl(&self, args: &str) -> Outcome {
        match self.scope {
            Scope::System => self.lab.root(&format!("systemctl {args}")),
            Scope::User => {
                // In this form it needs no session, and creates none.
                let script = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u)\nsystemctl --user {args}");
                self.lab.run(&self.owner(), &script)
            }
        }
    }

    /// The user's own lines for the unit, as `systemctl edit` stores them.
    #[track_caller]
    pub fn edit(&self, lines: &str) {
        self.lab.write(&self.keeper(), &format!("{}/{SERVICE}.d/test.conf", self.units), lines);
        let _ = self.systemctl("daemon-reload").code(0);
    }

    /// Starts it; it notifies when it is ready.
    #[track_caller]
    pub fn start(&self) {
        let _ = self.systemctl(&format!("start {SERVICE}")).code(0);
    }

    /// A property of the service.
    #[track_caller]
    pub fn show(&self, property: &str) -> String {
        let shown = self.systemctl(&format!("show -P {property} {SERVICE}")).code(0);
        shown.out.trim_end_matches('\n').to_owned()
    }

    /// Its pid. 0: none.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.show("MainPID").parse().unwrap()
    }

    /// Waits until a property has this value.
    #[track_caller]
    pub fn becomes(&self, property: &str, value: &str) {
        self.lab.eventually(&format!("{property}={value}"), || self.show(property) == value);
    }

    /// A verb of the program, as the user it runs as.
    pub fn parachute(&self, args: &str) -> Outcome {
        let script = format!("parachute --home \"$1\" {args}");
        self.lab.exec(&self.owner(), &script, &[&self.home], b"")
    }

    /// Adds a module that runs the fixture.
    #[track_caller]
    pub fn module(&self, short: &str, port: u16, options: &str) {
        let _ = self.parachute(&format!("add {short} --port {port} -- {FIXTURE} server {options}")).code(0);
    }

    /// The hub's view of a module; `null` if there is none.
    pub fn view(&self, short: &str) -> Value {
        let status: Value = serde_json::from_str(&self.parachute("status --json").out).unwrap_or_default();
        let modules = status["modules"].as_array();
        modules.and_then(|all| all.iter().find(|one| one["short"] == short)).cloned().unwrap_or_default()
    }

    /// Waits until a module is ready; returns its pid.
    #[track_caller]
    pub fn ready(&self, short: &str) -> u32 {
        self.lab.until(&format!("{short} is ready"), || {
            let view = self.view(short);
            (view["ready"] == true).then(|| u32::try_from(view["pid"].as_u64().unwrap()).unwrap())
        })
    }

    /// Waits until each of these modules is ready, and asserts that it runs once, in the unit's control group.
    #[track_caller]
    pub fn runs_once(&self, shorts: &[&str]) {
        for short in shorts {
            let pid = self.ready(short);
            let all = self.lab.processes();
            let of_it: Vec<_> = all.iter().filter(|process| process.module == *short).collect();
            assert_eq!(of_it.iter().map(|p| p.pid).collect::<Vec<_>>(), [pid], "{short} runs once: {all:#?}");
            assert!(of_it[0].cgroups.contains(SERVICE), "{short} is in the unit: {of_it:?}");
        }
    }
}
