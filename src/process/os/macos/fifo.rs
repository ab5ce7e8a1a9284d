//! FIFOs. Their size cannot be set.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::sys::stat::Mode;

/// Makes a FIFO, for its owner only. mkfifoat(2) is missing before macOS 13, so it is made by its path.
pub(in crate::process) fn make_fifo(_dir: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    Ok(nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?)
}

/// There is no such limit.
pub(in crate::process) fn pipe_pages() -> Option<(u64, u64)> {
    None
}

/// Nothing to set.
pub(in crate::process) fn set_capacity(_fifo: BorrowedFd<'_>, _bytes: u64) -> io::Result<()> {
    Ok(())
}
