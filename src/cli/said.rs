//! What a verb says when it has done its work.

use serde::Serialize;

use super::error::Kind;

/// What a verb has to say, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// For standard output.
    pub out: String,
    /// How it ended. A verb that reports a bad state has done its work: it is not a
    /// [`CliError`](super::error::CliError).
    pub kind: Kind,
}

impl Said {
    /// Done, with this text.
    pub fn done(out: impl Into<String>) -> Self {
        Self { out: out.into(), kind: Kind::Done }
    }

    /// A report as JSON, or as a screen.
    pub fn report<T: Serialize>(json: bool, report: &T, kind: Kind, screen: impl FnOnce() -> String) -> Self {
        if !json {
            return Self { out: screen(), kind };
        }
        let mut out = serde_json::to_string_pretty(report).unwrap_or_else(|error| format!("\"{error}\""));
        out.push('\n');
        Self { out, kind }
    }
}
