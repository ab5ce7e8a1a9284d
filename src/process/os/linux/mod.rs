//! Linux: /proc, netlink sock_diag, pidfd.

mod exit;
mod netlink;
mod pidfd;
mod proc;
mod sockets;
mod stat;
mod tcp_table;

#[path = "../posix.rs"]
mod posix;

pub(super) use exit::ExitWatch;
pub(super) use pidfd::send;
pub(super) use posix::{end_if_any, group_exists, send_group};
pub(super) use proc::{
    all, become_subreaper, children, command_line, cwd, environ, exe, info, now, own_memory, resident,
};
pub(super) use sockets::{holders, holds, listeners};
