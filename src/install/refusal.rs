//! What a person must decide or do before anything is installed. Nothing has been changed when one of these is said.

use std::path::PathBuf;

use crate::process::holder::Occupant;
use crate::unit::token::Refused;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A unit for the whole machine, asked for without root's rights.
    #[error("a unit for the whole machine can only be installed by root")]
    NeedsRoot,
    /// Root asked for a unit of somebody's own manager.
    #[error("a person's own units are installed by that person, not by root")]
    RootInUserScope {
        /// Whom it would be for.
        person: Option<String>,
    },
    /// Nobody said that root should own the hub.
    #[error("the hub and all its modules would run as root")]
    RootForItself,
    /// A unit for somebody else, without root.
    #[error("the hub of {name} can only be installed by {name}, or by root")]
    OthersHub {
        /// Login name.
        name: String,
    },
    /// The same unit is installed somewhere else.
    #[error("the hub is already installed in {}: two units would fight for the port", path.display())]
    Twin {
        /// The other unit's file.
        path: PathBuf,
        /// What removes it.
        remove: String,
    },
    /// Somebody else listens on the hub's port.
    #[error("port {port} is taken by {}", occupant.words())]
    PortHeld {
        /// The port.
        port: u16,
        /// Who has it.
        occupant: Box<Occupant>,
    },
    /// A hub of this home runs without a manager.
    #[error(
        "a hub of this home runs in the foreground (pid {pid}, port {port}): it is not stopped behind your back"
    )]
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
    /// A unit of this name that we did not write.
    #[error("{} was not written by this program", path.display())]
    Foreign {
        /// The unit's file.
        path: PathBuf,
    },
    /// Something that is no file has the unit's name.
    #[error("{} is no regular file: it is left alone", path.display())]
    NoFile {
        /// What is in the way.
        path: PathBuf,
    },
    /// Settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A value that no unit can hold.
    #[error(transparent)]
    Unwritable(#[from] Refused),
    /// The home belongs to somebody else.
    #[error("the home {} belongs to user {owner}, not to {person}", home.display())]
    HomeOwner {
        /// The home.
        home: PathBuf,
        /// Uid of its owner.
        owner: u32,
        /// Whose hub it would be.
        person: String,
    },
    /// An earlier plan was broken off.
    #[error("an earlier `{verb}` was broken off and is not finished")]
    Unfinished {
        /// What it was.
        verb: String,
    },
}

impl Refusal {
    /// Stable code for `--json`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeedsRoot => "needs_root",
            Self::RootInUserScope { .. } => "root_in_user_scope",
            Self::RootForItself => "root_for_itself",
            Self::OthersHub { .. } => "others_hub",
            Self::Twin { .. } => "twin",
            Self::PortHeld { .. } => "port_held",
            Self::ForegroundHub { .. } => "foreground_hub",
            Self::Edited { .. } => "unit_edited",
            Self::Foreign { .. } => "unit_foreign",
            Self::NoFile { .. } => "unit_no_file",
            Self::Settings(_) => "bad_settings",
            Self::Unwritable(_) => "unwritable_value",
            Self::HomeOwner { .. } => "home_owner",
            Self::Unfinished { .. } => "unfinished",
        }
    }

    /// What to type next.
    #[must_use]
    pub fn next(&self) -> Vec<String> {
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
                "parachute init --user NAME     (as a person, which is safer)".to_owned(),
                "parachute init --user root     (if you mean it)".to_owned(),
            ],
            Self::OthersHub { name } => vec![format!("sudo parachute init --user {name}")],
            Self::Twin { remove, .. } => vec![remove.clone()],
            Self::PortHeld { occupant, .. } => {
                let other = "parachute init --port N     (another port)".to_owned();
                occupant.hints().into_iter().chain([other]).collect()
            }
            Self::ForegroundHub { .. } => one("parachute stop && parachute init"),
            Self::Edited { .. } => vec![
                "parachute init --dry-run --force     (what would change)".to_owned(),
                "parachute init --force     (what is there now is kept for `uninstall` to put back)"
                    .to_owned(),
            ],
            Self::Foreign { .. } => vec![
                "parachute init --dry-run --force     (what would change)".to_owned(),
                "parachute init --force     (`uninstall` puts the present one back)".to_owned(),
            ],
            Self::NoFile { path } => vec![format!("ls -ld {}", path.display())],
            Self::Settings(_) => one("correct it, then: parachute init"),
            Self::Unwritable(_) => one("choose another value, then: parachute init"),
            Self::HomeOwner { home, .. } => vec![format!("ls -ld {}", home.display())],
            Self::Unfinished { verb } => {
                // `init` ends whatever there is; not every verb can.
                let verb = if verb == "migrate" { verb } else { "init" };
                vec![
                    format!("parachute {verb} --resume     (finish it)"),
                    format!("parachute {verb} --rollback     (undo it)"),
                ]
            }
        }
    }
}
