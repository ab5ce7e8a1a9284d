//! What was found of a directory that is to be deleted. Pure.

use std::path::PathBuf;

use serde::Serialize;

use crate::home::mark::Mark;
use crate::process::user::User;

/// Everything that the judgement of `judge` looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// As it was named.
    pub named: PathBuf,
    /// The directory, without links and `..`.
    pub path: PathBuf,
    /// The name itself is a symbolic link.
    pub is_link: bool,
    /// It is the root of a file system or of a mount; `None`: unknown.
    pub is_mount: Option<bool>,
    /// User id of its owner.
    pub owner: u32,
    /// Whose hub it would be.
    pub person: User,
    /// Login directories that it is, or that lie in it.
    pub logins: Vec<PathBuf>,
    /// Its mark.
    pub mark: Marked,
    /// It has the rows, the lock and the list of running modules that hubs of versions without marks left.
    pub used_before: bool,
    /// A process that uses it.
    pub user: Option<InUse>,
    /// What is in it.
    pub survey: Survey,
}

/// The mark of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marked {
    /// There is none.
    No,
    /// This one.
    Yes(Mark),
    /// Something has its name and is not to be trusted, because of this.
    Untrusted(String),
}

/// Who uses a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InUse {
    /// A hub; its pid, if it wrote it.
    Hub(Option<u32>),
    /// Modules whose hub is gone, in words.
    Modules(String),
    /// Whether modules run is unknown, because of this.
    Unknown(String),
}

/// What is in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Its entries, by name.
    pub entries: Vec<Entry>,
    /// Mount points in it. Neither they nor what is mounted there is touched.
    pub mounts: Vec<PathBuf>,
    /// Other homes in it.
    #[serde(skip)]
    pub homes: Vec<PathBuf>,
    /// Directories in it that cannot be read, and why.
    #[serde(skip)]
    pub unreadable: Vec<(PathBuf, String)>,
}

/// One entry of the directory, with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name, as far as it is text.
    pub name: String,
    /// It is a directory.
    pub dir: bool,
    /// How many files and links it is, or holds.
    pub files: u64,
    /// What they take on the disk, in bytes.
    pub bytes: u64,
}

impl Survey {
    /// Files and links in all.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.entries.iter().map(|entry| entry.files).sum()
    }

    /// Bytes on the disk in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}
