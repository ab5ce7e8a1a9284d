//! Jobs as launchd takes them: how a property list is written (`view`) and what a written one says (`read`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bind::Unit;
use super::format::{Format, HOME, Opens};
use super::name::UnitName;
use super::template::{self, Rendered};
use super::token::Refused;

mod read;
mod token;
mod view;

/// launchd's two kinds of jobs, by where their plist lies: launchctl(1), launchd(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// `~/Library/LaunchAgents`: lives from login to logout.
    Agent,
    /// `/Library/LaunchDaemons`: lives from boot on, needs root.
    Daemon,
}

/// A property list for one of launchd's domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launchd {
    /// Where it goes.
    pub kind: JobKind,
}

/// The last four are launchd's own default.
const PROGRAM_DIRS: [&str; 10] = [
    "/opt/homebrew/bin",
    "/opt/homebrew/sbin",
    "/run/current-system/sw/bin",
    "/nix/var/nix/profiles/default/bin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
];

impl Format for Launchd {
    fn name(&self) -> &'static str {
        match self.kind {
            JobKind::Agent => "launchd-agent",
            JobKind::Daemon => "launchd-daemon",
        }
    }

    fn family(&self) -> &'static str {
        "launchd"
    }

    fn is_system(&self) -> bool {
        self.kind == JobKind::Daemon
    }

    fn name_of(&self, unit: &UnitName) -> String {
        unit.label()
    }

    fn file_name(&self, unit: &UnitName) -> String {
        format!("{}.plist", unit.label())
    }

    fn dir(&self, person_home: &Path) -> PathBuf {
        match self.kind {
            JobKind::Agent => person_home.join("Library/LaunchAgents"),
            JobKind::Daemon => PathBuf::from("/Library/LaunchDaemons"),
        }
    }

    fn disable_by_hand(&self, unit: &UnitName) -> String {
        let label = unit.label();
        match self.kind {
            JobKind::Agent => {
                format!("launchctl bootout gui/$(id -u)/{label}; launchctl disable gui/$(id -u)/{label}")
            }
            JobKind::Daemon => {
                format!("sudo launchctl bootout system/{label}; sudo launchctl disable system/{label}")
            }
        }
    }

    fn holds_sockets(&self) -> bool {
        false
    }

    /// `StandardOutPath`: launchd.plist(5).
    fn writes_log_file(&self) -> bool {
        true
    }

    fn program_dirs(&self) -> &'static [&'static str] {
        &PROGRAM_DIRS
    }

    /// One property list.
    fn render(&self, unit: &Unit) -> Result<Vec<Rendered>, Refused> {
        Ok(vec![template::file(&unit.name, "launchd/job.plist.tera", &view::job(unit, self.kind)?)?])
    }

    fn serves(&self, text: &str, home: &Path) -> bool {
        read::serves(text, home)
    }

    fn port(&self, text: &str) -> Option<u16> {
        read::port(text)
    }

    fn home(&self, text: &str) -> Option<PathBuf> {
        read::value_of(text, HOME).map(PathBuf::from)
    }

    fn person(&self, text: &str) -> Option<String> {
        read::value_of(text, "UserName")
    }

    fn listens(&self, _texts: &[&str]) -> Vec<u16> {
        Vec::new()
    }

    /// It opens the files of a job in the job's own process, as its user (launchd's core.c, `job_setup_attributes`).
    fn opens_paths(&self) -> bool {
        false
    }

    fn opens_below(&self, _text: &str, _dirs: &[&Path]) -> Vec<Opens> {
        Vec::new()
    }
}

impl UnitName {
    /// As launchd calls it: `computer.parachute.hub`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("computer.parachute.{}", self.plain())
    }
}
