//! The error of a verb: a kind, a sentence with its causes, and the next commands. Pure.

use std::error::Error;

use crate::api::client::ClientError;
use crate::error_chain::Hints;
use crate::ui::prompt::PromptError;
use crate::ui::style::Style;
use crate::ui::text::printable;

/// Kinds of exits. Each has one exit code; the README has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitKind {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// `status`: the hub is not running.
    NotRunning,
    /// No hub runs.
    NoHub,
    /// `serve`: the user must act first.
    NeedsPerson,
    /// A question was not answered (Ctrl-C, Ctrl-D): as if SIGINT had ended the verb.
    Interrupted,
}

impl ExitKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotRunning,
        Self::NoHub,
        Self::NeedsPerson,
        Self::Interrupted,
    ];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::NoHub => 69,
            Self::NeedsPerson => 78,
            Self::Interrupted => 130,
        }
    }
}

/// An exit that is not [`ExitKind::Done`].
#[derive(Debug)]
pub struct CliError {
    /// Its kind.
    pub kind: ExitKind,
    /// What happened.
    pub message: String,
    /// The error of another room that it reports. `message` begins with its text.
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// Causes that are not those of `source`, outermost first.
    pub causes: Vec<String>,
    /// The next commands to type, the best first.
    pub hints: Vec<String>,
}

impl CliError {
    /// An error with a sentence.
    pub fn new(kind: ExitKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, causes: Vec::new(), hints: Vec::new() }
    }

    /// From an error of another room.
    #[must_use]
    pub fn from_error(kind: ExitKind, error: impl Error + Send + Sync + 'static) -> Self {
        let message = error.to_string();
        Self { source: Some(Box::new(error)), ..Self::new(kind, message) }
    }

    /// The same, from an error that has hints of its own.
    #[must_use]
    pub fn with_hints(kind: ExitKind, error: impl Error + Hints + Send + Sync + 'static) -> Self {
        let hints = error.hints();
        Self { hints, ..Self::from_error(kind, error) }
    }

    /// Adds one more hint, after the others.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds one more cause, after the others.
    #[must_use]
    pub fn cause(mut self, cause: impl ToString) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// All causes, outermost first. Some errors already contain their cause.
    fn all_causes(&self) -> Vec<String> {
        let of_source = self.source.as_deref().and_then(|error| error.source());
        let of_source = std::iter::successors(of_source, |cause| (*cause).source()).map(ToString::to_string);
        let of_source = of_source.filter(|cause| !self.message.contains(cause.as_str()));
        of_source.chain(self.causes.iter().cloned()).collect()
    }

    /// The lines for standard error. An error without a hint names the verb that shows more.
    #[must_use]
    pub fn screen(&self, style: Style) -> String {
        let mut out = format!("{} {}\n", style.bad("error:"), printable_lines(&self.message));
        for cause in self.all_causes() {
            out.push_str(&format!("  caused by: {}\n", printable_lines(&cause)));
        }
        let general = ["parachute status".to_owned()];
        for hint in if self.hints.is_empty() { general.as_slice() } else { &self.hints } {
            out.push_str(&format!("{} {}\n", style.good("hint:"), printable_lines(hint)));
        }
        out
    }
}

/// Line breaks stay, with an indent; other control characters are escaped.
fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n  ")
}

impl Hints for ClientError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoHub { .. } => vec!["parachute serve".to_owned()],
            Self::Socket { socket, .. } => {
                let dir = socket.parent().map_or_else(String::new, |dir| dir.display().to_string());
                vec![format!("ls -ld {dir}")]
            }
            Self::Refused(refusal, _) if refusal.next.is_some() => refusal.next.iter().cloned().collect(),
            Self::Refused(..)
            | Self::Broken(_)
            | Self::NoAnswer { .. }
            | Self::Partial { .. }
            | Self::Timeout(_)
            | Self::Foreign { .. } => vec!["parachute status".to_owned()],
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::NoHub { .. } => ExitKind::NoHub,
            _ => ExitKind::Failed,
        };
        Self::with_hints(kind, error)
    }
}

impl From<PromptError> for CliError {
    fn from(error: PromptError) -> Self {
        let (kind, hint) = match &error {
            PromptError::NoTerminal { flag, .. } => (ExitKind::Usage, Some(flag.clone())),
            PromptError::Aborted { .. } => (ExitKind::Interrupted, None),
            PromptError::Terminal(_) => (ExitKind::Failed, None),
        };
        let hints = hint.into_iter().collect();
        Self { hints, ..Self::from_error(kind, error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_hints_have_their_lines() {
        let error = CliError {
            kind: ExitKind::Failed,
            message: "cannot read \u{1b}[2J".to_owned(),
            source: None,
            causes: vec!["permission denied".to_owned()],
            hints: vec!["ls -l".to_owned()],
        };
        assert_eq!(
            error.screen(Style::PLAIN),
            "error: cannot read \\u{1b}[2J\n  caused by: permission denied\nhint: ls -l\n"
        );
    }

    #[test]
    fn every_error_has_a_next_command() {
        let text = CliError::new(ExitKind::Failed, "x").screen(Style::PLAIN);
        assert_eq!(text, "error: x\nhint: parachute status\n");
    }

    #[test]
    fn no_two_kinds_share_a_code() {
        let codes: std::collections::BTreeSet<u8> = ExitKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ExitKind::ALL.len());
    }
}
