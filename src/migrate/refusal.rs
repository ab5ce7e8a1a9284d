//! What the user must decide or do before anything is stopped. When one of these is returned, nothing was changed.
//! Pure.

use std::path::PathBuf;

use super::judge::Ownership;
use crate::error_chain::Hints;
use crate::home::hub_env::Refused;
use crate::install::refusal::InstallRefusal;
use crate::process::holder::Occupant;

/// Why there is no cutover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CutoverRefusal {
    /// The hub cannot be installed.
    #[error(transparent)]
    Install(#[from] InstallRefusal),
    /// The list of modules is incomplete.
    #[error("the list of modules is unknown: {0}")]
    NotWhole(String),
    /// A foreign process holds a port.
    #[error("port {port} of {of} is held by {}: {verdict}", occupant.words())]
    Stranger {
        port: u16,
        /// The role that the port belongs to.
        of: String,
        /// The holder.
        occupant: Box<Occupant>,
        /// Why it does not count as ours.
        verdict: Ownership,
    },
    /// This command runs inside a daemon that would be stopped.
    #[error("this command was started by {0}, which it would stop")]
    Inside(String),
    /// A unit that this command may not change keeps a daemon running.
    #[error("{} keeps {name} running and belongs to another service manager", path.display())]
    OtherUnit {
        /// The module.
        name: String,
        /// The unit's file.
        path: PathBuf,
        /// The command that disables it.
        by_hand: String,
    },
    /// It could be stopped, but not be restored if something failed.
    #[error("{name} could not be brought back if the cutover failed: {because}")]
    NoWayBack {
        /// The daemon.
        name: String,
        /// What is missing.
        because: String,
    },
    /// It serves now, and would not start under the hub.
    #[error("{module} would not start under the hub: {because}")]
    WouldNotStart {
        module: String,
        /// The reason.
        because: String,
        /// The command to type about it.
        next: Option<String>,
    },
    /// The hub would start no module at all.
    #[error("no module would start under the hub: {0}")]
    HubEnv(Refused),
    /// It serves now, and the hub would not find it.
    #[error("{module} listens only on {at}; the hub asks on the loopback and would never find it ready")]
    Elsewhere {
        module: String,
        /// Addresses with their port.
        at: String,
    },
    /// The manager's own checker complains about the unit.
    #[error("the unit is not accepted: {0}")]
    BadUnit(String),
    #[error("the hub would not start: {because}")]
    HubWouldNotStart {
        /// The reason.
        because: String,
        /// The command to type about it.
        next: Option<String>,
    },
    /// There is not enough space, or no write permission.
    #[error("{} cannot be written to: {because}", path.display())]
    NoRoom {
        path: PathBuf,
        /// The reason.
        because: String,
    },
}

impl CutoverRefusal {}

impl Hints for CutoverRefusal {
    fn hints(&self) -> Vec<String> {
        let again = "parachute migrate --to-supervised".to_owned();
        match self {
            // A cutover replaces no other installation.
            Self::Install(refusal) => {
                let hints = refusal.hints().into_iter().filter(|next| !next.contains("--take-over"));
                hints.map(|next| next.replace("parachute init", &again)).collect()
            }
            Self::NotWhole(_) => vec![format!("correct it, then: {again}")],
            Self::Stranger { occupant, .. } => {
                let look = occupant.holder.pid.map(|pid| format!("ps -fp {pid}     (what it is)"));
                let free = occupant.hints().into_iter();
                look.into_iter().chain(free).chain([format!("{again}     (when the port is free)")]).collect()
            }
            Self::Inside(_) => vec![format!("from another terminal: {again}")],
            Self::OtherUnit { by_hand, .. } => vec![by_hand.clone(), again],
            Self::NoWayBack { .. } => vec![
                format!("{again} --force     (this one is not brought back if it fails)"),
                "parachute migrate --list".to_owned(),
            ],
            Self::WouldNotStart { next, .. } | Self::HubWouldNotStart { next, .. } => {
                next.iter().cloned().chain([again]).collect()
            }
            Self::HubEnv(refused) => vec![refused.next.clone(), again],
            Self::Elsewhere { .. } => {
                vec![
                    format!("have it listen on 127.0.0.1 or 0.0.0.0, start it again, then: {again}"),
                    format!("{again} --force     (tries it; everything is undone if it is not ready)"),
                ]
            }
            Self::BadUnit(_) => vec!["parachute units render hub".to_owned()],
            Self::NoRoom { path, .. } => vec![format!("df -h {0}; ls -ld {0}", path.display())],
        }
    }
}
