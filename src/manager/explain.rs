//! Why a manager did not do what was requested: the reason, the next command, and whether a retry helps. Pure.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::invocation::Invocation;

/// Whether the operation may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// At once.
    Safe,
    /// After this time: the obstacle is temporary.
    After(Duration),
    /// Only after a user has changed something: otherwise it would fail again.
    Never,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What happened: a lowercase fragment without a full stop. Lines of a log may follow, each on its own line.
    pub what: String,
    /// Whether the operation may be retried.
    pub retry: Retry,
    /// The next command, if one helps.
    pub next: Option<String>,
}

impl Cause {
    /// The user must change something.
    pub fn never(what: impl Into<String>) -> Self {
        Self { what: what.into(), retry: Retry::Never, next: None }
    }

    /// It may be retried at once.
    pub fn safe(what: impl Into<String>) -> Self {
        Self { what: what.into(), retry: Retry::Safe, next: None }
    }

    /// It is temporary.
    pub fn after(wait: Duration, what: impl Into<String>) -> Self {
        Self { what: what.into(), retry: Retry::After(wait), next: None }
    }

    /// Adds the next command.
    #[must_use]
    pub fn hint(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// A tool that could not be run to its end.
    #[must_use]
    pub fn of_tool(invocation: &Invocation, error: &io::Error) -> Self {
        let program = invocation.program;
        match error.kind() {
            io::ErrorKind::NotFound => Self::never(format!("there is no `{program}` on PATH")),
            io::ErrorKind::TimedOut => Self::safe(format!(
                "`{invocation}` did not answer within {} s and was killed",
                invocation.within.as_secs()
            ))
            .hint(invocation.to_string()),
            io::ErrorKind::PermissionDenied => Self::never(error.to_string()),
            _ => Self::never(format!("`{invocation}` cannot be run: {error}")),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_did_not_run_is_explained() {
        let ask = Invocation::ask("systemctl", &["--version"]);
        let cause = |kind| Cause::of_tool(&ask, &io::Error::from(kind));
        assert_eq!(cause(io::ErrorKind::NotFound).to_string(), "there is no `systemctl` on PATH");
        let late = cause(io::ErrorKind::TimedOut);
        assert_eq!(late.what, "`systemctl --version` did not answer within 15 s and was killed");
        assert_eq!((late.retry, late.next.as_deref()), (Retry::Safe, Some("systemctl --version")));
        assert_eq!(cause(io::ErrorKind::ExecutableFileBusy).retry, Retry::Never);
    }
}
