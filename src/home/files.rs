//! How the files of a definition are looked at: by this process itself, or by another one whose answers are here already.
//!
//! A verb of a person looks directly: it may be interrupted. The hub may not hang, so it has these paths looked at by
//! another process (see [`crate::process::path_helper`]).

use std::path::{Path, PathBuf};

use super::fs::{self, FsError};

/// Looks at directories and files.
pub(crate) trait Files {
    /// Whether this leads to a directory.
    fn is_dir(&self, path: &Path) -> bool;

    /// The bytes of a regular file of at most `limit` bytes; `None` if it does not exist.
    ///
    /// # Errors
    /// [`FsError`] for everything but absence.
    fn read_if_there(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FsError>;
}

/// By this process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Direct;

impl Files for Direct {
    fn is_dir(&self, path: &Path) -> bool {
        fs::is_dir(path)
    }

    fn read_if_there(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FsError> {
        fs::read_if_there(path, limit)
    }
}

/// What will be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Is it a directory?
    pub dirs: Vec<PathBuf>,
    /// Files to be read, and the limit of each.
    pub files: Vec<(PathBuf, u64)>,
}
