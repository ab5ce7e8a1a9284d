//! Files: read with a size limit, written atomically. An edge: no other file of this room calls `std::fs`.
//!
//! A reader never blocks on a FIFO and never reads a device without limit; after a crash a writer leaves the old file
//! or the new one. Every error names the operation and the file.
#![expect(clippy::disallowed_methods, reason = "edge: reads, writes, renames and removes files of the home")]

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

mod look;
mod replace;
pub(crate) use look::{
    Signature, exists, forbids_programs, is_dir, is_same, may_write, mode, modified, owner, read_link,
    resolved, signature, signature_of_name, space,
};
pub(crate) use replace::{Staged, cut, put, put_unsynced, stage, sweep};
pub(super) use replace::{temp_beside, temp_name, temp_prefix};

/// Mode of files that only their owner reads.
pub(crate) const PRIVATE: u32 = 0o600;
/// Mode of directories that only their owner enters.
pub(crate) const PRIVATE_DIR: u32 = 0o700;

/// Which operation failed on which file.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// The system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// File.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A FIFO, device, socket or directory where a file is expected.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// Larger than the limit.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
        limit: u64,
    },
    /// Root would write there for a user who does not own the directory.
    #[error("{} does not belong to user {uid}, for whom it would be written to", path.display())]
    NotTheirs {
        /// Directory.
        path: PathBuf,
        /// The user.
        uid: u32,
    },
}

impl FsError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// Whether the file, or a directory above it, does not exist.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    }
}

/// The bytes of a regular file of at most `limit` bytes.
///
/// # Errors
/// [`FsError`]; [`FsError::is_absent`] if the file does not exist.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FsError> {
    let file = open_read(path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FsError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(FsError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// The same; `None` if the file does not exist.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FsError> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// [`FsError`].
pub(crate) fn open_read(path: &Path) -> Result<File, FsError> {
    open_regular(path, OpenOptions::new().read(true))
}

/// Opens a regular file for appending; creates it with mode 0600.
///
/// # Errors
/// [`FsError`].
pub(crate) fn open_append(path: &Path) -> Result<File, FsError> {
    open_regular(path, OpenOptions::new().append(true).create(true).mode(PRIVATE))
}

/// Appends to a file in one write, so that several writers do not mix; creates it with mode 0600.
///
/// # Errors
/// [`FsError`].
pub(crate) fn append(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    open_append(path)?.write_all(bytes).map_err(FsError::io("write", path))
}

/// Opens a regular file for reading and writing, without truncation; creates it with mode 0600.
///
/// # Errors
/// [`FsError`].
pub(crate) fn open_update(path: &Path) -> Result<File, FsError> {
    open_regular(path, OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE))
}

fn open_regular(path: &Path, options: &mut OpenOptions) -> Result<File, FsError> {
    // A FIFO without a peer blocks open(2) unless O_NONBLOCK is given, which has no effect on a regular file.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = match options.custom_flags(flags).open(path) {
        // fifo(7): opening a FIFO without a reader for writing would block.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(FsError::NotRegular(path.to_owned()));
        }
        other => other.map_err(FsError::io("open", path))?,
    };
    if file.metadata().map_err(FsError::io("look at", path))?.is_file() {
        Ok(file)
    } else {
        Err(FsError::NotRegular(path.to_owned()))
    }
}

/// The directory that a name is in.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs a directory, so that renames in it survive a power cut.
///
/// # Errors
/// [`FsError`].
pub(crate) fn sync_dir(dir: &Path) -> Result<(), FsError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(FsError::io("sync", dir))
}

/// Creates a directory and those above it; new ones get `mode`, existing ones keep theirs.
///
/// # Errors
/// [`FsError`].
pub(crate) fn make_dir(path: &Path, mode: u32) -> Result<(), FsError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(FsError::io("make the directory", path))
}

/// Renames within a file system, without syncing: for rotation, which need not survive a power cut.
///
/// # Errors
/// [`FsError`].
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    std::fs::rename(from, to).map_err(FsError::io("rename", from))
}

/// Removes a file. `false`: it did not exist.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn remove(path: &Path) -> Result<bool, FsError> {
    there(std::fs::remove_file(path), "remove", path)
}

/// Removes a directory if it is empty. `false`: it does not exist or is not empty.
///
/// # Errors
/// [`FsError`] for everything else.
pub(crate) fn remove_empty_dir(path: &Path) -> Result<bool, FsError> {
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        other => there(other, "remove", path),
    }
}

/// Removes a directory with everything in it. Links are removed, their targets stay.
///
/// # Errors
/// [`FsError`]; then part of it may be removed.
pub(crate) fn remove_tree(path: &Path) -> Result<(), FsError> {
    std::fs::remove_dir_all(path).map_err(FsError::io("delete", path))
}

fn there(result: io::Result<()>, doing: &'static str, path: &Path) -> Result<bool, FsError> {
    match result.map_err(FsError::io(doing, path)) {
        Ok(()) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The names in a directory, sorted; none if it does not exist.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn list(dir: &Path) -> Result<Vec<OsString>, FsError> {
    let entries = match std::fs::read_dir(dir).map_err(FsError::io("list", dir)) {
        Ok(entries) => entries,
        Err(error) if error.is_absent() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<OsString> = entries
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<Result<_, _>>()
        .map_err(FsError::io("list", dir))?;
    names.sort();
    Ok(names)
}

/// Sets the permission bits of a file that we own.
///
/// # Errors
/// [`FsError`].
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(FsError::io("set the mode of", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn temp() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn put_replaces_atomically_with_the_mode_and_leaves_no_temporary_file() {
        let dir = temp();
        let path = dir.path().join("f");
        put(&path, 0o640, b"one").unwrap();
        let before = signature(&path).unwrap();
        put(&path, PRIVATE, b"two!").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"two!");
        assert_eq!(mode(&path), Some(0o600));
        assert_ne!(signature(&path), Some(before));
        assert_eq!(list(dir.path()).unwrap(), ["f"]);
    }

    #[test]
    fn a_staged_file_that_is_not_committed_is_removed() {
        let dir = temp();
        let path = dir.path().join("f");
        put(&path, PRIVATE, b"old").unwrap();
        let staged = stage(&path, PRIVATE, b"new").unwrap();
        assert_eq!(list(dir.path()).unwrap().len(), 2);
        drop(staged);
        assert_eq!((read(&path, 9).unwrap(), list(dir.path()).unwrap().len()), (b"old".to_vec(), 1));
        // A directory is in the way: the rename fails, and the temporary file is removed too.
        make_dir(&dir.path().join("d/x"), PRIVATE_DIR).unwrap();
        let error = put(&dir.path().join("d"), PRIVATE, b"").unwrap_err().to_string();
        assert!(error.starts_with("cannot replace ") && error.ends_with("/d"), "{error}");
        assert_eq!(list(dir.path()).unwrap(), ["d", "f"]);
    }

    #[test]
    fn a_sweep_removes_only_temporary_files_of_this_path() {
        let dir = temp();
        let at = |name: &str| dir.path().join(name);
        std::mem::forget(stage(&at("f"), PRIVATE, b"half").unwrap());
        for name in ["f", ".f.tmp", "f.tmp-1-2", ".g.tmp-1"] {
            put(&at(name), PRIVATE, b"").unwrap();
        }
        sweep(&at("f"));
        assert_eq!(list(dir.path()).unwrap(), [".f.tmp", ".g.tmp-1", "f", "f.tmp-1-2"]);
    }

    #[test]
    fn links_are_written_through_and_loops_end() {
        let dir = temp();
        let at = |name: &str| dir.path().join(name);
        make_dir(&at("real"), PRIVATE_DIR).unwrap();
        symlink("real/target", at("link")).unwrap();
        put(&at("link"), PRIVATE, b"x").unwrap();
        assert_eq!(read(&at("real/target"), 9).unwrap(), b"x");
        assert_eq!(read_link(&at("link")).unwrap(), Path::new("real/target"));
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        assert!(put(&at("a"), PRIVATE, b"").is_err());
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let dir = temp();
        let at = |name: &str| dir.path().join(name);
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [at("fifo"), PathBuf::from("/dev/zero"), dir.path().to_owned()] {
            assert!(matches!(read(&path, 9), Err(FsError::NotRegular(p)) if p == path));
        }
        assert!(matches!(open_append(&at("fifo")), Err(FsError::NotRegular(_))));
        put(&at("ten"), PRIVATE, &[7; 10]).unwrap();
        assert_eq!(read(&at("ten"), 10).unwrap().len(), 10);
        assert!(matches!(read(&at("ten"), 9), Err(FsError::TooLarge { limit: 9, .. })));
        assert_eq!(read_if_there(&at("ten/below"), 9).unwrap(), None);
        assert_eq!(read_if_there(&at("none"), 9).unwrap(), None);
        assert!(read(&at("none"), 9).unwrap_err().to_string().ends_with("/none"));
    }

    #[test]
    fn a_large_file_is_truncated_in_place_and_its_end_kept() {
        let dir = temp();
        let (path, aside) = (dir.path().join("l"), dir.path().join("l.1"));
        assert_eq!(cut(&path, &aside, 10).unwrap(), None, "the file does not exist");
        let mut writer = open_append(&path).unwrap();
        writer.write_all(b"one\ntwo\nthree\n").unwrap();
        assert_eq!(cut(&path, &aside, 14).unwrap(), None);
        assert_eq!(cut(&path, &aside, 8).unwrap(), Some(14));
        assert_eq!((read(&aside, 99).unwrap(), mode(&aside)), (b"three\n".to_vec(), Some(PRIVATE)));
        writer.write_all(b"four\n").unwrap();
        assert_eq!(read(&path, 99).unwrap(), b"four\n", "an open writer continues");
        writer.write_all(&[b'x'; 20]).unwrap();
        assert_eq!(cut(&path, &aside, 8).unwrap(), Some(25));
        assert_eq!(read(&aside, 99).unwrap(), [b'x'; 8], "a line without end is kept as it is");
        put_unsynced(&path, PRIVATE, b"new").unwrap();
        assert_eq!((read(&path, 9).unwrap(), list(dir.path()).unwrap().len()), (b"new".to_vec(), 2));
    }

    #[test]
    fn directories_and_removal() {
        let dir = temp();
        let deep = dir.path().join("a/b");
        make_dir(&deep, PRIVATE_DIR).unwrap();
        make_dir(&deep, 0o755).unwrap();
        assert_eq!((mode(&deep), is_dir(&deep)), (Some(0o700), true));
        let mut file = open_append(&deep.join("log")).unwrap();
        file.write_all(b"x").unwrap();
        assert_eq!(mode(&deep.join("log")), Some(0o600));
        assert!(is_same(&deep.join("log"), &file));
        assert!(!remove_empty_dir(&deep).unwrap());
        rename(&deep.join("log"), &deep.join("log.1")).unwrap();
        assert!(!exists(&deep.join("log")));
        assert!(remove(&deep.join("log.1")).unwrap() && !remove(&deep.join("log.1")).unwrap());
        assert!(remove_empty_dir(&deep).unwrap() && !remove_empty_dir(&deep).unwrap());
        assert_eq!(list(&deep).unwrap(), [""; 0]);
    }
}
