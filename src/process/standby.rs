//! A second process of this program that survives if this one is killed: in its own session, at the other end of a
//! socket that only we hold open. The kernel closes the socket however we end, so end of file there means that we have
//! ended.
//!
//! ```text
//! we                          the standby
//! post ──── starts ─────────► answer: "here"        only then is anything stopped
//!   …                         waits
//! dismiss ── "done" ────────► Call::Dismissed       nothing to do
//! (killed) ─ end of file ───► Call::Alone           takes over
//! ```
#![expect(clippy::disallowed_methods, reason = "edge: starts this program once more, to stand by")]

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Sent by the standby once it is in its own session.
const HERE: &[u8] = b"here";
/// Sent to the standby when nothing is left to do.
const DONE: &[u8] = b"done";
/// Longest wait for a local program to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that waits for our end.
#[derive(Debug)]
pub(crate) struct Standby {
    child: Child,
    line: UnixStream,
}

/// Why a standby was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// The process that posted it is done.
    Dismissed,
    /// The process that posted it ended without a message.
    Alone,
}

impl Standby {
    /// Starts `program` with these arguments and without these variables, and waits until it stands by. It inherits
    /// standard error, so that its output appears where ours did.
    ///
    /// # Errors
    /// It cannot be started, or does not answer within 10 s; then it does not run.
    pub(crate) fn post(program: &Path, args: &[OsString], without: &[&str]) -> io::Result<Self> {
        let (line, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        for name in without {
            command.env_remove(name);
        }
        let child = command.spawn()?;
        // The command holds the child's end as well: while it does, the child's exit would not be noticed.
        drop(command);
        let mut standby = Self { child, line };
        standby.line.set_read_timeout(Some(PATIENCE))?;
        let mut said = [0; HERE.len()];
        match standby.line.read_exact(&mut said) {
            Ok(()) if said == HERE => Ok(standby),
            Ok(()) => Err(standby.dropped(io::ErrorKind::InvalidData.into())),
            Err(error) => Err(standby.dropped(error)),
        }
    }

    /// Tells it that nothing is left to do, and waits until it has exited.
    pub(crate) fn dismiss(mut self) {
        // If it has already exited, it needs no message.
        let _ = self.line.write_all(DONE);
        let _ = self.line.shutdown(Shutdown::Both);
        let _ = self.child.wait();
    }

    fn dropped(mut self, error: io::Error) -> io::Error {
        let _ = self.child.kill();
        let _ = self.child.wait();
        error
    }
}

/// Stands by at the other end of the socket, which is our standard input: leaves the session, so that no terminal ends
/// us with it, reports, and waits.
///
/// # Errors
/// Standard input is not such a socket.
pub(crate) fn stand_by() -> io::Result<Call> {
    let mut line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails only for the leader of a group, which no terminal of another session reaches either.
    let _ = rustix::process::setsid();
    line.write_all(HERE)?;
    let mut said = Vec::new();
    // A connection that breaks has ended as well.
    let _ = line.read_to_end(&mut said);
    Ok(if said == DONE { Call::Dismissed } else { Call::Alone })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell in place of this program: its output goes to a file.
    fn post(dir: &Path, script: &str) -> io::Result<Standby> {
        let script = format!("cd {}; {script}", dir.display());
        Standby::post(Path::new("/bin/sh"), &["-c".into(), script.into()], &["HOME"])
    }

    #[test]
    fn it_learns_of_a_dismissal_and_of_an_exit() {
        let dir = tempfile::tempdir().unwrap();
        let script = "printf here >&0; cat > said; echo ${HOME-none} >> said";
        let said = || std::fs::read_to_string(dir.path().join("said")).unwrap();
        post(dir.path(), script).unwrap().dismiss();
        assert_eq!(said(), "donenone\n");
        let Standby { mut child, line } = post(dir.path(), script).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it waits as long as we hold the socket open");
        drop(line);
        assert!(child.wait().unwrap().success());
        assert_eq!(said(), "none\n");
    }

    #[test]
    fn a_standby_that_does_not_answer_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(post(dir.path(), "exit 1").is_err());
        assert!(post(dir.path(), "printf what >&0; cat > /dev/null").is_err());
        assert!(Standby::post(Path::new("/no/such/program"), &[], &[]).is_err());
    }
}
