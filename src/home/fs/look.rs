//! Reads metadata of files without opening them.
#![expect(clippy::disallowed_methods, reason = "edge: looks at files of the home")]

use std::fs::{File, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::FsError;
use crate::module::timestamp::Timestamp;

/// Changes when a file is written or replaced, or when its permissions change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Last modification, nanoseconds since the epoch.
    pub modified: i128,
    /// Last change of its metadata, owner and mode included: an unreadable file may be readable now.
    pub changed: i128,
    /// Inode: changes with an atomic replacement.
    pub inode: u64,
    /// Length in bytes.
    pub len: u64,
}

/// The signature of the file that `path` leads to; `None` if it cannot be seen.
#[must_use]
pub(crate) fn signature(path: &Path) -> Option<Signature> {
    std::fs::metadata(path).ok().map(|meta| signature_of(&meta))
}

/// The signature of the file with this name, which may be a link.
#[must_use]
pub(crate) fn signature_of_name(path: &Path) -> Option<Signature> {
    std::fs::symlink_metadata(path).ok().map(|meta| signature_of(&meta))
}

fn signature_of(meta: &Metadata) -> Signature {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Signature {
        modified: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        changed: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
        len: meta.len(),
    }
}

/// Whether the name exists, even as a dangling link.
#[must_use]
pub(crate) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Whether it leads to a directory.
#[must_use]
pub(crate) fn is_dir(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_dir())
}

/// Permission bits of the file that `path` leads to.
#[must_use]
pub(crate) fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|m| m.permissions().mode() & 0o7777)
}

/// Owner of the file that `path` leads to.
#[must_use]
pub(crate) fn owner(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|m| m.uid())
}

/// Bytes free for this user, and bytes in total, of the file system of `path`.
#[must_use]
pub(crate) fn space(path: &Path) -> Option<(u64, u64)> {
    let system = rustix::fs::statvfs(path).ok()?;
    Some((system.f_bavail.saturating_mul(system.f_frsize), system.f_blocks.saturating_mul(system.f_frsize)))
}

/// Whether `path` and the open file have the same device and inode.
#[must_use]
pub(crate) fn is_same(path: &Path, file: &File) -> bool {
    let id = |m: &Metadata| (m.dev(), m.ino());
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => id(&named) == id(&open),
        _ => false,
    }
}

/// The target of a symbolic link.
///
/// # Errors
/// [`FsError`], also if it is not a link.
pub(crate) fn read_link(path: &Path) -> Result<PathBuf, FsError> {
    std::fs::read_link(path).map_err(FsError::io("read the link", path))
}

/// When the file that `path` leads to was last written.
///
/// # Errors
/// [`FsError`].
pub(crate) fn modified(path: &Path) -> Result<Timestamp, FsError> {
    let time = std::fs::metadata(path).and_then(|meta| meta.modified());
    time.map(Timestamp::of).map_err(FsError::io("look at", path))
}

/// The path without links and dots, if it exists; else unchanged.
#[must_use]
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.components().collect())
}

/// Whether this user may create and remove names in a directory.
///
/// # Errors
/// [`FsError`]: the reason why not.
pub(crate) fn may_write(dir: &Path) -> Result<(), FsError> {
    let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(dir, wanted).map_err(|errno| FsError::io("write to", dir)(errno.into()))
}

/// ST_NOEXEC of Linux (statvfs(3)). macOS reports only RDONLY and NOSUID, so noexec is not detected there.
const NOEXEC: u64 = 8;

/// Whether the file system of a directory is mounted noexec, where the system reports it.
#[must_use]
pub(crate) fn forbids_programs(dir: &Path) -> bool {
    rustix::fs::statvfs(dir).is_ok_and(|system| system.f_flag.bits() & NOEXEC != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unreadable file that becomes readable is not written in between.
    #[test]
    fn a_change_of_permissions_changes_the_signature() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "x").unwrap();
        let before = signature(&path);
        assert_eq!(signature(&path), before);
        // The clock of a file system may not advance for some milliseconds.
        let changed = (0..1_000_000).any(|_| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            signature(&path) != before
        });
        assert!(changed, "{before:?}");
    }
}
