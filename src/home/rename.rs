//! Moves a file, link or tree to another name, and never replaces anything, not even a dangling link. An edge.
//!
//! Within a file system this is one rename. Across two it is a copy beside the new name, synced and then renamed; the
//! old name is set aside and removed only after both were compared. So at every moment one of the two
//! names has the complete tree, and other files that a killed move leaves are temporary: [`tidy`].
#![expect(
    clippy::disallowed_methods,
    reason = "edge: moves files and trees, also between file systems; removes what it has copied"
)]

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::fs::{self, FsError, PRIVATE, PRIVATE_DIR, directory, sync_dir, temp_name, temp_prefix};

/// The kind of file that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device.
    Special,
}

/// The metadata that identifies a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glimpse {
    /// Its kind.
    pub kind: FileKind,
    /// Device of its file system.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Length in bytes.
    pub len: u64,
    /// Last modification: seconds since the epoch, and nanoseconds.
    pub modified: (i64, i64),
}

/// Why it was not moved. It is still at its old name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FsError),
    /// The new name exists.
    #[error("{} exists already", .0.display())]
    Taken(PathBuf),
    /// The copy differs from the original, which has changed.
    #[error("{} changed while it was copied to another file system", .0.display())]
    Changed(PathBuf),
    /// It cannot be copied to another file system.
    #[error("{} is {what}, which cannot be copied to another file system", path.display())]
    Uncopiable {
        path: PathBuf,
        /// Its kind, with an article.
        what: &'static str,
    },
}

/// Reads the metadata of a name; `None` if it does not exist.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn glimpse(path: &Path) -> Result<Option<Glimpse>, FsError> {
    Ok(meta_of(path)?.map(|meta| Glimpse {
        kind: kind(&meta),
        dev: meta.dev(),
        ino: meta.ino(),
        len: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
    }))
}

/// Moves `from` to `to` and syncs, or finishes such a move. If it is already done, does
/// nothing.
///
/// # Errors
/// [`MoveError`].
pub(crate) fn relocate(from: &Path, to: &Path) -> Result<(), MoveError> {
    match place(from, to) {
        Ok(()) => Ok(settle(from, to)?),
        Err(Errno::XDEV) if !fs::exists(to) => across(from, to),
        Err(Errno::XDEV | Errno::EXIST) => finish(from, to),
        Err(Errno::NOENT) if !fs::exists(from) && fs::exists(to) => Ok(()),
        Err(errno) => Err(FsError::io("move", from)(errno.into()).into()),
    }
}

/// Removes temporary files of a killed move between these two names, in either direction. A file that may be the only
/// copy stays. Only for the holder of the lock of the installation.
///
/// # Errors
/// [`FsError`].
pub(crate) fn tidy(from: &Path, to: &Path) -> Result<(), FsError> {
    if !fs::exists(from) && !fs::exists(to) {
        return Ok(());
    }
    for path in [from, to] {
        let Some(prefix) = temp_prefix(path) else { continue };
        for name in fs::list(directory(path))? {
            if name.as_bytes().starts_with(prefix.as_bytes()) {
                discard(&directory(path).join(name))?;
            }
        }
    }
    Ok(())
}

/// Renames without replacing.
fn place(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // rename(2): not every file system supports the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => place_plainly(from, to),
        other => other,
    }
}

fn place_plainly(from: &Path, to: &Path) -> Result<(), Errno> {
    let is_dir = meta_of(from).ok().flatten().is_some_and(|meta| meta.is_dir());
    // link(2) never replaces, and does not work on directories.
    if !is_dir {
        match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()) {
            Ok(()) => return rustix::fs::unlink(from),
            Err(Errno::PERM | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    if fs::exists(to) { Err(Errno::EXIST) } else { rustix::fs::rename(from, to) }
}

fn settle(from: &Path, to: &Path) -> Result<(), FsError> {
    sync_dir(directory(to))?;
    if directory(from) == directory(to) { Ok(()) } else { sync_dir(directory(from)) }
}

fn across(from: &Path, to: &Path) -> Result<(), MoveError> {
    let temp = temp_name(to);
    let copied = copy(from, &temp, None).and_then(|()| match place(&temp, to) {
        Ok(()) => Ok(sync_dir(directory(to))?),
        Err(Errno::EXIST) => Err(MoveError::Taken(to.to_owned())),
        Err(errno) => Err(FsError::io("move", &temp)(errno.into()).into()),
    });
    if let Err(error) = copied {
        // If it fails, the next run tries again.
        let _ = discard(&temp);
        return Err(error);
    }
    if !alike(from, to)? {
        discard(to)?;
        return Err(MoveError::Changed(from.to_owned()));
    }
    retire(from)
}

/// The new name exists. If it is our copy, or another name of the same file, only the old name has to be removed.
fn finish(from: &Path, to: &Path) -> Result<(), MoveError> {
    let (Some(old), Some(new)) = (meta_of(from)?, meta_of(to)?) else {
        return Err(MoveError::Taken(to.to_owned()));
    };
    let one = (old.dev(), old.ino()) == (new.dev(), new.ino());
    // Two names of one directory are a mount: removing the contents of one removes those of both.
    let ours = if one { !old.is_dir() } else { alike(from, to)? };
    if ours { retire(from) } else { Err(MoveError::Taken(to.to_owned())) }
}

/// Renames the old name away at once, then removes its files.
fn retire(from: &Path) -> Result<(), MoveError> {
    let aside = temp_name(from);
    fs::rename(from, &aside)?;
    sync_dir(directory(from))?;
    Ok(discard(&aside)?)
}

/// Removes a useless copy.
fn discard(path: &Path) -> Result<(), FsError> {
    match meta_of(path)? {
        None => return Ok(()),
        Some(meta) if meta.is_dir() => {
            if fs::remove_tree(path).is_err() {
                // The owner can make a read-only directory writable.
                open_up(path)?;
                fs::remove_tree(path)?;
            }
        }
        Some(_) => {
            fs::remove(path)?;
        }
    }
    sync_dir(directory(path))
}

fn open_up(dir: &Path) -> Result<(), FsError> {
    fs::set_mode(dir, PRIVATE_DIR)?;
    for name in fs::list(dir)? {
        let path = dir.join(name);
        if meta_of(&path)?.is_some_and(|meta| meta.is_dir()) {
            open_up(&path)?;
        }
    }
    Ok(())
}

/// Copies a file, link or tree with modes, owners and times (not extended attributes or hard links); every
/// file is synced when this returns. `tree` is the device of the tree that it is part of.
fn copy(from: &Path, to: &Path, tree: Option<u64>) -> Result<(), MoveError> {
    let meta = std::fs::symlink_metadata(from).map_err(FsError::io("look at", from))?;
    let uncopiable = |what| Err(MoveError::Uncopiable { path: from.to_owned(), what });
    match kind(&meta) {
        FileKind::Link => {
            std::os::unix::fs::symlink(fs::read_link(from)?, to).map_err(FsError::io("make", to))?
        }
        FileKind::File => copy_bytes(from, to)?,
        FileKind::Dir if tree.is_some_and(|dev| dev != meta.dev()) => return uncopiable("a mount point"),
        FileKind::Dir => {
            fs::make_dir(to, PRIVATE_DIR)?;
            for name in fs::list(from)? {
                copy(&from.join(&name), &to.join(&name), Some(tree.unwrap_or(meta.dev())))?;
            }
        }
        FileKind::Special => return uncopiable("a FIFO, socket or device"),
    }
    // Only root may change the owner; for other users the copy is their own, as with cp(1).
    let _ = std::os::unix::fs::lchown(to, Some(meta.uid()), Some(meta.gid()));
    if !meta.is_symlink() {
        fs::set_mode(to, mode(&meta))?;
    }
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    };
    rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| FsError::io("set the time of", to)(errno.into()))?;
    match kind(&meta) {
        FileKind::File | FileKind::Dir => Ok(synced(to)?),
        FileKind::Link | FileKind::Special => Ok(()),
    }
}

fn copy_bytes(from: &Path, to: &Path) -> Result<(), FsError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut source =
        OpenOptions::new().read(true).custom_flags(flags).open(from).map_err(FsError::io("open", from))?;
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(PRIVATE).open(to);
    let mut target = made.map_err(FsError::io("create", to))?;
    io::copy(&mut source, &mut target).map_err(FsError::io("copy", from))?;
    target.sync_data().map_err(FsError::io("sync", to))
}

/// Syncs mode and times. The data is synced already, so an unreadable file can be skipped.
fn synced(path: &Path) -> Result<(), FsError> {
    match File::open(path) {
        Ok(file) => file.sync_all().map_err(FsError::io("sync", path)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(FsError::io("open", path)(error)),
    }
}

/// Whether two trees are the same by names, kinds, modes, lengths, times and link texts.
fn alike(one: &Path, other: &Path) -> Result<bool, FsError> {
    let (Some(a), Some(b)) = (meta_of(one)?, meta_of(other)?) else { return Ok(false) };
    if kind(&a) != kind(&b) || (!a.is_symlink() && mode(&a) != mode(&b)) || !same_time(&a, &b) {
        return Ok(false);
    }
    Ok(match kind(&a) {
        FileKind::File => a.len() == b.len(),
        FileKind::Link => fs::read_link(one)? == fs::read_link(other)?,
        FileKind::Special => false,
        FileKind::Dir => {
            let names = fs::list(one)?;
            if names != fs::list(other)? {
                return Ok(false);
            }
            for name in names {
                if !alike(&one.join(&name), &other.join(&name))? {
                    return Ok(false);
                }
            }
            true
        }
    })
}

/// A file system may store times only to the microsecond or second.
fn same_time(a: &Metadata, b: &Metadata) -> bool {
    let (fine, coarse) = (a.mtime_nsec(), b.mtime_nsec());
    a.mtime() == b.mtime() && (fine / 1_000 == coarse / 1_000 || fine == 0 || coarse == 0)
}

fn meta_of(path: &Path) -> Result<Option<Metadata>, FsError> {
    match std::fs::symlink_metadata(path).map_err(FsError::io("look at", path)) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

fn mode(meta: &Metadata) -> u32 {
    meta.permissions().mode() & 0o7777
}

fn kind(meta: &Metadata) -> FileKind {
    let kind = meta.file_type();
    if kind.is_symlink() {
        FileKind::Link
    } else if kind.is_dir() {
        FileKind::Dir
    } else if kind.is_file() {
        FileKind::File
    } else {
        FileKind::Special
    }
}

#[cfg(test)]
mod tests;
