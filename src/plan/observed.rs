//! The target of a step, as it is found on the machine: before the step, after it, and after a crash. Pure.
//!
//! One type serves all three cases, so that the observations can be compared. The observation before a step goes into
//! the journal, with all data needed to restore it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::Fingerprint;
use super::daemon::{RunningDaemon, names};
use crate::home::rename::{self, Glimpse};
use crate::manager::state::{Active, Told};
use crate::process::id::ProcessId;

/// The longest previous text that is kept in the journal itself, bytes. A longer one, and one that is not UTF-8, is
/// copied into a file.
pub(crate) const INLINE_LIMIT: u64 = 64 * 1024;

/// The target of a step, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Observed {
    /// A name in a directory.
    File {
        /// The file with the name.
        entry: Entry,
    },
    /// A unit: its file, and what the manager has read.
    Unit {
        /// The file with its name.
        entry: Entry,
        /// What the manager has read of it; absent where a manager reads a unit only when it is started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<UnitRead>,
        /// Whether it runs: a unit that was stopped must be stopped again before its file is removed.
        active: Active,
    },
    /// A directory.
    Dir {
        /// The directory, or what is in its place.
        dir: Dir,
    },
    /// Permission bits.
    Mode {
        /// The bits; absent if the name does not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// The two names of a move.
    Names {
        /// The file with each name; a name that does not exist is left out.
        at: BTreeMap<PathBuf, FileIdentity>,
    },
    /// Whether a unit is enabled.
    Enabled {
        /// It is.
        enabled: bool,
        /// Whether it runs: a boot starts enabled units, so undoing that may mean stopping it.
        active: Active,
    },
    /// Whether a unit runs.
    Running {
        /// Its state, as the manager reports it.
        active: Active,
        /// Its main process, if it has one: shows whether it was restarted in between.
        #[serde(default, rename = "life", skip_serializing_if = "Option::is_none")]
        process: Option<ProcessId>,
        /// Of a socket: whether its service runs. A socket starts only while its service is stopped, and a client of
        /// it starts the service: undoing a step about a socket is also about its service. Absent for a service, and
        /// in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<Active>,
    },
    /// Whether the services of a user run without a login.
    Linger {
        /// They do.
        on: Told<bool>,
    },
    /// Detached daemons.
    Daemons {
        /// Those of the step that run, and the data needed to start each again.
        #[serde(rename = "up")]
        running: Vec<RunningDaemon>,
    },
    /// The step only waits.
    Nothing,
}

/// The file with a name in a directory. A link is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Entry {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// User id of its owner.
        uid: u32,
        /// Group id of its owner.
        gid: u32,
        /// Hash and length of its content.
        #[serde(flatten)]
        fingerprint: Fingerprint,
        /// Its content, to restore it.
        kept: Kept,
    },
    /// A symbolic link.
    Link {
        /// Its target, as it is written in the link.
        to: PathBuf,
    },
    /// A kind that no step replaces: a directory, FIFO, socket or device.
    Other {
        /// The kind, with an article.
        what: String,
    },
}

/// The place of a file's previous content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// In this value.
    Text(String),
    /// In this file, once it has been copied there.
    Saved(PathBuf),
}

/// What a manager has read of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitRead {
    /// The file as it is now.
    Current,
    /// An earlier content of the file, or a file that no longer exists.
    Stale,
    /// Another file, which takes precedence.
    Elsewhere(PathBuf),
    /// It knows no such unit.
    Nothing,
}

/// A directory, or the file in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Dir {
    /// Nothing.
    Absent {
        /// The directory, and those above it that are missing too, topmost first.
        missing: Vec<PathBuf>,
    },
    /// An empty directory.
    Empty {
        /// Permission bits.
        mode: u32,
    },
    /// A directory with something in it.
    Occupied {
        /// Permission bits.
        mode: u32,
    },
    /// Another file, there or above it.
    Blocked {
        /// The file in the way.
        by: PathBuf,
    },
}

/// Identifies a file or directory across a move. Its content is not read: it may be
/// gigabytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// What kind of file it is.
    pub kind: Kind,
    /// Device of its file system. The number may change with a boot.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Length in bytes.
    pub len: u64,
    /// Last modification: seconds since the epoch.
    pub modified: i64,
    /// Nanoseconds of the last modification.
    pub nanoseconds: i64,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device.
    Special,
}

/// The file with a name in a directory, in short: enough to notice a change since the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Glance {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Hash and length of its content.
        #[serde(flatten)]
        fingerprint: Fingerprint,
    },
    /// A symbolic link.
    Link {
        /// Its target, as it is written in the link.
        to: PathBuf,
    },
    /// A directory, FIFO, socket or device.
    Other,
    /// A file that will be moved.
    #[serde(rename = "thing")]
    Moved(FileIdentity),
}

impl From<&Entry> for Glance {
    fn from(entry: &Entry) -> Self {
        match entry {
            Entry::Absent => Self::Absent,
            Entry::File { mode, fingerprint, .. } => {
                Self::File { mode: *mode, fingerprint: fingerprint.clone() }
            }
            Entry::Link { to } => Self::Link { to: to.clone() },
            Entry::Other { .. } => Self::Other,
        }
    }
}

impl From<rename::FileKind> for Kind {
    fn from(kind: rename::FileKind) -> Self {
        match kind {
            rename::FileKind::File => Self::File,
            rename::FileKind::Dir => Self::Dir,
            rename::FileKind::Link => Self::Link,
            rename::FileKind::Special => Self::Special,
        }
    }
}

impl From<&Glimpse> for FileIdentity {
    fn from(seen: &Glimpse) -> Self {
        let Glimpse { kind, dev, ino, len, modified: (modified, nanoseconds) } = *seen;
        Self { kind: kind.into(), dev, ino, len, modified, nanoseconds }
    }
}

impl FileIdentity {
    /// Whether both are the same file: the same inode, or a copy on another file system, with its times as exact as
    /// that file system keeps them.
    #[must_use]
    pub(crate) fn same(&self, other: &Self) -> bool {
        let inode = (self.dev, self.ino) == (other.dev, other.ino);
        // The length of a directory depends on its file system.
        let len = self.kind == Kind::Dir || self.len == other.len;
        let fine = self.nanoseconds / 1_000 == other.nanoseconds / 1_000;
        let coarse = self.nanoseconds == 0 || other.nanoseconds == 0;
        self.kind == other.kind && (inode || (len && self.modified == other.modified && (fine || coarse)))
    }
}

impl Kind {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Dir => "a directory",
            Self::Link => "a link",
            Self::Special => "a FIFO, socket or device",
        }
    }
}

impl Entry {
    /// Whether both look the same from outside: the place of the kept content is ignored.
    #[must_use]
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { mode, uid, gid, fingerprint, kept: _ },
                Self::File {
                    mode: other_mode,
                    uid: other_uid,
                    gid: other_gid,
                    fingerprint: other_fingerprint,
                    kept: _,
                },
            ) => (mode, uid, gid, fingerprint) == (other_mode, other_uid, other_gid, other_fingerprint),
            _ => self == other,
        }
    }

    /// Whether it is a regular file with this mode and content.
    #[must_use]
    pub(crate) fn holds(&self, wanted_mode: u32, wanted: &Fingerprint) -> bool {
        matches!(self, Self::File { mode, fingerprint, .. } if *mode == wanted_mode && fingerprint == wanted)
    }

    /// Its text, if it is a short text.
    #[must_use]
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::File { kept: Kept::Text(text), .. } => Some(text),
            _ => None,
        }
    }

    /// The copy that must be made before the file is changed, and the content to copy.
    #[must_use]
    pub fn saved(&self) -> Option<(&PathBuf, &Fingerprint)> {
        match self {
            Self::File { kept: Kept::Saved(copy), fingerprint, .. } => Some((copy, fingerprint)),
            _ => None,
        }
    }
}

impl Observed {
    /// The file with this name, in short, if the step replaces or moves it.
    #[must_use]
    pub(crate) fn glance(&self, name: &Path) -> Option<Glance> {
        match self {
            Self::Names { at } => Some(at.get(name).cloned().map_or(Glance::Absent, Glance::Moved)),
            _ => self.entry().map(Glance::from),
        }
    }

    /// The file with the name, if the step is about a file.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::File { entry } | Self::Unit { entry, .. } => Some(entry),
            Self::Dir { .. }
            | Self::Mode { .. }
            | Self::Names { .. }
            | Self::Enabled { .. }
            | Self::Running { .. }
            | Self::Linger { .. }
            | Self::Daemons { .. }
            | Self::Nothing => None,
        }
    }

    pub(crate) fn words(&self) -> String {
        match self {
            Self::File { entry } | Self::Unit { entry, read: None | Some(UnitRead::Current), .. } => {
                match entry {
                    Entry::Absent => "there is no such file".to_owned(),
                    Entry::File { mode, .. } => format!("different content or mode ({mode:04o})"),
                    Entry::Link { to } => format!("a link to {}", to.display()),
                    Entry::Other { what } => what.clone(),
                }
            }
            Self::Unit { read: Some(UnitRead::Stale), .. } => {
                "the manager has an older version loaded".to_owned()
            }
            Self::Unit { read: Some(UnitRead::Elsewhere(path)), .. } => {
                format!("the manager reads {} instead", path.display())
            }
            Self::Unit { read: Some(UnitRead::Nothing), .. } => "the manager does not accept it".to_owned(),
            Self::Dir { dir } => match dir {
                Dir::Absent { .. } => "there is no such directory".to_owned(),
                Dir::Empty { mode } | Dir::Occupied { mode } => format!("a directory with mode {mode:04o}"),
                Dir::Blocked { by } => format!("{} is no directory", by.display()),
            },
            Self::Mode { mode: Some(mode) } => format!("mode {mode:04o}"),
            Self::Mode { mode: None } => "it does not exist".to_owned(),
            Self::Names { at } => {
                let there: Vec<String> = at
                    .iter()
                    .map(|(path, found)| format!("{} at {}", found.kind.words(), path.display()))
                    .collect();
                if there.is_empty() { "neither name exists".to_owned() } else { there.join(", ") }
            }
            Self::Enabled { enabled: true, .. } => "it is enabled".to_owned(),
            Self::Enabled { enabled: false, .. } => "it is not enabled".to_owned(),
            Self::Running { active, .. } => match active {
                Active::Running => "it runs",
                Active::Starting => "it is still starting",
                Active::Stopping => "it is still stopping",
                Active::Restarting => "it failed and is being restarted",
                Active::Failed => "it failed",
                Active::Stopped => "it does not run",
                Active::Idle => "it does not run, but is still loaded",
            }
            .to_owned(),
            Self::Linger { on } => match on.known() {
                Some(true) => "services run without a login".to_owned(),
                Some(false) => "services stop at the last logout".to_owned(),
                None => "it cannot be told".to_owned(),
            },
            Self::Daemons { running } if running.is_empty() => "none of them runs".to_owned(),
            Self::Daemons { running } => {
                let names = names(running.iter().map(|daemon| (daemon.name.as_str(), &daemon.id)));
                format!("{names} {}", if running.len() == 1 { "runs" } else { "run" })
            }
            Self::Nothing => "absent".to_owned(),
        }
    }
}
