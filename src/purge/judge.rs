//! Whether a directory may be deleted with its content. Pure.

use std::path::PathBuf;

use super::facts::{Facts, InUse, Marked};
use crate::error_chain::Hints;
use crate::home::mark;
use crate::module::shell::quote_path as quoted;

/// Why it is not deleted. When one of these is returned, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not deleted: {because}", path.display())]
pub(crate) struct PurgeRefusal {
    /// The directory.
    pub path: PathBuf,
    /// The reason.
    pub because: Because,
}

/// The reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Because {
    /// The name is a link.
    #[error("it is a symbolic link to {}", .0.display())]
    Link(PathBuf),
    /// It is or contains a login directory.
    #[error("{} is a login directory", .0.display())]
    Login(PathBuf),
    /// A mount point, or `/`.
    #[error("it is the root of a file system or a mount point")]
    Mount,
    /// The kernel does not report mounts.
    #[error("its mount is unknown")]
    MountUnknown,
    /// It belongs to another user.
    #[error("it belongs to user {owner}, not to {person}")]
    Owner {
        /// User id.
        owner: u32,
        /// Login name of the hub's user.
        person: String,
    },
    /// It contains other homes.
    #[error("it contains another home: {}", .0.display())]
    Home(PathBuf),
    /// There is no proof that it is a home.
    #[error("it has no mark file ({}) of parachute", mark::NAME)]
    Unmarked,
    /// It existed before parachute used it.
    #[error("it was not made by parachute: it held other files when it was first used")]
    NotMade,
    /// The mark names another directory.
    #[error("its mark file ({}) is that of {}: it was copied or moved", mark::NAME, .0.display())]
    OtherMark(PathBuf),
    /// The mark cannot be trusted.
    #[error("its mark file ({}) cannot be trusted: {_0}", mark::NAME)]
    Untrusted(String),
    /// A part of it cannot be read, so its content is unknown.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The part.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A hub uses it.
    #[error("a hub is using it{}", .0.map_or_else(String::new, |pid| format!(" (pid {pid})")))]
    Hub(Option<u32>),
    /// Modules of it run.
    #[error("{0}")]
    Modules(String),
    /// Whether modules run is unknown.
    #[error("whether modules of it run is unknown: {0}")]
    ModulesUnknown(String),
}

impl Hints for PurgeRefusal {
    fn hints(&self) -> Vec<String> {
        let ls = |path: &PathBuf| vec![format!("ls -la {}", quoted(path))];
        match &self.because {
            Because::Link(to) => {
                vec![format!("parachute --home {} uninstall --purge --dry-run", quoted(to))]
            }
            Because::Hub(_) => vec![format!("parachute --home {} stop", quoted(&self.path))],
            Because::Modules(_) => vec![
                format!("parachute --home {} serve     (then Ctrl-C: it stops them)", quoted(&self.path)),
                format!("parachute --home {} status", quoted(&self.path)),
            ],
            Because::ModulesUnknown(_) => {
                vec![format!("parachute --home {} status", quoted(&self.path))]
            }
            Because::Home(inner) => vec![
                format!("parachute --home {} uninstall --purge --dry-run", quoted(inner)),
                format!("ls -la {}", quoted(&self.path)),
            ],
            Because::Unreadable { path, .. } => vec![format!("ls -ld {}", quoted(path))],
            Because::Login(_)
            | Because::Mount
            | Because::MountUnknown
            | Because::Owner { .. }
            | Because::Unmarked
            | Because::NotMade
            | Because::OtherMark(_)
            | Because::Untrusted(_) => ls(&self.path),
        }
    }
}

/// Whether it may be deleted.
///
/// # Errors
/// [`PurgeRefusal`].
pub(crate) fn judge(facts: &Facts) -> Result<(), PurgeRefusal> {
    because(facts).map_or(Ok(()), |because| Err(PurgeRefusal { path: facts.path.clone(), because }))
}

fn because(facts: &Facts) -> Option<Because> {
    if facts.is_link {
        return Some(Because::Link(facts.path.clone()));
    }
    if let Some(login) = facts.logins.first() {
        return Some(Because::Login(login.clone()));
    }
    match facts.is_mount {
        Some(false) => {}
        Some(true) => return Some(Because::Mount),
        None => return Some(Because::MountUnknown),
    }
    if facts.owner != facts.person.uid {
        return Some(Because::Owner { owner: facts.owner, person: facts.person.name.clone() });
    }
    match &facts.mark {
        Marked::Yes(mark) if !mark.made => return Some(Because::NotMade),
        Marked::Yes(mark) if mark.path != facts.path => {
            return Some(Because::OtherMark(mark.path.clone()));
        }
        Marked::Yes(_) => {}
        Marked::Untrusted(why) => return Some(Because::Untrusted(why.clone())),
        Marked::No if facts.used_before => {}
        Marked::No => return Some(Because::Unmarked),
    }
    if let Some((path, why)) = facts.survey.unreadable.first() {
        return Some(Because::Unreadable { path: path.clone(), why: why.clone() });
    }
    if let Some(home) = facts.survey.homes.first() {
        return Some(Because::Home(home.clone()));
    }
    facts.user.as_ref().map(|user| match user {
        InUse::Hub(pid) => Because::Hub(*pid),
        InUse::Modules(words) => Because::Modules(words.clone()),
        InUse::Unknown(why) => Because::ModulesUnknown(why.clone()),
    })
}
