//! Units as systemd takes them: how they are written (`view`), what a written one says (`read`), and which of its
//! lines are dangerous (`opens`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bind::Unit;
use super::format::{Format, Opens};
use super::name::{Part, UnitName};
use super::template::{self, Rendered};
use super::token::Refused;

mod opens;
mod read;
mod token;
mod view;

/// systemd's two managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// PID 1: `/etc/systemd/system`, needs root.
    System,
    /// One for each person: `systemctl --user`.
    User,
}

/// Unit files for one of systemd's managers, with no key that this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Systemd {
    /// Whose manager.
    pub scope: Scope,
    /// `systemctl --version`, first number.
    pub version: u32,
}

/// The oldest systemd we write for.
pub const OLDEST_SYSTEMD: u32 = 252;

/// The last six are systemd's own default: systemd.exec(5), `$PATH`.
const PROGRAM_DIRS: [&str; 11] = [
    "/run/wrappers/bin",
    "/run/current-system/sw/bin",
    "/nix/var/nix/profiles/default/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/snap/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

impl Systemd {
    /// Of this scope, for any version that we write for.
    #[must_use]
    pub const fn oldest(scope: Scope) -> Self {
        Self { scope, version: OLDEST_SYSTEMD }
    }
}

impl Format for Systemd {
    fn name(&self) -> &'static str {
        match self.scope {
            Scope::System => "systemd-system",
            Scope::User => "systemd-user",
        }
    }

    fn family(&self) -> &'static str {
        "systemd"
    }

    fn is_system(&self) -> bool {
        self.scope == Scope::System
    }

    fn name_of(&self, unit: &UnitName) -> String {
        unit.systemd()
    }

    fn file_name(&self, unit: &UnitName) -> String {
        unit.systemd()
    }

    /// systemd.unit(5), UNIT FILE LOAD PATH: "System units created by the administrator", and the user's own.
    fn dir(&self, person_home: &Path) -> PathBuf {
        match self.scope {
            Scope::System => PathBuf::from("/etc/systemd/system"),
            Scope::User => person_home.join(".config/systemd/user"),
        }
    }

    fn disable_by_hand(&self, unit: &UnitName) -> String {
        match self.scope {
            Scope::System => format!("sudo systemctl disable --now {}", unit.systemd()),
            Scope::User => format!("systemctl --user disable --now {}", unit.systemd()),
        }
    }

    fn holds_sockets(&self) -> bool {
        true
    }

    /// It has a journal.
    fn writes_log_file(&self) -> bool {
        false
    }

    fn program_dirs(&self) -> &'static [&'static str] {
        &PROGRAM_DIRS
    }

    /// The service.
    fn render(&self, unit: &Unit) -> Result<Vec<Rendered>, Refused> {
        let service = view::service(unit, self.scope)?;
        Ok(vec![template::file(&unit.name, "systemd/service.tera", &service)?])
    }

    fn serves(&self, text: &str, home: &Path) -> bool {
        read::serves(text, home)
    }

    fn port(&self, text: &str) -> Option<u16> {
        read::port(text)
    }

    fn home(&self, text: &str) -> Option<PathBuf> {
        read::home(text)
    }

    fn person(&self, text: &str) -> Option<String> {
        read::person(text)
    }

    fn listens(&self, texts: &[&str]) -> Vec<u16> {
        read::listens(texts)
    }

    fn opens_paths(&self) -> bool {
        true
    }

    fn opens_below(&self, text: &str, dirs: &[&Path]) -> Vec<Opens> {
        opens::below(text, dirs)
    }
}

impl UnitName {
    /// As systemd calls it: `parachute-hub.service`, `parachute-hub.socket`.
    #[must_use]
    pub fn systemd(&self) -> String {
        let suffix = match self.part() {
            Part::Service => "service",
            Part::Socket => "socket",
        };
        format!("parachute-{}.{suffix}", self.plain())
    }
}
