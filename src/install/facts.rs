//! What was found on this machine, as plain data: a bug report can carry it, a test is a literal of it.

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

/// Everything the planner looks at. Nothing else is asked while planning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Whose hub it is.
    pub person: User,
    /// Who keeps it.
    pub manager: Manager,
    /// The home.
    pub home: HomeFacts,
    /// This program.
    pub program: Program,
    /// The hub's units as they are now: the service, then the socket where the manager has sockets.
    pub units: Vec<UnitFacts>,
    /// Units of ours in places of other managers.
    pub twins: Vec<Twin>,
    /// The installation of another person, or of another home, in this very place.
    #[serde(default)]
    pub others: Option<Others>,
    /// Whether the person's manager outlives their logins; `None` where that means nothing.
    pub linger: Option<Told<bool>>,
    /// Who listens on the hub's port.
    pub holder: Option<PortHolder>,
    /// The hub that answers on the home's socket.
    pub hub: Option<RunningHub>,
    /// Directories where programs usually lie, of those that are there, in order.
    pub search: Vec<PathBuf>,
    /// Programs that modules need from PATH.
    pub needs: Vec<Need>,
    /// From hub.toml.
    pub settings: SettingsFacts,
    /// An earlier plan that was broken off, by its verb.
    pub unfinished: Option<String>,
}

/// The home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeFacts {
    /// Where.
    pub root: PathBuf,
    /// Uid of its owner; `None`: it is not there yet.
    pub owner: Option<u32>,
    /// Short names of its modules.
    pub modules: Vec<String>,
    /// Why its modules cannot be told.
    pub broken: Option<String>,
    /// Why its hub.env is refused, as far as that can be told.
    #[serde(default)]
    pub hub_env: Option<Refused>,
}

/// This program, and what is installed of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its bytes.
    pub content: Content,
    /// Where its installed copy goes.
    pub path: PathBuf,
    /// Whether that holds the same bytes already.
    pub same: bool,
}

/// One unit, on disk and in the manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// Which.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// What the file holds.
    pub on_disk: OnDisk,
    /// What we wrote there last, from the receipt.
    pub written: Option<String>,
    /// What the manager knows.
    pub state: UnitState,
}

/// What has a unit's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisk {
    /// Nothing.
    Nothing,
    /// A file with this text.
    Text(String),
    /// Something else: a link, a directory, bytes that are no text.
    Other(String),
}

/// An installation of another person, or of another home, in the place that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Whose.
    pub owner: Owner,
    /// Whether its hub runs.
    pub runs: bool,
    /// Modules that run under it, by name, as far as that can be told without a look into that home.
    pub modules: Vec<String>,
    /// A plan of theirs was broken off.
    pub open: bool,
}

impl Others {
    /// What a plan that takes it over says first: who is served no longer.
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

/// A unit of ours in the place of another manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// Its file.
    pub path: PathBuf,
    /// The command that removes it.
    pub remove: String,
    /// Another person's: it is a twin only by its port.
    #[serde(default)]
    pub owner: Option<Owner>,
}

/// Who listens on the hub's port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHolder {
    /// What has it.
    #[serde(flatten)]
    pub occupant: Occupant,
    /// Whether it is the hub of this home, or its manager's socket.
    pub ours: bool,
}

/// A hub that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningHub {
    /// Its pid.
    pub pid: u32,
    /// Its port.
    pub port: u16,
    /// Its version.
    pub version: String,
}

/// What hub.toml says about the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsFacts {
    /// The hub's port.
    pub port: u16,
    /// Its text, for the `[unit]` table.
    pub text: String,
    /// Why the file cannot be used.
    pub broken: Option<String>,
}
