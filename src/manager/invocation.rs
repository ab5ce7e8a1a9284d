//! A tool's invocation as a value, its output, and the only trait through which tools are run. Pure.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use crate::duration;
use crate::module::shell;

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
        f.write_str(&shell::quote(self.program))?;
        for arg in &self.args {
            write!(f, " {}", shell::quote(&arg.to_string_lossy()))?;
        }
        Ok(())
    }
}

/// The target of the events of [`Ran`] (`debug`) and [`Answered`] (`trace`): what `-v` and `-vv` show.
pub const COMMAND: &str = "parachute::command";

/// A command that has ended, in one line: `+ systemctl --user show x.service (12 ms, exit 0)`.
#[derive(Debug, Clone, Copy)]
pub struct Ran<'a> {
    /// What was run.
    pub invocation: &'a Invocation,
    /// How long it took.
    pub took: Duration,
    /// The result of a tool.
    pub end: &'a io::Result<ToolOutput>,
}

impl fmt::Display for Ran<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+ {} ({}, ", self.invocation, duration::lived(self.took))?;
        match self.end {
            Ok(ToolOutput { code: Some(code), .. }) => write!(f, "exit {code})"),
            Ok(ToolOutput { code: None, .. }) => f.write_str("killed by a signal)"),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => f.write_str("timed out)"),
            Err(error) => write!(f, "not run: {error})"),
        }
    }
}

/// What a tool answered, line by line: `  | ` its standard output, `  ! ` its standard error.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a>(pub &'a ToolOutput);

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = [("  | ", &self.0.stdout), ("  ! ", &self.0.stderr)];
        let mut lines = streams.iter().flat_map(|(mark, text)| text.lines().map(move |line| (mark, line)));
        if let Some((mark, line)) = lines.next() {
            write!(f, "{mark}{line}")?;
        }
        lines.try_for_each(|(mark, line)| write!(f, "\n{mark}{line}"))
    }
}

/// The result of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

impl ToolOutput {
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
    fn run(&self, invocation: &Invocation) -> impl Future<Output = io::Result<ToolOutput>>;
}

impl<R: Runner> Runner for &R {
    async fn run(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
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

    #[test]
    fn a_run_is_one_line() {
        let invocation = Invocation::ask("systemctl", &["--user", "show", "a b.service", "$x"]);
        let line = |ms, end: io::Result<ToolOutput>| {
            Ran { invocation: &invocation, took: Duration::from_millis(ms), end: &end }.to_string()
        };
        let ended = |code| Ok(ToolOutput { code, ..ToolOutput::default() });
        let failed = |kind, text: &str| Err(io::Error::new(kind, text.to_owned()));
        for (line, tail) in [
            (line(12, ended(Some(0))), "(12 ms, exit 0)"),
            (line(1_234, ended(Some(5))), "(1.2 s, exit 5)"),
            (line(0, ended(None)), "(0 ms, killed by a signal)"),
            (line(15_000, failed(io::ErrorKind::TimedOut, "late")), "(15.0 s, timed out)"),
            (
                line(0, failed(io::ErrorKind::NotFound, "there is no systemctl")),
                "(0 ms, not run: there is no systemctl)",
            ),
        ] {
            assert_eq!(line, format!("+ systemctl --user show 'a b.service' '$x' {tail}"));
        }
    }

    #[test]
    fn an_answer_has_a_mark_before_each_line() {
        let said = |stdout: &str, stderr: &str| {
            Answered(&ToolOutput { code: Some(0), stdout: stdout.to_owned(), stderr: stderr.to_owned() })
                .to_string()
        };
        assert_eq!(said("a\nb\n", "c"), "  | a\n  | b\n  ! c");
        assert_eq!(said("", ""), "");
    }
}
