//! A tool's invocation as a value, its output, and the only trait through which tools are run.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

/// A command to run. No shell is involved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// `systemctl`, `launchctl`, …: found on PATH.
    pub program: &'static str,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables set in addition to the inherited ones.
    pub env: Vec<(&'static str, OsString)>,
    /// Whether it can change the machine.
    pub changes: bool,
    /// The tool is killed after this time.
    pub within: Duration,
}

/// Longest run of a tool that only queries.
const ASK: Duration = Duration::from_secs(15);
/// Longest run of a tool that waits for a job: longer than a unit's longest stop and start together.
const CHANGE: Duration = Duration::from_secs(180);

impl Invocation {
    /// An invocation that only queries.
    #[must_use]
    pub fn ask(program: &'static str, args: &[&str]) -> Self {
        Self::new(program, args, false, ASK)
    }

    /// An invocation that changes something.
    #[must_use]
    pub fn change(program: &'static str, args: &[&str]) -> Self {
        Self::new(program, args, true, CHANGE)
    }

    fn new(program: &'static str, args: &[&str], changes: bool, within: Duration) -> Self {
        Self { program, args: args.iter().map(OsString::from).collect(), env: Vec::new(), changes, within }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds these arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds one variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }
}

impl fmt::Display for Invocation {
    /// As typed in a shell; our arguments need quotes only for a space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)?;
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            if arg.is_empty() || arg.contains(|c: char| c.is_whitespace() || "'\"\\$`*?".contains(c)) {
                write!(f, " '{}'", arg.replace('\'', "'\\''"))?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

/// The result of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

impl Output {
    /// Exit code 0.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs tools: the only way to do so in this room.
pub trait Runner {
    /// Runs a tool to its end.
    ///
    /// # Errors
    /// The tool does not exist (`NotFound`), did not end in time (`TimedOut`), or must not be run here
    /// (`PermissionDenied`).
    fn run(&self, invocation: &Invocation) -> impl Future<Output = io::Result<Output>>;
}

impl<R: Runner> Runner for &R {
    async fn run(&self, invocation: &Invocation) -> io::Result<Output> {
        (**self).run(invocation).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_shown_as_typed() {
        let invocation = Invocation::change("launchctl", &["bootstrap", "gui/501"]).arg("/a b/it's.plist");
        assert_eq!(invocation.to_string(), r"launchctl bootstrap gui/501 '/a b/it'\''s.plist'");
        assert!(invocation.changes && !Invocation::ask("systemctl", &["show"]).changes);
    }
}
