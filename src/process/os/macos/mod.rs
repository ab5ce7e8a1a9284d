//! macOS: libproc and sysctl. Type-checked on every change, never run in tests: kept thin.

mod daemon;
mod fifo;
mod layout;
mod mounts;
mod proc;
mod send;
mod sockets;
mod spawn;

#[path = "../apart.rs"]
mod apart;
#[path = "../inherited_fds.rs"]
mod inherited_fds;
#[path = "../posix.rs"]
mod posix;

pub(super) use apart::stand_apart;
pub(super) use daemon::{age, identity, streams, uptime};
pub(super) use fifo::{make_fifo, pipe_pages, set_capacity};
pub(super) use inherited_fds::{close_in_children, take as take_inherited_fds};
pub(super) use mounts::{SEARCH, of as mount_of, of_name as mount_of_name};
pub(super) use posix::{
    detach, discard, end_if_any, group_exists, ignores_hangup, is_child, send_group, zombie_child,
};
pub(super) use proc::{
    all, become_subreaper, children, command_line, cwd, environ, exe, has_open_below, info, now,
    possible_orphans, resident,
};
pub(super) use send::{ExitWatch, StrangerWatch, send};
pub(super) use sockets::{holders, holds, listeners, listens};
pub(super) use spawn::spawn;

/// Nothing to set: this allocator returns freed memory to the system.
pub(super) fn settle_heap() -> bool {
    true
}

/// Nothing to do: see above.
pub(super) fn trim_heap() -> bool {
    true
}

/// macOS has no control groups.
pub(super) fn cgroup(_pid: u32) -> Option<String> {
    None
}

/// There is no such table as a file: a place that does not answer is named by its path.
pub(super) fn mount_table() -> Option<Vec<u8>> {
    None
}

/// Nothing to set: a helper sees the end of the hub at its socket.
fn die_with_parent() -> std::io::Result<()> {
    Ok(())
}

/// There is no such call: what was inherited stays open.
fn close_range(_first: std::ffi::c_uint, _last: std::ffi::c_uint) {}

/// macOS has no such call.
fn close_range_on_exec(_first: std::ffi::c_int) -> bool {
    false
}
