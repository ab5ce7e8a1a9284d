//! launchd: the `launchctl` commands, the meaning of their output, and how to wait for their real effect. Pure.
//!
//! All of it but `driver` and `gather` is pure, and all is compiled and tested everywhere. It rests on
//! launchctl(1), launchd.plist(5) and a third party's measurements on macOS 26; none of it has been run on a Mac by us.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::autostart::Autostart;
use super::capabilities::Capabilities;
use super::invocation::Invocation;
use super::state::{Told, UnitState};
use crate::module::shell;
use crate::unit;
use crate::unit::name::UnitName;
use crate::unit::target::{JobKind, Target};

mod autostart;
pub(crate) mod detect;
mod driver;
pub(crate) mod explain;
pub(super) mod gather;
pub(crate) mod operation;
pub mod parse;
pub(crate) mod verbs;

/// One of launchd's domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launchd {
    /// Which.
    pub domain: Domain,
    /// Where our plists go.
    pub dir: PathBuf,
}

/// launchctl(1), DOMAINS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "domain", content = "uid", rename_all = "snake_case")]
pub enum Domain {
    /// `system`: from boot on; root changes it.
    System,
    /// `gui/<uid>`: there while this person is logged in at the screen.
    Gui(u32),
    /// `user/<uid>`: there without a screen too.
    User(u32),
}

impl Domain {
    /// As launchctl takes it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Gui(uid) => format!("gui/{uid}"),
            Self::User(uid) => format!("user/{uid}"),
        }
    }

    /// The kind of job that lives there.
    #[must_use]
    pub fn kind(self) -> JobKind {
        match self {
            Self::System => JobKind::Daemon,
            Self::Gui(_) | Self::User(_) => JobKind::Agent,
        }
    }
}

impl Capabilities for Launchd {
    fn target(&self) -> Target {
        Target::Launchd(unit::launchd::Launchd { kind: self.domain.kind() })
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn words(&self) -> String {
        format!("launchd ({})", self.domain.words())
    }

    fn keeps_log(&self) -> bool {
        false
    }

    /// It reads a plist when it loads the job, which is part of a start.
    fn keeps_definitions(&self) -> bool {
        false
    }

    fn lingers(&self) -> bool {
        false
    }

    fn ends_with_login(&self) -> bool {
        self.domain != Domain::System
    }

    /// Both domains of a person load the agents of one directory.
    fn shares_files(&self) -> bool {
        true
    }

    fn autostart(&self, service: &UnitState, _linger: &Told<bool>) -> Autostart {
        autostart::autostart(self, service)
    }

    fn reload_commands(&self) -> Vec<Invocation> {
        Vec::new()
    }

    fn enable_commands(&self, unit: &UnitName, enabled: bool) -> Vec<Invocation> {
        vec![if enabled { verbs::enable(self, unit) } else { verbs::disable(self, unit) }]
    }

    /// A service that was disabled earlier cannot be loaded until it is enabled again (launchctl(1)).
    fn start_commands(&self, unit: &UnitName) -> Vec<Invocation> {
        vec![verbs::enable(self, unit), verbs::bootstrap(self, &self.file(unit))]
    }

    fn stop_commands(&self, unit: &UnitName) -> Vec<Invocation> {
        vec![verbs::bootout(self, unit)]
    }

    fn linger_commands(&self, _person: &str, _on: bool) -> Vec<Invocation> {
        Vec::new()
    }

    fn linger_hint(&self, _person: &str) -> Option<String> {
        None
    }

    fn status_command(&self, unit: &UnitName) -> String {
        verbs::print(self, unit).to_string()
    }

    fn definition_command(&self, unit: &UnitName) -> String {
        format!("cat {}", shell::quote(&self.file(unit).to_string_lossy()))
    }

    fn forget_failure(&self, _unit: &UnitName) -> Option<Invocation> {
        None
    }
}
