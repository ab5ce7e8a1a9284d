//! What a step touches, as it is found: before the step, after it, and after a crash.
//!
//! The same type answers all three questions, so that they can be compared. What is found before a step goes into
//! the journal with all that it takes to put it back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::Print;
use super::daemon::{Up, names};
use crate::home::moving::{self, Glimpse};
use crate::manager::state::{Active, Told};
use crate::process::id::ProcessId;

/// Longest previous text that the journal itself holds, bytes. Anything longer, and anything that is not UTF-8, is
/// copied aside.
pub const INLINE: u64 = 64 * 1024;

/// What a step touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Before {
    /// A name in a directory.
    File {
        /// What has it.
        entry: Entry,
    },
    /// A unit: its file, and what the manager has read.
    Unit {
        /// What has the name of its file.
        entry: Entry,
        /// What the manager made of it; absent where a manager reads a unit only when it is started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<Read>,
        /// What runs of it: what was down must be down again before its file goes.
        active: Active,
    },
    /// A directory.
    Dir {
        /// What is there.
        dir: Dir,
    },
    /// Permission bits.
    Mode {
        /// Of what is there; absent: nothing is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// Two names, of which one is to be given up for the other.
    Names {
        /// What has which; a name that nothing has is not here.
        at: BTreeMap<PathBuf, Thing>,
    },
    /// Whether a unit starts by itself.
    Enabled {
        /// It does.
        enabled: bool,
        /// What runs of it: a boot starts what is enabled, and taking that back is taking back both.
        active: Active,
    },
    /// Whether a unit runs.
    Running {
        /// As its manager sees it.
        active: Active,
        /// Which life of it; absent if it has no process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        life: Option<ProcessId>,
    },
    /// Whether somebody's services run without a login.
    Linger {
        /// They do.
        on: Told<bool>,
    },
    /// Daemons without a manager.
    Daemons {
        /// Those of the step that run, and how each could be started again.
        up: Vec<Up>,
    },
    /// The step only waits.
    Nothing,
}

/// What has a name in a directory. A link is a link and never what it leads to.
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
        /// Its content, in short.
        #[serde(flatten)]
        print: Print,
        /// Its content, to put it back.
        kept: Kept,
    },
    /// A symbolic link.
    Link {
        /// Its text.
        to: PathBuf,
    },
    /// What no step of ours replaces: a directory, FIFO, socket or device.
    Other {
        /// Which, with an article.
        what: String,
    },
}

/// Where previous bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Here.
    Text(String),
    /// In this file, once it has been copied there.
    Saved(PathBuf),
}

/// What a manager has read of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// This very file as it is now.
    Current,
    /// This file as it was, or although it is gone.
    Stale,
    /// Another file that comes first.
    Elsewhere(PathBuf),
    /// It knows no such unit.
    Nothing,
}

/// A directory, or what is in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Dir {
    /// Nothing.
    Absent {
        /// It, and those above it that are not there either, topmost first.
        missing: Vec<PathBuf>,
    },
    /// A directory with nothing in it.
    Empty {
        /// Permission bits.
        mode: u32,
    },
    /// A directory with something in it.
    Occupied {
        /// Permission bits.
        mode: u32,
    },
    /// Something else, there or above it.
    Blocked {
        /// What is in the way.
        by: PathBuf,
    },
}

/// What is to be moved, by what it is known again by. Its bytes are not looked at: they may be gigabytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// Device of its file system. It may have another number after a boot.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Length in bytes.
    pub len: u64,
    /// Last modification: seconds since the epoch.
    pub modified: i64,
    /// And nanoseconds.
    pub nanoseconds: i64,
}

/// A kind of [`Thing`].
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

/// What has a name in a directory, in short: enough to see that somebody else changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Glance {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Its content.
        #[serde(flatten)]
        print: Print,
    },
    /// A symbolic link.
    Link {
        /// Its text.
        to: PathBuf,
    },
    /// Something else.
    Other,
    /// What is going to be moved.
    Thing(Thing),
}

impl From<&Entry> for Glance {
    fn from(entry: &Entry) -> Self {
        match entry {
            Entry::Absent => Self::Absent,
            Entry::File { mode, print, .. } => Self::File { mode: *mode, print: print.clone() },
            Entry::Link { to } => Self::Link { to: to.clone() },
            Entry::Other { .. } => Self::Other,
        }
    }
}

impl From<moving::Kind> for Kind {
    fn from(kind: moving::Kind) -> Self {
        match kind {
            moving::Kind::File => Self::File,
            moving::Kind::Dir => Self::Dir,
            moving::Kind::Link => Self::Link,
            moving::Kind::Special => Self::Special,
        }
    }
}

impl From<&Glimpse> for Thing {
    fn from(seen: &Glimpse) -> Self {
        let Glimpse { kind, dev, ino, len, modified: (modified, nanoseconds) } = *seen;
        Self { kind: kind.into(), dev, ino, len, modified, nanoseconds }
    }
}

impl Thing {
    /// Whether both are one: the same inode, or a copy of it on another file system, which has its times as far as that
    /// one keeps them.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let inode = (self.dev, self.ino) == (other.dev, other.ino);
        // The length of a directory is a matter of its file system.
        let len = self.kind == Kind::Dir || self.len == other.len;
        let fine = self.nanoseconds / 1_000 == other.nanoseconds / 1_000;
        let coarse = self.nanoseconds == 0 || other.nanoseconds == 0;
        self.kind == other.kind && (inode || (len && self.modified == other.modified && (fine || coarse)))
    }
}

impl Kind {
    /// In words, with an article.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Dir => "a directory",
            Self::Link => "a link",
            Self::Special => "a FIFO, socket or device",
        }
    }
}

impl Entry {
    /// Whether both are the same to whoever looks: where bytes are kept does not count.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { mode, uid, gid, print, kept: _ },
                Self::File { mode: other_mode, uid: other_uid, gid: other_gid, print: other_print, kept: _ },
            ) => (mode, uid, gid, print) == (other_mode, other_uid, other_gid, other_print),
            _ => self == other,
        }
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Whether it is a regular file with this mode and content.
    #[must_use]
    pub fn holds(&self, wanted_mode: u32, wanted: &Print) -> bool {
        matches!(self, Self::File { mode, print, .. } if *mode == wanted_mode && print == wanted)
    }

    /// Its text, if it is a short text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::File { kept: Kept::Text(text), .. } => Some(text),
            _ => None,
        }
    }

    /// The copy that must be made before the file is touched.
    #[must_use]
    pub fn saved(&self) -> Option<(&PathBuf, &Print)> {
        match self {
            Self::File { kept: Kept::Saved(copy), print, .. } => Some((copy, print)),
            _ => None,
        }
    }
}

impl Before {
    /// What has this name, in short, if the step replaces or moves what has it.
    #[must_use]
    pub fn glance(&self, name: &Path) -> Option<Glance> {
        match self {
            Self::Names { at } => Some(at.get(name).cloned().map_or(Glance::Absent, Glance::Thing)),
            _ => self.entry().map(Glance::from),
        }
    }

    /// What has the name of the file, if the step touches one.
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
}

impl Before {
    /// What is there, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Before::File { entry } | Before::Unit { entry, read: None | Some(Read::Current), .. } => {
                match entry {
                    Entry::Absent => "there is no such file".to_owned(),
                    Entry::File { mode, .. } => format!("another content or mode ({mode:04o})"),
                    Entry::Link { to } => format!("a link to {}", to.display()),
                    Entry::Other { what } => what.clone(),
                }
            }
            Before::Unit { read: Some(Read::Stale), .. } => {
                "the manager holds on to an earlier one".to_owned()
            }
            Before::Unit { read: Some(Read::Elsewhere(path)), .. } => {
                format!("the manager reads {} instead", path.display())
            }
            Before::Unit { read: Some(Read::Nothing), .. } => "the manager does not accept it".to_owned(),
            Before::Dir { dir } => match dir {
                Dir::Absent { .. } => "there is no such directory".to_owned(),
                Dir::Empty { mode } | Dir::Occupied { mode } => format!("a directory with mode {mode:04o}"),
                Dir::Blocked { by } => format!("{} is no directory", by.display()),
            },
            Before::Mode { mode: Some(mode) } => format!("mode {mode:04o}"),
            Before::Mode { mode: None } => "there is nothing of that name".to_owned(),
            Before::Names { at } => {
                let there: Vec<String> = at
                    .iter()
                    .map(|(path, thing)| format!("{} at {}", thing.kind.words(), path.display()))
                    .collect();
                if there.is_empty() { "neither name is there".to_owned() } else { there.join(", ") }
            }
            Before::Enabled { enabled: true, .. } => "it starts by itself".to_owned(),
            Before::Enabled { enabled: false, .. } => "it does not start by itself".to_owned(),
            Before::Running { active, .. } => match active {
                Active::Running => "it runs",
                Active::Starting => "it is still starting",
                Active::Stopping => "it is still stopping",
                Active::Restarting => "it died and is being started again",
                Active::Failed => "it failed",
                Active::Stopped => "it does not run",
                Active::Idle => "it does not run any more, and is still loaded",
            }
            .to_owned(),
            Before::Linger { on } => match on.known() {
                Some(true) => "services run without a login".to_owned(),
                Some(false) => "services end at the last logout".to_owned(),
                None => "it cannot be told".to_owned(),
            },
            Before::Daemons { up } if up.is_empty() => "none of them runs".to_owned(),
            Before::Daemons { up } => {
                let names = names(up.iter().map(|up| (up.name.as_str(), &up.id)));
                format!("{names} {}", if up.len() == 1 { "runs" } else { "run" })
            }
            Before::Nothing => "nothing".to_owned(),
        }
    }
}
