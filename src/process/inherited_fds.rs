//! Descriptors that the parent process left open for this one: sd_listen_fds(3).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::net::SocketType;

use super::os;

/// The first one, after standard input, output and error: `SD_LISTEN_FDS_START` of sd_listen_fds(3).
const FIRST: RawFd = 3;

/// Takes this many of them. From here on no child inherits them.
///
/// To be called once, on the only thread, before the process opens a descriptor that it keeps: a number that was not
/// passed could otherwise be one of ours.
///
/// # Errors
/// One of them is not open, and then nothing is taken; or they were taken already.
pub(crate) fn take(count: u16) -> io::Result<Vec<OwnedFd>> {
    os::take_inherited_fds(FIRST, count)
}

/// Keeps what the parent process left open from modules: from here on no program that is executed gets a descriptor that
/// is open now, but for standard input, output and error. To be called at the start.
pub(crate) fn close_in_children() {
    os::close_in_children(FIRST);
}

/// Whether it is a stream socket that accepts connections.
///
/// # Errors
/// It is not a socket.
pub(crate) fn accepts(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_type(fd)? == SocketType::STREAM && os::listens(fd)?)
}
