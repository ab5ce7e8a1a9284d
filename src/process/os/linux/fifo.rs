//! FIFOs: made in a directory that is open, and limited in size.
#![expect(clippy::disallowed_methods, reason = "edge: reads how much the pipes of a user may hold")]

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::io::Errno;

const LIMIT: &str = "/proc/sys/fs/pipe-user-pages-soft";

/// Makes a FIFO, for its owner only. `path` is its path, `dir` the directory that it is in.
pub(in crate::process) fn make_fifo(dir: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    Ok(rustix::fs::mkfifoat(dir, name, Mode::RUSR | Mode::WUSR)?)
}

/// How many pages the pipes of a user may have together (0: any number) and how large a page is, in bytes. `None`: the
/// kernel has no such limit. Read once.
pub(in crate::process) fn pipe_pages() -> Option<(u64, u64)> {
    static READ: OnceLock<Option<u64>> = OnceLock::new();
    let read = || std::fs::read_to_string(LIMIT).ok()?.trim().parse().ok();
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    READ.get_or_init(read).map(|pages| (pages, page))
}

/// Changes how many bytes a pipe or FIFO holds (F_SETPIPE_SZ, fcntl(2)).
pub(in crate::process) fn set_capacity(fifo: BorrowedFd<'_>, bytes: u64) -> io::Result<()> {
    let bytes = usize::try_from(bytes).map_err(|_| Errno::INVAL)?;
    rustix::pipe::fcntl_setpipe_size(fifo, bytes)?;
    Ok(())
}
