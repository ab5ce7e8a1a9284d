//! The facts about a directory that is to be deleted. Pure.

use std::path::PathBuf;

use serde::Serialize;

use crate::home::mark::Mark;
use crate::process::user::User;

/// All inputs of `judge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The path as it was named.
    pub named: PathBuf,
    /// The directory, without links and `..`.
    pub path: PathBuf,
    /// The name itself is a symbolic link.
    pub is_link: bool,
    /// It is the root of a file system or of a mount; `None`: unknown.
    pub is_mount: Option<bool>,
    /// User id of its owner.
    pub owner: u32,
    /// The hub's user.
    pub person: User,
    /// Login directories that it is or contains.
    pub logins: Vec<PathBuf>,
    /// Its mark.
    pub mark: Marked,
    /// It contains the rows, the lock and the list of running modules of a hub of a version without marks.
    pub used_before: bool,
    /// A process that uses it.
    pub user: Option<InUse>,
    /// Its content.
    pub survey: Survey,
}

/// The mark of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marked {
    /// There is none.
    No,
    /// This one.
    Yes(Mark),
    /// A file with the mark's name exists, but cannot be trusted, for this reason.
    Untrusted(String),
}

/// The user of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InUse {
    /// A hub; its pid, if it was written.
    Hub(Option<u32>),
    /// Modules whose hub has ended, as text.
    Modules(String),
    /// Whether modules run is unknown, for this reason.
    Unknown(String),
}

/// The content of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Survey {
    /// Its entries, by name.
    pub entries: Vec<Entry>,
    /// Mount points in it. Neither they nor the mounted files are touched.
    pub mounts: Vec<PathBuf>,
    /// Other homes in it.
    #[serde(skip)]
    pub homes: Vec<PathBuf>,
    /// Directories in it that cannot be read, and the reason.
    #[serde(skip)]
    pub unreadable: Vec<(PathBuf, String)>,
}

/// One entry of the directory, with its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Its name, as far as it is UTF-8.
    pub name: String,
    /// Whether it is a directory.
    pub dir: bool,
    /// How many files and links it is or contains.
    pub files: u64,
    /// Their size on disk, in bytes.
    pub bytes: u64,
}

impl Survey {
    /// Total number of files and links.
    #[must_use]
    pub(crate) fn files(&self) -> u64 {
        self.entries.iter().map(|entry| entry.files).sum()
    }

    /// Total size on disk, in bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}
