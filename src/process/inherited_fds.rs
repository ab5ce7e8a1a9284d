//! Descriptors that whoever started this process left open for it: sd_listen_fds(3).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::net::SocketType;

use super::os;

/// The first one, after standard input, output and error: `SD_LISTEN_FDS_START` of sd_listen_fds(3).
const FIRST: RawFd = 3;

/// Takes this many of them. No child inherits them from here on.
///
/// To be called once, on the only thread, before the process opens anything that it keeps: a number that was not
/// handed over could then be anybody's.
///
/// # Errors
/// One of them is not open; nothing is taken then. They were taken before.
pub fn take(count: u16) -> io::Result<Vec<OwnedFd>> {
    os::take_inherited_fds(FIRST, count)
}

/// Whether it is a stream socket that accepts connections.
///
/// # Errors
/// It is no socket at all.
pub fn accepts(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_type(fd)? == SocketType::STREAM && os::listens(fd)?)
}
