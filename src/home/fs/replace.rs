//! Files replaced as a whole: written beside their target and renamed over it.
#![expect(clippy::disallowed_methods, reason = "edge: replaces files of the home")]

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::look::signature;
use super::{FsError, PRIVATE, directory, list, open_update, remove, sync_dir};

/// Separates the name of a file from the unique part of its temporary name.
const TEMP: &[u8] = b".tmp-";

/// Links followed before a loop is assumed; path_resolution(7) has the same limit.
const MAX_LINKS: usize = 40;

/// A file that is written and synced beside its target, and replaces it with [`Staged::commit`]. Dropped without
/// that, it is removed.
#[derive(Debug)]
#[must_use = "commit it, or nothing is written"]
pub(crate) struct Staged {
    target: PathBuf,
    temp: PathBuf,
}

/// Writes `bytes` beside `path`, synced. A symbolic link at `path` is written through.
///
/// # Errors
/// [`FsError`]; nothing is left behind.
pub(crate) fn stage(path: &Path, mode: u32, bytes: &[u8]) -> Result<Staged, FsError> {
    let (staged, file) = write_beside(path, mode, bytes)?;
    file.sync_all().map_err(FsError::io("sync", &staged.temp))?;
    Ok(staged)
}

fn write_beside(path: &Path, mode: u32, bytes: &[u8]) -> Result<(Staged, File), FsError> {
    let target = follow(path)?;
    let (temp, mut file) = temp_beside(&target)?;
    // From here on, dropping it removes the temporary file.
    let staged = Staged { target, temp };
    let failed = |doing| FsError::io(doing, &staged.temp);
    file.write_all(bytes).map_err(failed("write"))?;
    // The umask reduced the mode that was given to open(2).
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed("set the mode of"))?;
    keep_owner(&file, &staged.target);
    Ok((staged, file))
}

impl Staged {
    /// Renames it to its target and syncs the directory.
    ///
    /// # Errors
    /// [`FsError`]; the old file stays.
    pub(crate) fn commit(self) -> Result<(), FsError> {
        std::fs::rename(&self.temp, &self.target).map_err(FsError::io("replace", &self.target))?;
        sync_dir(directory(&self.target))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a commit the temporary name is gone, and no name is used twice.
        let _ = std::fs::remove_file(&self.temp);
    }
}

/// Writes a file atomically.
///
/// # Errors
/// [`FsError`]; the old file stays.
pub(crate) fn put(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), FsError> {
    stage(path, mode, bytes)?.commit()
}

/// The same without syncing: atomic for every reader and over a crash of this process, but not over a power cut. For
/// data that is useless after a power cut, in code that must not wait for a disk.
///
/// # Errors
/// [`FsError`]; the old file stays.
pub(crate) fn put_unsynced(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), FsError> {
    let (staged, _) = write_beside(path, mode, bytes)?;
    std::fs::rename(&staged.temp, &staged.target).map_err(FsError::io("replace", &staged.target))
}

/// Truncates a file that other processes hold open for appending, once it is larger than `limit`: its last `limit`
/// bytes, from a complete line on, are written to `aside`, and it is emptied in place. Returns its old length, if it
/// was truncated.
///
/// # Errors
/// [`FsError`]; then no data is lost.
pub(crate) fn cut(path: &Path, aside: &Path, limit: u64) -> Result<Option<u64>, FsError> {
    let Some(len) = signature(path).map(|seen| seen.len).filter(|len| *len > limit) else { return Ok(None) };
    let file = open_update(path)?;
    let mut tail = vec![0; usize::try_from(limit).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut tail, len - limit).map_err(FsError::io("read", path))?;
    let line = memchr::memchr(b'\n', &tail).map_or(0, |end| end + 1);
    put(aside, PRIVATE, &tail[line..])?;
    // Its writers append (O_APPEND), so they continue at the new end: open(2).
    file.set_len(0).map_err(FsError::io("empty", path))?;
    Ok(Some(len))
}

/// The start of the temporary names for `target`; `None` if it has no name.
pub(in crate::home) fn temp_prefix(target: &Path) -> Option<OsString> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name()?);
    prefix.push(OsStr::from_bytes(TEMP));
    Some(prefix)
}

/// A unique name in the directory of `target`, which starts with [`temp_prefix`].
pub(in crate::home) fn temp_name(target: &Path) -> PathBuf {
    let mut name = temp_prefix(target).unwrap_or(OsString::from(".tmp-"));
    name.push(format!("{}-{:016x}", std::process::id(), fastrand::u64(..)));
    directory(target).join(name)
}

/// A new file with mode 0600 and a unique name in the directory of `target`.
pub(in crate::home) fn temp_beside(target: &Path) -> Result<(PathBuf, File), FsError> {
    loop {
        let temp = temp_name(target);
        match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&temp) {
            Ok(file) => return Ok((temp, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FsError::io("create", &temp)(error)),
        }
    }
}

/// If root runs this, a user's file must stay that user's. Only root may restore the owner; in all other
/// cases the new file is ours, as any file we write.
fn keep_owner(file: &File, target: &Path) {
    let Ok(old) = std::fs::metadata(target) else { return };
    let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
}

/// The target of a write to `path`: the end of a chain of symbolic links, whether it exists or not.
fn follow(path: &Path) -> Result<PathBuf, FsError> {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&at) {
            // An absolute target replaces the directory.
            Ok(next) => at = directory(&at).join(next),
            Err(_) => return Ok(at),
        }
    }
    Err(FsError::io("follow", path)(rustix::io::Errno::LOOP.into()))
}

/// Removes temporary files that a killed writer of `path` left beside it. Only for the holder of the lock of `path`:
/// it would also remove the file of a live writer.
pub(crate) fn sweep(path: &Path) {
    let Ok(target) = follow(path) else { return };
    let Some(prefix) = temp_prefix(&target) else { return };
    for entry in list(directory(&target)).unwrap_or_default() {
        if entry.as_bytes().starts_with(prefix.as_bytes()) {
            // If it fails, the next sweep tries again.
            let _ = remove(&directory(&target).join(entry));
        }
    }
}
