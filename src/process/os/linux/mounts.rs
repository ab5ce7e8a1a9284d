//! Which mount a name lies on. Not `st_dev`: a bind mount of the same file system has the same value.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::process::system::MountId;

/// open(2): needs only the permission to search.
pub(in crate::process) const SEARCH: OFlags = OFlags::PATH;

/// The mount of an open file.
pub(in crate::process) fn of(file: BorrowedFd<'_>) -> io::Result<MountId> {
    let known = statx(file, OsStr::new(""), AtFlags::EMPTY_PATH)?;
    known.map_or_else(|| of_fdinfo(file), Ok)
}

/// The mount of this name in a directory; a symbolic link is not followed.
pub(in crate::process) fn of_name(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<MountId> {
    if let Some(known) = statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)? {
        return Ok(known);
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    of_fdinfo(rustix::fs::openat(dir, name, flags, Mode::empty())?.as_fd())
}

/// `None`: this kernel (before 5.8, statx(2)) or its seccomp filter does not report it.
fn statx(dir: BorrowedFd<'_>, name: &OsStr, flags: AtFlags) -> io::Result<Option<MountId>> {
    match rustix::fs::statx(dir, name, flags, StatxFlags::MNT_ID) {
        Ok(stat) if StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID) => {
            Ok(Some(MountId(stat.stx_mnt_id)))
        }
        Ok(_) | Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// `mnt_id:` of proc_pid_fdinfo(5), Linux 3.15.
fn of_fdinfo(file: BorrowedFd<'_>) -> io::Result<MountId> {
    let text = super::proc::fdinfo(file.as_raw_fd())?;
    text.lines()
        .find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
        .map(MountId)
        .ok_or_else(|| io::Error::other("the kernel does not report its mount"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_ask_agree() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &std::path::Path| {
            rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .unwrap()
        };
        let here = open(dir.path());
        assert_eq!(of(here.as_fd()).unwrap(), of_fdinfo(here.as_fd()).unwrap());
        let root = open("/".as_ref());
        assert_ne!(of(root.as_fd()).unwrap(), of_name(root.as_fd(), OsStr::new("proc")).unwrap());
        assert!(of_name(here.as_fd(), OsStr::new("missing")).is_err());
    }
}
