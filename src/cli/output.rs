//! The output of a verb that has done its work.

use serde::Serialize;

use super::error::ExitKind;

/// The output of a verb, and its exit kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerbOutput {
    /// For standard output.
    pub out: String,
    /// The exit kind. A verb that reports a bad state has done its work: it is not a
    /// [`CliError`](super::error::CliError).
    pub kind: ExitKind,
}

impl VerbOutput {
    /// Done, with this text.
    pub(crate) fn done(out: impl Into<String>) -> Self {
        Self { out: out.into(), kind: ExitKind::Done }
    }

    /// A report as JSON, or as a screen.
    pub(crate) fn report<T: Serialize>(
        json: bool,
        report: &T,
        kind: ExitKind,
        screen: impl FnOnce() -> String,
    ) -> Self {
        if !json {
            return Self { out: screen(), kind };
        }
        let mut out = serde_json::to_string_pretty(report).unwrap_or_else(|error| format!("\"{error}\""));
        out.push('\n');
        Self { out, kind }
    }
}
