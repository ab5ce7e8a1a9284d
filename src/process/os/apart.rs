//! Sets a process that has just begun apart from the process that started it, except for one socket.
#![expect(unsafe_code, reason = "signals are ignored, and what was inherited is closed, by number")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::fs::{Mode, OFlags};

/// What a terminal or a service manager sends to all processes of a hub. A helper ends with the hub instead.
const IGNORED: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Standard input is the socket and is returned. From here on the three standard streams are `/dev/null`, no other
/// descriptor is open, the session is its own, the directory is `/`, and it ends with the parent.
///
/// To be called first, in a process with one thread.
pub(in crate::process) fn stand_apart() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    drop(null);
    let keep = socket.as_raw_fd().unsigned_abs();
    close(3, keep.saturating_sub(1));
    close(keep + 1, libc::c_uint::MAX);
    // Fails only for the leader of a group, which no terminal of another session reaches either.
    let _ = rustix::process::setsid();
    for number in IGNORED {
        // SAFETY: ignoring a signal installs no code.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    rustix::process::chdir("/")?;
    super::die_with_parent()?;
    Ok(socket)
}

/// Closes what was inherited. A kernel that cannot (before 5.9, close_range(2)) leaves it open: the hub's own descriptors
/// are all closed at an exec.
fn close(first: libc::c_uint, last: libc::c_uint) {
    if first <= last {
        super::close_range(first, last);
    }
}
