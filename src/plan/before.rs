//! What a step touches, as it is found: before the step, after it, and after a crash.
//!
//! The same type answers all three questions, so that they can be compared. What is found before a step goes into
//! the journal with all that it takes to put it back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::content::Print;
use super::daemon::Up;
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
    /// What has the name of the file, if the step touches one.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::File { entry } | Self::Unit { entry, .. } => Some(entry),
            Self::Dir { .. }
            | Self::Mode { .. }
            | Self::Enabled { .. }
            | Self::Running { .. }
            | Self::Linger { .. }
            | Self::Daemons { .. }
            | Self::Nothing => None,
        }
    }
}
