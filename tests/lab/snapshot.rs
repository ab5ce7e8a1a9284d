//! The files that an installer may change, for comparison: "as before", "leaves no trace".

use similar::{ChangeTag, TextDiff};

use crate::lab::{Lab, PERSON, Who};

/// Where we, systemd, and any installer of ours may write.
const PLACES: &str = "/etc/systemd /etc/xdg/systemd /var/lib/systemd/linger /var/lib/parachute /home";
/// There too, but with many other files that are not ours: their content is not compared.
const CROWDED: &str = "/usr/local";

/// Files with mode, owner and content, and the units of both managers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(String);

impl Lab {
    /// Takes one. The units of [`PERSON`]'s manager are included if it runs.
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot {
        let files = format!(
            "find {PLACES} {CROWDED} -xdev -printf '%p %M %u:%g %l\\n' 2>/dev/null | sort
             find {CROWDED} -xdev -type f -printf '%p %s bytes\\n' | sort
             find {PLACES} -xdev -type f -exec sha256sum {{}} + 2>/dev/null | sort -k2"
        );
        let units = "list-unit-files --no-legend --no-pager --full 'parachute*' || true; systemctl $MANAGER list-units --all --plain \
                     --no-legend --no-pager --full 'parachute*'";
        let system = self.root(&format!("{files}\nMANAGER=; systemctl {units}")).code(0).out;
        let user = format!(
            "export XDG_RUNTIME_DIR=/run/user/$(id -u) MANAGER=--user
             if [ -d $XDG_RUNTIME_DIR ]; then systemctl --user {units}; fi"
        );
        let user = self.run(&Who::NoSession(PERSON.to_owned()), &user).code(0).out;
        Snapshot(format!("{system}--- user\n{user}"))
    }
}

impl Snapshot {
    /// Asserts that nothing has changed since; shows the changes.
    #[track_caller]
    pub fn same_as(&self, now: &Self) {
        let changes = self.changes(now);
        assert!(changes.is_empty(), "not as before:\n{}", changes.join("\n"));
    }

    /// The same, except for files that a started hub has written into its own home.
    #[track_caller]
    pub fn same_units_and_files(&self, now: &Self) {
        self.same_but(now, &["/.parachute/run", "/.parachute/hub/", "/.parachute/install/lock"]);
    }

    /// The same, except for lines that contain one of these.
    #[track_caller]
    pub fn same_but(&self, now: &Self, own: &[&str]) {
        let changes = self.changes(now);
        let foreign: Vec<_> =
            changes.iter().filter(|line| !own.iter().any(|own| line.contains(own))).collect();
        assert!(foreign.is_empty(), "not as before: {foreign:#?}");
    }

    /// The changes since: `-` and `+`, a line each.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let diff = TextDiff::from_lines(self.0.as_str(), now.0.as_str());
        let changed = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
        changed.map(|change| format!("{}{}", change.tag(), change.value().trim_end())).collect()
    }
}
