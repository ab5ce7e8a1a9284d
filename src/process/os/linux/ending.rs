//! How this process ends with another one, and what it then does not keep.
#![expect(unsafe_code, reason = "close_range has no wrapper in every C library")]

use std::ffi::{c_int, c_uint};
use std::io;

use nix::libc;
use rustix::process::{Signal, set_parent_process_death_signal};

/// SIGKILL when the thread that started this process ends (PR_SET_PDEATHSIG, prctl(2)), also while it hangs in a system
/// call that a signal can end.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Sets the close-on-exec flag of all descriptors from this number on. `false`: a kernel before 5.11.
pub(super) fn close_range_on_exec(first: c_int) -> bool {
    /// `CLOSE_RANGE_CLOEXEC`: close_range(2).
    const CLOEXEC: c_uint = 1 << 2;
    // SAFETY: close_range(2) with this flag closes nothing.
    unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, CLOEXEC) == 0 }
}

/// Closes these descriptors, both included.
pub(super) fn close_range(first: c_uint, last: c_uint) {
    // SAFETY: close_range(2) on numbers that no value of this process owns: its caller closes what was inherited,
    // before anything else was opened. The result is not needed: ENOSYS leaves them open.
    unsafe {
        libc::syscall(libc::SYS_close_range, first, last, 0);
    }
}
