//! Decisions and actions of the user that an installation needs first. When one of these is returned, nothing was
//! changed. Pure.

use std::path::{Path, PathBuf};

use super::owner::{Kinship, Owner};
use crate::error_chain::Hints;
use crate::manager::backend::Manager;
use crate::module::shell::quote as quoted;
use crate::process::holder::Occupant;
use crate::process::user::User;
use crate::unit::token::Refused;

/// The asking user, as far as a hint depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Login name of the hub's user.
    pub person: String,
    /// `--home DIR `, if it would not be the user's default home.
    pub home: String,
    /// It would be a system hub, which needs root.
    pub system: bool,
    /// It would be root's own.
    pub root: bool,
    /// The existing installation is the same user's.
    pub same: bool,
}

impl Asker {
    /// This user, about this home, where this manager has that owner's installation.
    #[must_use]
    pub fn new(person: &User, home: &Path, manager: &Manager, owner: &Owner) -> Self {
        Self {
            person: person.name.clone(),
            home: named_home(person, home),
            system: manager.is_system(),
            root: person.uid == 0,
            same: owner.kinship(person, home) == Kinship::OtherHome,
        }
    }

    fn sudo(&self) -> &'static str {
        if self.system { "sudo " } else { "" }
    }
}

/// `--home DIR `, with the trailing blank, unless it is this user's default home.
fn named_home(person: &User, home: &Path) -> String {
    if home == person.home.join(".parachute") { String::new() } else { option_home(home) }
}

/// `--home DIR `, with the trailing blank.
#[must_use]
pub(crate) fn option_home(home: &Path) -> String {
    format!("--home {} ", quoted(&home.to_string_lossy()))
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallRefusal {
    /// A system unit was requested without root's rights.
    #[error("a unit for the whole machine can only be installed by root")]
    NeedsRoot,
    /// Root requested a user unit.
    #[error("a user's own units are installed by that user, not by root")]
    RootInUserScope {
        /// The user it would be for.
        person: Option<String>,
    },
    /// Root was not named explicitly as the owner of the hub.
    #[error("the hub and all its modules would run as root")]
    RootForItself,
    /// A unit for another user, without root.
    #[error("the hub of {name} can only be installed by {name}, or by root")]
    OthersHub {
        /// Login name.
        name: String,
    },
    /// The same unit is installed in another place.
    #[error("the hub is already installed in {}: two units would compete for the port", path.display())]
    Twin {
        /// The other unit's file.
        path: PathBuf,
        /// The command that removes it.
        remove: String,
    },
    /// The installation in this place is another user's, or another home's.
    #[error("{}", of_others(owner, asking))]
    Others {
        /// Its owner.
        owner: Owner,
        /// The asking user.
        asking: Box<Asker>,
    },
    /// Its owner has an unfinished plan there.
    #[error("{}, and an earlier `{verb}` of it was interrupted", of_others(owner, asking))]
    OthersPlan {
        /// Its owner.
        owner: Owner,
        /// The verb of the plan.
        verb: String,
        /// The asking user.
        asking: Box<Asker>,
    },
    /// Another user's hub in the system manager has the same port.
    #[error("port {port} is that of the hub of {owner}, which {} starts at boot", path.display())]
    OthersPort {
        /// The port.
        port: u16,
        /// Its owner.
        owner: Owner,
        /// Its unit.
        path: PathBuf,
        /// The command that avoids it.
        other: String,
    },
    /// Another process listens on the hub's port.
    #[error("port {port} is taken by {}", occupant.words())]
    PortHeld {
        /// The port.
        port: u16,
        /// The holder.
        occupant: Box<Occupant>,
    },
    /// A hub of this home runs without a manager.
    #[error("a hub of this home runs in the foreground (pid {pid}, port {port}): stop it first")]
    ForegroundHub {
        /// Its pid.
        pid: u32,
        /// Its port.
        port: u16,
    },
    /// The unit on disk is not the one we wrote.
    #[error("{} was changed after it was installed", path.display())]
    Edited {
        /// The unit's file.
        path: PathBuf,
    },
    /// A unit with this name that we did not write.
    #[error("{} was not written by this program", path.display())]
    Foreign {
        /// The unit's file.
        path: PathBuf,
    },
    /// A directory or special file has the unit's name.
    #[error("{} is not a regular file: it is left alone", path.display())]
    NoFile {
        /// Its path.
        path: PathBuf,
    },
    /// Settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A value that no unit can hold.
    #[error(transparent)]
    Unwritable(#[from] Refused),
    /// The home belongs to another user.
    #[error("the home {} belongs to user {owner}, not to {person}", home.display())]
    HomeOwner {
        /// The home.
        home: PathBuf,
        /// Uid of its owner.
        owner: u32,
        /// The hub's user.
        person: String,
    },
    /// An earlier plan was interrupted.
    #[error("an earlier `{verb}` was interrupted and is not finished")]
    Unfinished {
        /// Its verb.
        verb: String,
    },
}

impl InstallRefusal {}

impl Hints for InstallRefusal {
    fn hints(&self) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match self {
            Self::NeedsRoot => vec![
                "sudo parachute init --scope system".to_owned(),
                "parachute init     (for you alone, without root)".to_owned(),
            ],
            Self::RootInUserScope { person: Some(name) } => vec![
                format!("as {name}: parachute init"),
                format!(
                    "parachute init --scope system --user {name}     (for the whole machine, running as {name})"
                ),
            ],
            Self::RootInUserScope { person: None } => one("parachute init --scope system --user NAME"),
            Self::RootForItself => vec![
                "parachute init --user NAME     (as that user: safer)".to_owned(),
                "parachute init --user root     (if that is intended)".to_owned(),
            ],
            Self::OthersHub { name } => vec![format!("sudo parachute init --user {name}")],
            Self::Twin { remove, .. } => vec![remove.clone()],
            Self::Others { owner, asking } => beside(owner, asking),
            Self::OthersPlan { owner, verb, asking } => {
                let verb = if verb == "migrate" { verb } else { "init" };
                let (sudo, whom) = (asking.sudo(), whom(owner, asking));
                ["--resume     (finishes it)", "--rollback     (undoes it)"]
                    .map(|way| format!("{sudo}parachute {}{verb} {}{way}", whom.home, whom.user))
                    .to_vec()
            }
            Self::OthersPort { other, .. } => vec![other.clone()],
            Self::PortHeld { occupant, .. } => {
                let other = "parachute init --port N     (another port)".to_owned();
                occupant.hints().into_iter().chain([other]).collect()
            }
            Self::ForegroundHub { .. } => one("parachute stop && parachute init"),
            Self::Edited { .. } => vec![
                "parachute init --dry-run --force     (what would change)".to_owned(),
                "parachute init --force     (`uninstall` restores what is there now)".to_owned(),
            ],
            Self::Foreign { .. } => vec![
                "parachute init --dry-run --force     (what would change)".to_owned(),
                "parachute init --force     (`uninstall` restores the present one)".to_owned(),
            ],
            Self::NoFile { path } => vec![format!("ls -ld {}", path.display())],
            Self::Settings(_) => one("correct it, then: parachute init"),
            Self::Unwritable(_) => one("choose another value, then: parachute init"),
            Self::HomeOwner { home, .. } => vec![format!("ls -ld {}", home.display())],
            Self::Unfinished { verb } => {
                // `init` can end any plan; not every verb can.
                let verb = if verb == "migrate" { verb } else { "init" };
                vec![
                    format!("parachute {verb} --resume     (finish it)"),
                    format!("parachute {verb} --rollback     (undo it)"),
                ]
            }
        }
    }
}

/// The existing installation, with its owner.
fn of_others(owner: &Owner, asking: &Asker) -> String {
    let place = if asking.system { "the hub of this machine" } else { "your hub" };
    match (&owner.home, asking.same) {
        (Some(home), true) => format!("{place} is that of another home, {}", home.display()),
        _ => format!("{place} belongs to {owner}"),
    }
}

/// The options that name an installation on a command line.
struct Whom {
    /// `--home DIR `, or empty.
    home: String,
    /// `--user NAME `, or empty.
    user: String,
}

fn whom(owner: &Owner, asking: &Asker) -> Whom {
    let home = owner.home.as_deref().filter(|_| asking.same).map_or_else(String::new, option_home);
    let user = if asking.same { String::new() } else { format!("--user {} ", quoted(&owner.person)) };
    Whom { home, user }
}

/// The command line of a verb for the existing installation.
#[must_use]
pub(crate) fn instead(owner: &Owner, asking: &Asker, verb: &str) -> String {
    let whom = whom(owner, asking);
    format!("{}parachute {}{verb} {}", asking.sudo(), whom.home, whom.user).trim_end().to_owned()
}

/// Ways to have a hub beside the existing one, or instead of it.
fn beside(owner: &Owner, asking: &Asker) -> Vec<String> {
    let (sudo, whom) = (asking.sudo(), whom(owner, asking));
    let mut hints = Vec::new();
    if asking.same {
        hints.push(format!("{sudo}parachute {}init     (keeps the present hub)", whom.home));
    } else if !asking.root {
        let person = &asking.person;
        hints.push(format!(
            "parachute {}init --port N     (as {person}, without sudo: a second hub)",
            asking.home
        ));
    }
    let user = if asking.root && !asking.same { "--user root " } else { "" };
    hints.push(format!(
        "{sudo}parachute {}init {user}--take-over --dry-run     (what would stop, and what would replace it)",
        asking.home
    ));
    hints.push(format!("{}     (removes the present hub)", instead(owner, asking, "uninstall")));
    hints
}
