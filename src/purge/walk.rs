//! Walks a directory tree by descriptor: no link is followed, no mount entered, and at any depth
//! two descriptors are open at most.
//!
//! The way up is `..`, and it must lead to the same directory that the way down came from: a directory that was moved
//! away meanwhile ends the walk.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::process::mounts::{self, MountId};

/// Flags to open a directory, and no other kind of file.
pub(super) const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// The callbacks of a walk. Paths are relative to the top.
pub(super) trait Visit {
    /// A directory has been opened; it contains these names.
    fn enter(&mut self, dir: BorrowedFd<'_>, at: &Path, names: &[OsString]);
    /// Anything but a directory: a file, a link, a FIFO, a socket, a device.
    fn file(&mut self, dir: BorrowedFd<'_>, at: &Path, name: &OsStr, stat: &Stat);
    /// All entries of a directory have been visited; `above` is its parent.
    fn leave(&mut self, above: BorrowedFd<'_>, at: &Path, name: &OsStr);
    /// A mount point: it is not entered.
    fn mount(&mut self, at: PathBuf);
    /// Its metadata cannot be read.
    fn failed(&mut self, at: PathBuf, error: io::Error);
}

/// One directory on the way down.
struct Level {
    inode: u64,
    /// Directories in it that are still to be visited.
    left: Vec<OsString>,
}

/// Walks everything below `top`, on its mount only.
///
/// # Errors
/// The top cannot be read, or a directory was moved while it was visited.
pub(super) fn walk(top: BorrowedFd<'_>, mount: MountId, visit: &mut dyn Visit) -> io::Result<()> {
    let mut here = open(top, OsStr::new("."))?;
    let mut at = PathBuf::new();
    let mut levels = vec![enter(here.as_fd(), &at, mount, visit)?];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.left.pop() {
            let inside = at.join(&name);
            match open(here.as_fd(), &name).and_then(|dir| Ok((mounts::of(dir.as_fd())?, dir))) {
                // Mounted since its name was checked.
                Ok((other, _)) if other != mount => visit.mount(inside),
                Ok((_, dir)) => match enter(dir.as_fd(), &inside, mount, visit) {
                    Ok(level) => {
                        levels.push(level);
                        (here, at) = (dir, inside);
                    }
                    Err(error) => visit.failed(inside, error),
                },
                Err(error) => visit.failed(inside, error),
            }
            continue;
        }
        levels.pop();
        let Some(level) = levels.last() else { return Ok(()) };
        let above = open(here.as_fd(), OsStr::new(".."))?;
        if rustix::fs::fstat(&above)?.st_ino != level.inode || mounts::of(above.as_fd())? != mount {
            return Err(io::Error::other(format!("{} was moved during this", at.display())));
        }
        if let Some(name) = at.file_name() {
            visit.leave(above.as_fd(), &at, name);
        }
        at.pop();
        here = above;
    }
    Ok(())
}

fn open(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, OFlags::RDONLY | DIRECTORY, Mode::empty())?)
}

/// Visits all entries of a directory except its directories, which are left for later.
fn enter(dir: BorrowedFd<'_>, at: &Path, mount: MountId, visit: &mut dyn Visit) -> io::Result<Level> {
    let names = names(dir)?;
    let inode = rustix::fs::fstat(dir)?.st_ino;
    visit.enter(dir, at, &names);
    let mut left = Vec::new();
    for name in names {
        // The mount first: a file system whose server is gone would not answer.
        match mounts::of_name(dir, &name).and_then(|its| Ok((its, kind(dir, &name, its == mount)?))) {
            Ok((its, _)) if its != mount => visit.mount(at.join(name)),
            Ok((_, Some(stat))) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                left.push(name);
            }
            Ok((_, Some(stat))) => visit.file(dir, at, &name, &stat),
            Ok((_, None)) => {}
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => visit.failed(at.join(name), error),
        }
    }
    // Taken from the end, so this gives the order by name.
    left.reverse();
    Ok(Level { inode, left })
}

fn kind(dir: BorrowedFd<'_>, name: &OsStr, ours: bool) -> Result<Option<Stat>, Errno> {
    if !ours {
        return Ok(None);
    }
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(Some)
}

/// The names in a directory, sorted.
pub(super) fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}
