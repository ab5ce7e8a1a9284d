//! systemd: what is asked of it, what it answers, what its answers mean, and how long a verb is waited for. Pure, but for
//! `after_end`, `driver` and `gather`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::autostart::Autostart;
use super::capabilities::Capabilities;
use super::invocation::Invocation;
use super::state::{Told, UnitState};
use crate::module::shell;
use crate::unit;
use crate::unit::name::UnitName;
use crate::unit::target::{Scope, Target};

pub(crate) mod after_end;
mod autostart;
pub(crate) mod detect;
mod driver;
pub(crate) mod exit;
pub(crate) mod explain;
pub(super) mod gather;
pub(crate) mod operation;
pub mod parse;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod verbs;

/// One of systemd's managers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systemd {
    /// Whose.
    pub scope: Scope,
    /// `systemctl --version`, first number.
    pub version: u32,
    /// Where our unit files go; the manager searches it.
    pub dir: PathBuf,
    /// `XDG_RUNTIME_DIR` for `--user`; set for every invocation, since cron, su and sudo lose it.
    pub runtime_dir: Option<PathBuf>,
}

impl Systemd {
    /// The user whose manager it is, by its runtime directory, `/run/user/UID`; `None`: the system's.
    fn runtime_dir_uid(&self) -> Option<u32> {
        let dir = self.runtime_dir.as_ref().filter(|_| self.scope == Scope::User)?;
        dir.file_name()?.to_str()?.parse().ok()
    }
}

impl Capabilities for Systemd {
    fn target(&self) -> Target {
        Target::Systemd(unit::systemd::Systemd { scope: self.scope, version: self.version })
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn runs_in(&self, unit: &UnitName, cgroup: &Path) -> bool {
        let is_its_name = cgroup.file_name().is_some_and(|name| name == unit.systemd().as_str());
        is_its_name && after_end::manager_of(cgroup) == self.runtime_dir_uid()
    }

    fn words(&self) -> String {
        match self.scope {
            Scope::System => "systemd (system)".to_owned(),
            Scope::User => "systemd (user)".to_owned(),
        }
    }

    fn keeps_log(&self) -> bool {
        true
    }

    fn keeps_definitions(&self) -> bool {
        true
    }

    /// logind's: a system's units do without.
    fn lingers(&self) -> bool {
        self.scope == Scope::User
    }

    fn ends_with_login(&self) -> bool {
        false
    }

    fn shares_files(&self) -> bool {
        false
    }

    fn autostart(&self, service: &UnitState, linger: &Told<bool>) -> Autostart {
        autostart::autostart(self, service, linger)
    }

    fn reload_commands(&self) -> Vec<Invocation> {
        vec![verbs::reload(self)]
    }

    fn enable_commands(&self, unit: &UnitName, enabled: bool) -> Vec<Invocation> {
        vec![verbs::set_enabled(self, unit, enabled)]
    }

    fn start_commands(&self, unit: &UnitName) -> Vec<Invocation> {
        vec![verbs::reset_failed(self, unit), verbs::start(self, unit)]
    }

    fn stop_commands(&self, unit: &UnitName) -> Vec<Invocation> {
        vec![verbs::stop(self, unit)]
    }

    fn linger_commands(&self, person: &str, on: bool) -> Vec<Invocation> {
        vec![verbs::set_linger(person, on)]
    }

    fn linger_hint(&self, person: &str) -> Option<String> {
        Some(format!("sudo loginctl enable-linger {}", shell::quote(person)))
    }

    fn status_command(&self, unit: &UnitName) -> String {
        explain::status(self, unit)
    }

    fn definition_command(&self, unit: &UnitName) -> String {
        explain::definition(self, unit)
    }

    /// Else the unit stays in its lists, even without a file: systemctl(1), reset-failed.
    fn forget_failure(&self, unit: &UnitName) -> Option<Invocation> {
        Some(verbs::reset_failed(self, unit))
    }
}
