//! Which mount a file lies on, for code that must not cross into another one.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

use super::os;
pub(crate) use super::system::MountId;

/// How to open a directory that is only traversed: on Linux this needs no read permission.
pub(crate) const SEARCH: rustix::fs::OFlags = os::SEARCH;

/// The mount of an open file.
///
/// # Errors
/// It is unknown.
pub(crate) fn of(file: BorrowedFd<'_>) -> io::Result<MountId> {
    os::mount_of(file)
}

/// The mount of this name in a directory: the one mounted there, if any. A symbolic link is not
/// followed.
///
/// # Errors
/// It is unknown, or the name does not exist.
pub(crate) fn of_name(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<MountId> {
    os::mount_of_name(dir, name)
}
