//! The result of a verb for one module: one line, its reason, the next command. Pure.

use serde::Serialize;

use crate::api::wire::{LegacyState, OpReply};
use crate::module::problem::Problem;
use crate::ui::style::Style;
use crate::ui::text::printable;

/// The requested operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Start,
    Stop,
    /// Stop and start again.
    Restart,
}

impl Op {
    /// The verb, also the last segment of its path.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// The result for one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ModuleOutcome {
    /// The name as it was typed, or its short name.
    pub module: String,
    /// Whether the request was fulfilled.
    pub ok: bool,
    /// One phrase.
    pub message: String,
    /// The module afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<LegacyState>,
    /// The reason, if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The next command. Always present if `ok` is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl ModuleOutcome {
    /// From the hub's answer. `ok` decides, not the mere presence of an answer.
    #[must_use]
    pub(crate) fn of(op: Op, reply: OpReply) -> Self {
        let pid = reply.state.as_ref().and_then(|state| state.pid);
        let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        let message = match (&reply.problem, op) {
            (Some(problem), _) => problem.error_description.clone(),
            (None, Op::Start | Op::Restart) if !reply.ok => "not ready; the hub gives no reason".to_owned(),
            (None, Op::Stop) if !reply.ok => "not stopped; the hub gives no reason".to_owned(),
            (None, Op::Start | Op::Restart) => format!("ready{pid}"),
            (None, Op::Stop) if reply.stopped == Some(false) => "was not running".to_owned(),
            (None, Op::Stop) => "stopped".to_owned(),
        };
        let next = reply.problem.as_ref().and_then(|problem| problem.next.clone());
        let next = next.or_else(|| (!reply.ok).then(|| format!("parachute why {}", reply.short)));
        Self { module: reply.short, ok: reply.ok, message, state: reply.state, problem: reply.problem, next }
    }

    /// It is done, by this process itself.
    #[must_use]
    pub(crate) fn done(module: &str, message: String) -> Self {
        Self { module: module.to_owned(), ok: true, message, state: None, problem: None, next: None }
    }

    /// The request for this module was refused.
    #[must_use]
    pub(crate) fn refused(module: &str, message: String, next: Option<String>) -> Self {
        let next = Some(next.unwrap_or_else(|| "parachute status".to_owned()));
        Self { module: module.to_owned(), ok: false, message, state: None, problem: None, next }
    }
}

/// One line per module, `✓` or `✗`; below it the rest of a longer reason and the hint.
#[must_use]
pub(crate) fn screen(outcomes: &[ModuleOutcome], style: Style) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        let (sign, colon) = if outcome.ok { (style.good("✓"), "") } else { (style.bad("✗"), ":") };
        let mut lines = outcome.message.lines().filter(|line| !line.trim().is_empty());
        let first = lines.next().unwrap_or_default();
        out.push_str(&format!("{sign} {}{colon} {}\n", printable(&outcome.module), printable(first)));
        for line in lines {
            out.push_str(&format!("    {}\n", printable(line)));
        }
        if let Some(next) = &outcome.next {
            out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(next)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::State;
    use crate::module::problem::ProblemKind;
    use crate::module::timestamp::Timestamp;

    fn reply(ok: bool, problem: Option<Problem>) -> OpReply {
        let state = LegacyState {
            short: "vault".to_owned(),
            status: State::Running,
            pid: Some(4711),
            started_at: None,
            restarts_in_window: 0,
            last_crash_at: None,
            last_exit_code: None,
            start_error: None,
        };
        OpReply { short: "vault".to_owned(), ok, stopped: None, state: Some(state), problem }
    }

    #[test]
    fn each_outcome_has_its_line() {
        let problem =
            Problem::new(ProblemKind::MissingDependency, "`x` is not on PATH.\n\nInstall it", Timestamp(0))
                .next("apt x");
        let outcomes = [
            ModuleOutcome::of(Op::Start, reply(true, None)),
            ModuleOutcome::of(Op::Restart, reply(false, Some(problem))),
        ];
        assert_eq!(
            screen(&outcomes, Style::PLAIN),
            "✓ vault ready (pid 4711)\n✗ vault: `x` is not on PATH.\n    Install it\n  hint: apt x\n"
        );
        assert_eq!(
            screen(&[ModuleOutcome::of(Op::Stop, reply(true, None))], Style::PLAIN),
            "✓ vault stopped\n"
        );
    }

    #[test]
    fn a_failure_without_a_reason_still_has_a_hint() {
        for op in [Op::Start, Op::Stop, Op::Restart] {
            let text = screen(&[ModuleOutcome::of(op, reply(false, None))], Style::PLAIN);
            assert!(text.starts_with("✗ vault: not "), "{text}");
            assert!(text.ends_with("hint: parachute why vault\n"), "{text}");
        }
    }
}
