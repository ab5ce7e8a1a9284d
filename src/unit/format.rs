//! What the rest of this program asks of a manager's format of units. Each manager answers in its own folder, and
//! [`Target`](super::target::Target) leads there: nothing else asks which manager it is.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use super::bind::Unit;
use super::name::UnitName;
use super::template::Rendered;
use super::token::Refused;

/// Says which home a unit serves.
pub(super) const HOME: &str = "PARACHUTE_HOME";

/// A line of a unit that has its manager open a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opens {
    /// Line of the file, from 1.
    pub line: usize,
    /// `EnvironmentFile`, `StandardOutput` …
    pub key: String,
    /// What it opens, as it is written.
    pub path: String,
}

/// How one manager's units are written, read back, and where they lie.
pub trait Format: Debug {
    /// As a person types it: `systemd-user`.
    fn name(&self) -> &'static str;

    /// What its formats have in common: `systemd`.
    fn family(&self) -> &'static str;

    /// Whether its units are those of the whole machine, which takes root.
    fn is_system(&self) -> bool;

    /// As the manager calls the unit.
    fn name_of(&self, unit: &UnitName) -> String;

    /// The name of the unit's file.
    fn file_name(&self, unit: &UnitName) -> String;

    /// Where such files lie, unless the manager says otherwise.
    fn dir(&self, person_home: &Path) -> PathBuf;

    /// What disables a unit, typed by a person who may.
    fn disable_by_hand(&self, unit: &UnitName) -> String;

    /// Whether the manager can hold a listening socket for a unit, as an object of its own. We write no such object; an
    /// earlier version did.
    fn holds_sockets(&self) -> bool;

    /// Whether the manager writes what a unit prints to a file of ours, whose directory must be there.
    fn writes_log_file(&self) -> bool;

    /// The system's directories of programs on its hosts, in the order in which they are searched.
    fn program_dirs(&self) -> &'static [&'static str];

    /// Every file of the unit.
    ///
    /// # Errors
    /// [`Refused`] names the value that the format cannot express.
    fn render(&self, unit: &Unit) -> Result<Vec<Rendered>, Refused>;

    /// Whether `text`, the file of a service, sets exactly this home.
    fn serves(&self, text: &str, home: &Path) -> bool;

    /// The port that `text`, the file of a service, gives to the hub.
    fn port(&self, text: &str) -> Option<u16>;

    /// The home that `text`, the file of a service, sets.
    fn home(&self, text: &str) -> Option<PathBuf>;

    /// As whom `text`, the file of a service, runs, if it says so.
    fn person(&self, text: &str) -> Option<String>;

    /// The TCP ports on which a socket listens: its file, then what changes it, in their order.
    fn listens(&self, texts: &[&str]) -> Vec<u16>;

    /// Whether a line can have the manager open a path with its own rights.
    fn opens_paths(&self) -> bool;

    /// The lines of a unit, or of what changes it, by which the manager opens a path below one of these directories.
    fn opens_below(&self, text: &str, dirs: &[&Path]) -> Vec<Opens>;
}
