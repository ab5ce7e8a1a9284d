//! Which mount a file lies on, for those who must not cross into another one.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

use super::os;
pub use super::system::MountId;

/// How a directory is opened that is only passed through: on Linux that needs no right to read it.
pub const SEARCH: rustix::fs::OFlags = os::SEARCH;

/// The mount of an open file.
///
/// # Errors
/// It cannot be told.
pub fn of(file: BorrowedFd<'_>) -> io::Result<MountId> {
    os::mount_of(file)
}

/// The mount of what has this name in a directory: of what is mounted there, where something is. A symbolic link is not
/// followed.
///
/// # Errors
/// It cannot be told, or nothing has the name.
pub fn of_name(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<MountId> {
    os::mount_of_name(dir, name)
}
