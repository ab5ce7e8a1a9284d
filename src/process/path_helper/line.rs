//! One helper that runs, from the hub's side.
#![expect(clippy::disallowed_methods, reason = "edge: starts this program once more, to look at paths")]

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::server::NAME;
use crate::process::group::{self, Signal};
use crate::process::id::ProcessId;
use crate::process::os::{self, ExitWatch};
use crate::process::table;

/// How a helper is started.
#[derive(Debug, Clone)]
pub(crate) struct Starter {
    program: PathBuf,
    args: Vec<OsString>,
}

/// A running helper. Dropped, it sees the end of its socket and ends.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: tokio::net::UnixStream,
    id: ProcessId,
}

impl Starter {
    /// By the program of this process, also if its file was replaced since.
    ///
    /// # Errors
    /// The program is unknown.
    pub(crate) fn of_this_program() -> io::Result<Self> {
        // A link to the very file that is executed (proc_pid_exe(5)).
        let linked = PathBuf::from("/proc/self/exe");
        let program = if cfg!(target_os = "linux") { linked } else { std::env::current_exe()? };
        Ok(Self { program, args: Vec::new() })
    }

    /// By another program, with arguments.
    #[cfg(test)]
    pub(super) fn of(program: &str, args: &[&str]) -> Self {
        Self { program: program.into(), args: args.iter().map(Into::into).collect() }
    }

    /// Starts one. `ended` is called when it has ended and was reaped. To be called by the thread whose end shall end the
    /// helper, in a runtime.
    ///
    /// # Errors
    /// The system cannot start another process.
    pub(super) fn start(&self, ended: impl FnOnce(&ProcessId) + Send + 'static) -> io::Result<Line> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&self.program);
        command.arg0(NAME).args(&self.args).env_clear();
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        // The command holds the helper's end as well: while it does, the helper's exit would not be noticed.
        drop(command);
        let known = table::identify(child.id());
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (Ok(Some(id)), Some(pid)) = (known, pid) else {
            // It ends when its socket closes. Unreaped, it is one of the zombies that the hub reaps from time to time.
            return Err(io::ErrorKind::NotFound.into());
        };
        let watch = ExitWatch::new(pid, None);
        let whom = id.clone();
        tokio::spawn(async move {
            watch.ended().await;
            // If the hub has reaped it with the orphans that it adopts, there is nothing left to do.
            let _ = os::end_if_any(pid);
            ended(&whom);
        });
        Ok(Line { stream: tokio::net::UnixStream::from_std(ours)?, id })
    }
}

impl Line {
    pub(super) fn id(&self) -> &ProcessId {
        &self.id
    }

    /// SIGKILL, in the hope that it dies some day: one that hangs in a system call may not.
    pub(super) fn kill(&self) {
        let _ = group::signal(&self.id, Signal::Kill);
    }
}
