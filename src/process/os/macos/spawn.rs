//! Starts a child by posix_spawn(3), or, with another descriptor limit than ours, by fork(2).
#![expect(clippy::disallowed_methods, reason = "edge: starts modules")]
#![expect(unsafe_code, reason = "what runs between fork and exec must be vouched for")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Resource;

use crate::process::system::{Born, Order};

/// Starts a child.
pub(in crate::process) fn spawn(order: &Order<'_>) -> io::Result<Born> {
    debug_assert!(order.cgroup.is_none(), "macOS has no cgroups");
    let mut command = Command::new(order.program);
    if let Some((first, rest)) = order.argv.split_first() {
        command.arg0(first).args(rest);
    }
    command.env_clear().envs(order.env.iter().map(|(key, value)| (key, value)));
    if let Some(cwd) = order.cwd {
        command.current_dir(cwd);
    }
    // Copies that end with the command, when this returns.
    let [stdout, stderr] = [order.stdout, order.stderr].map(|fd| fd.try_clone_to_owned());
    command.process_group(0).stdin(Stdio::null()).stdout(stdout?).stderr(stderr?);
    if let Some(limit) = order.limit {
        // SAFETY: between fork and exec only what is async-signal-safe may run: this is one system call, which
        // allocates nothing and takes no lock (signal-safety(7)).
        unsafe {
            command.pre_exec(move || Ok(rustix::process::setrlimit(Resource::Nofile, limit)?));
        }
    }
    let child = command.spawn()?;
    Ok(Born { pid: child.id(), pidfd: None })
}
