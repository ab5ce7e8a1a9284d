//! Somebody who stays when we are killed: this program once more, in a session of its own, at the other end of a line
//! that only we hold open. The kernel closes it whatever ends us, so the end of the line is the end of us.
//!
//! ```text
//! we                          the standby
//! post ──── starts ─────────► answer: "here"        only then anything is stopped
//!   …                         waits
//! dismiss ── "done" ────────► Call::Dismissed       nothing to do
//! (killed) ─ end of line ───► Call::Alone           takes over
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

/// Said by the standby once it is in a session of its own.
const HERE: &[u8] = b"here";
/// Said to the standby when nothing is left to do.
const DONE: &[u8] = b"done";
/// Longest wait for a program that is on this machine to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// One that waits for our end.
#[derive(Debug)]
pub struct Standby {
    child: Child,
    line: UnixStream,
}

/// Why a standby was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Whoever posted it is done.
    Dismissed,
    /// Whoever posted it is gone, without a word.
    Alone,
}

impl Standby {
    /// Starts `program` with these arguments and without these variables, and waits until it stands by. It inherits
    /// standard error, so that what it has to tell is seen where ours was.
    ///
    /// # Errors
    /// It cannot be started, or does not answer within 10 s; it is not there then.
    pub fn post(program: &Path, args: &[OsString], without: &[&str]) -> io::Result<Self> {
        let (line, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        for name in without {
            command.env_remove(name);
        }
        let child = command.spawn()?;
        // The command holds their end as well: while it does, an end of theirs would not be seen.
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

    /// Tells it that nothing is left to do, and waits until it is gone.
    pub fn dismiss(mut self) {
        // One that is gone already needs no word.
        let _ = self.line.write_all(DONE);
        let _ = self.line.shutdown(Shutdown::Both);
        let _ = self.child.wait();
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn dropped(mut self, error: io::Error) -> io::Error {
        let _ = self.child.kill();
        let _ = self.child.wait();
        error
    }
}

/// Stands by at the other end of that line, which is our standard input: leaves the session, so that no terminal takes
/// us with it, says so, and waits.
///
/// # Errors
/// Standard input is no such line.
pub fn stand_by() -> io::Result<Call> {
    let mut line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Refused only to the leader of a group, which is one that no terminal of another session reaches either.
    let _ = rustix::process::setsid();
    line.write_all(HERE)?;
    let mut said = Vec::new();
    // A line that breaks has ended as well.
    let _ = line.read_to_end(&mut said);
    Ok(if said == DONE { Call::Dismissed } else { Call::Alone })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell in place of this program: its last words go to a file.
    fn post(dir: &Path, script: &str) -> io::Result<Standby> {
        let script = format!("cd {}; {script}", dir.display());
        Standby::post(Path::new("/bin/sh"), &["-c".into(), script.into()], &["HOME"])
    }

    #[test]
    fn it_learns_of_the_end_and_of_the_word() {
        let dir = tempfile::tempdir().unwrap();
        let script = "printf here >&0; cat > said; echo ${HOME-none} >> said";
        let said = || std::fs::read_to_string(dir.path().join("said")).unwrap();
        post(dir.path(), script).unwrap().dismiss();
        assert_eq!(said(), "donenone\n");
        let Standby { mut child, line } = post(dir.path(), script).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it waits as long as we hold the line");
        drop(line);
        assert!(child.wait().unwrap().success());
        assert_eq!(said(), "none\n");
    }

    #[test]
    fn one_that_does_not_answer_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(post(dir.path(), "exit 1").is_err());
        assert!(post(dir.path(), "printf what >&0; cat > /dev/null").is_err());
        assert!(Standby::post(Path::new("/no/such/program"), &[], &[]).is_err());
    }
}
