//! Takes descriptors that the parent process left open for this one.
#![expect(unsafe_code, reason = "a descriptor known by its number alone must be vouched for")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// They are taken once: taking them again would close those in use.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// More numbers than these are not looked at one by one.
const MOST: u64 = 65_536;

/// Takes `count` descriptors from `first` on. From here on no child inherits them.
pub(in crate::process) fn take(first: RawFd, count: u16) -> io::Result<Vec<OwnedFd>> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(io::Error::other("they were taken already"));
    }
    let numbers = first..first.saturating_add(RawFd::from(count));
    if let Some(closed) = numbers.clone().find(|raw| !is_open(*raw)) {
        return Err(io::Error::other(format!("descriptor {closed} is not open")));
    }
    // SAFETY: each is open, as was just checked. No other code in this process owns it: it was open before `main`, this
    // runs at most once, and the caller promises that it runs before anything of ours is opened and kept.
    let taken: Vec<OwnedFd> = numbers.map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }).collect();
    for fd in &taken {
        fcntl_setfd(fd, fcntl_getfd(fd)? | FdFlags::CLOEXEC)?;
    }
    Ok(taken)
}

/// Closes, in every child that is executed from here on, the descriptors that are open now, from `first` on.
pub(in crate::process) fn close_in_children(first: RawFd) {
    if super::close_range_on_exec(first) {
        return;
    }
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(MOST);
    for raw in first..RawFd::try_from(most.min(MOST)).unwrap_or(first) {
        // SAFETY: a flag of a number; one that is not open is answered with EBADF, and no owner of one is misled by a
        // flag that all of ours have.
        unsafe { nix::libc::fcntl(raw, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) };
    }
}

fn is_open(raw: RawFd) -> bool {
    // SAFETY: F_GETFD takes no argument and changes nothing; a number that is not open is answered with EBADF.
    unsafe { nix::libc::fcntl(raw, nix::libc::F_GETFD) != -1 }
}
