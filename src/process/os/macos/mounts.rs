//! Which mount a name lies on: the device, since macOS has no bind mounts (mount(2)).

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, OFlags};

use crate::process::system::MountId;

/// macOS has no `O_PATH`.
pub(in crate::process) const SEARCH: OFlags = OFlags::RDONLY;

/// The mount of an open file.
pub(in crate::process) fn of(file: BorrowedFd<'_>) -> io::Result<MountId> {
    Ok(MountId(u64::from(rustix::fs::fstat(file)?.st_dev.cast_unsigned())))
}

/// The mount of this name in a directory; a symbolic link is not followed.
pub(in crate::process) fn of_name(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<MountId> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(MountId(u64::from(stat.st_dev.cast_unsigned())))
}
