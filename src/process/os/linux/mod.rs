//! Linux: /proc, netlink sock_diag, pidfd.

mod daemon;
mod ending;
mod exit;
mod fifo;
mod heap;
mod mounts;
mod netlink;
mod pidfd;
mod proc;
mod sockets;
mod spawn;
mod stat;
mod tcp_table;

#[path = "../apart.rs"]
mod apart;
#[path = "../inherited_fds.rs"]
mod inherited_fds;
#[path = "../posix.rs"]
mod posix;

// Pure, and for macOS: compiled here so that its tests run on both systems.
#[cfg(test)]
#[path = "../macos/layout.rs"]
mod layout;

pub(super) use apart::stand_apart;
pub(super) use daemon::{age, identity, streams, uptime};
use ending::{close_range, close_range_on_exec, die_with_parent};
pub(super) use exit::{ExitWatch, StrangerWatch};
pub(super) use fifo::{make_fifo, pipe_pages, set_capacity};
pub(super) use heap::{settle as settle_heap, trim as trim_heap};
pub(super) use inherited_fds::{close_in_children, take as take_inherited_fds};
pub(super) use mounts::{SEARCH, of as mount_of, of_name as mount_of_name};
pub(super) use pidfd::send;
pub(super) use posix::{
    detach, discard, end_if_any, group_exists, ignores_hangup, is_child, send_group, zombie_child,
};
pub(super) use proc::{
    all, become_subreaper, cgroup, children, command_line, cwd, environ, exe, has_open_below, info,
    mount_table, now, possible_orphans, resident,
};
pub(super) use sockets::{holders, holds, listeners, listens};
pub(super) use spawn::spawn;
