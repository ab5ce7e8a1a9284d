//! The error of a verb: a kind, a sentence with its causes, and the next commands. Pure.

use std::error::Error;

use crate::api::client::ClientError;
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
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// The next commands.
    pub next: Vec<String>,
}

impl CliError {
    /// An error with a sentence.
    pub fn new(kind: ExitKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), next: Vec::new() }
    }

    /// From an error of another room, with its causes.
    #[must_use]
    pub fn from_error(kind: ExitKind, error: &dyn Error) -> Self {
        let causes =
            std::iter::successors(error.source(), |cause| (*cause).source()).map(ToString::to_string);
        let message = error.to_string();
        // Some errors already contain their cause.
        let causes = causes.filter(|cause| !message.contains(cause.as_str())).collect();
        Self { kind, message, causes, next: Vec::new() }
    }

    /// Adds one more hint.
    #[must_use]
    pub fn hint(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// The lines for standard error. An error without a hint names the verb that shows more.
    #[must_use]
    pub fn screen(&self, style: Style) -> String {
        let mut out = format!("{} {}\n", style.bad("error:"), printable_lines(&self.message));
        for cause in &self.causes {
            out.push_str(&format!("  caused by: {}\n", printable_lines(cause)));
        }
        let general = ["parachute status".to_owned()];
        for next in if self.next.is_empty() { general.as_slice() } else { &self.next } {
            out.push_str(&format!("{} {}\n", style.good("hint:"), printable_lines(next)));
        }
        out
    }
}

/// Line breaks stay, with an indent; other control characters are escaped.
fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n  ")
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NoHub { .. } => {
                Self::new(ExitKind::NoHub, error.to_string()).hint("parachute serve")
            }
            ClientError::Socket { socket, .. } => {
                let dir = socket.parent().map_or_else(String::new, |dir| dir.display().to_string());
                Self::from_error(ExitKind::Failed, &error).hint(format!("ls -ld {dir}"))
            }
            ClientError::Refused(refusal, _) => {
                let mut out = Self::new(ExitKind::Failed, refusal.error_description.clone());
                out.next.extend(refusal.next.clone());
                if out.next.is_empty() {
                    out.next.push("parachute status".to_owned());
                }
                out
            }
            ClientError::Broken(_)
            | ClientError::NoAnswer { .. }
            | ClientError::Partial { .. }
            | ClientError::Timeout(_)
            | ClientError::Foreign { .. } => {
                Self::from_error(ExitKind::Failed, &error).hint("parachute status")
            }
        }
    }
}

impl From<PromptError> for CliError {
    fn from(error: PromptError) -> Self {
        match &error {
            PromptError::NoTerminal { flag, .. } => Self::from_error(ExitKind::Usage, &error).hint(flag),
            PromptError::Aborted { .. } => Self::from_error(ExitKind::Interrupted, &error),
            PromptError::Terminal(_) => Self::from_error(ExitKind::Failed, &error),
        }
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
            causes: vec!["permission denied".to_owned()],
            next: vec!["ls -l".to_owned()],
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
