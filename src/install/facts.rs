//! The facts about this machine, as plain data: a bug report can contain them, a test is a literal of them. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::owner::Owner;
use super::search_path::Need;
use crate::home::hub_env::Refused;
use crate::manager::backend::Manager;
use crate::manager::state::{Told, UnitState};
use crate::plan::content::Content;
use crate::process::holder::Occupant;
use crate::process::user::User;
use crate::unit::name::UnitName;

/// All inputs of the planner. Nothing else is read while planning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The user of the hub.
    pub person: User,
    /// The manager that runs it.
    pub manager: Manager,
    /// The home.
    pub home: HomeFacts,
    /// This program.
    pub program: Program,
    /// The hub's units now: the service; then, where the manager can have one, the socket that an earlier version may
    /// have installed.
    pub units: Vec<UnitFacts>,
    /// Units of ours in directories of other managers.
    pub twins: Vec<Twin>,
    /// The installation of another user, or of another home, in the same place.
    #[serde(default)]
    pub others: Option<Others>,
    /// Whether the user's manager runs without a login; `None` where that means nothing.
    pub linger: Option<Told<bool>>,
    /// The holder of the hub's port.
    pub holder: Option<PortHolder>,
    /// The hub that answers on the home's socket.
    pub hub: Option<RunningHub>,
    /// The usual program directories that exist, in order.
    pub search: Vec<PathBuf>,
    /// Programs that modules need from PATH.
    pub needs: Vec<Need>,
    /// From hub.toml.
    pub settings: SettingsFacts,
    /// The verb of an interrupted plan.
    pub unfinished: Option<String>,
}

/// The home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeFacts {
    /// Its path.
    pub root: PathBuf,
    /// Uid of its owner; `None`: it does not exist yet.
    pub owner: Option<u32>,
    /// Short names of its modules.
    pub modules: Vec<String>,
    /// Why its modules are unknown.
    pub broken: Option<String>,
    /// Why its hub.env is refused, as far as that is known.
    #[serde(default)]
    pub hub_env: Option<Refused>,
}

/// This program, and its installed copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its content.
    pub content: Content,
    /// The path of its installed copy.
    pub path: PathBuf,
    /// Whether the copy has the same content already.
    pub same: bool,
}

/// One unit, on disk and in the manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// The unit.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// The content of the file.
    pub on_disk: OnDisk,
    /// The text that we wrote there last, from the receipt.
    pub written: Option<String>,
    /// The manager's state of it.
    pub state: UnitState,
}

/// The file with a unit's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisk {
    /// Nothing.
    Nothing,
    /// A file with this text.
    Text(String),
    /// Something else: a link, a directory, bytes that are not UTF-8.
    Other(String),
}

/// An installation of another user, or of another home, in the requested place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Its owner.
    pub owner: Owner,
    /// Whether its hub runs.
    pub runs: bool,
    /// Modules that run under it, by name, as far as they are known without reading that home.
    pub modules: Vec<String>,
    /// One of its plans was interrupted.
    pub open: bool,
}

impl Others {
    /// The first note of a plan that takes it over: what will stop.
    #[must_use]
    pub fn ends(&self) -> String {
        let owner = &self.owner;
        match (self.runs, self.modules.as_slice()) {
            (false, []) => format!("the hub of {owner}, which does not run now, is replaced"),
            (_, []) => format!("the hub of {owner} is replaced: it stops, and so do all of its modules"),
            (_, some) => {
                format!("the hub of {owner} is replaced: it stops, and so do its modules {}", some.join(", "))
            }
        }
    }
}

/// A unit of ours in the directory of another manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// Its file.
    pub path: PathBuf,
    /// The command that removes it.
    pub remove: String,
    /// Set if it is another user's: then only its port conflicts.
    #[serde(default)]
    pub owner: Option<Owner>,
}

/// The holder of the hub's port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHolder {
    /// The holding process.
    #[serde(flatten)]
    pub occupant: Occupant,
    /// Whether it is the hub of this home, or its manager's socket.
    pub ours: bool,
}

/// A running hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningHub {
    /// Its pid.
    pub pid: u32,
    /// Its port.
    pub port: u16,
    /// Its version.
    pub version: String,
}

/// The parts of hub.toml that concern the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsFacts {
    /// The hub's port.
    pub port: u16,
    /// Its text, for the `[unit]` table.
    pub text: String,
    /// Why the file cannot be used.
    pub broken: Option<String>,
}
