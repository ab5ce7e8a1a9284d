//! One check: its stable id, what it found, what to type next.

use serde::Serialize;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It cannot be told, and why is in the message.
    CannotTell,
    /// It works, and will not for long, or not everywhere.
    Warn,
    /// It does not work.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable id, for scripts: `unit.loaded`.
    pub id: &'static str,
    /// What was found.
    pub verdict: Verdict,
    /// One sentence.
    pub message: String,
    /// What to type next; always there unless the verdict is ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether `doctor --fix` can mend it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fixable: bool,
}

impl Check {
    /// As it should be.
    pub fn ok(id: &'static str, message: impl Into<String>) -> Self {
        Self { id, verdict: Verdict::Ok, message: message.into(), next: None, fixable: false }
    }

    /// It works, for now.
    pub fn warn(id: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { id, verdict: Verdict::Warn, message: message.into(), next: Some(next.into()), fixable: false }
    }

    /// It does not work.
    pub fn fail(id: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { id, verdict: Verdict::Fail, message: message.into(), next: Some(next.into()), fixable: false }
    }

    /// It cannot be told.
    pub fn cannot_tell(id: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        let next = Some(next.into());
        Self { id, verdict: Verdict::CannotTell, message: message.into(), next, fixable: false }
    }

    /// The same, and `doctor --fix` can mend it.
    #[must_use]
    pub fn fixable(mut self) -> Self {
        self.fixable = true;
        self
    }
}

/// The worst of all, for the exit code.
#[must_use]
pub fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
}

/// Bytes for a person.
pub(super) fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}
