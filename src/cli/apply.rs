//! The common part of every verb that changes the machine: show its plan, ask, run it, report the result.

use std::path::Path;

use crate::error_chain::Hints;
use crate::manager::backend::Manager;
use crate::plan::executor::{Done, Failed, StepError};
use crate::plan::fault::Fault;
use crate::plan::host::{Host, HostError, observe_all};
use crate::plan::journal::{Journal, JournalError};
use crate::plan::observed::Observed;
use crate::plan::run_options::{Progress as Stepping, RunOptions, Stage};
use crate::plan::show::{self, PlanView};
use crate::plan::{Note, OnStuck, Plan, Remaining, Rollback};
use crate::ui::diff::unified;
use crate::ui::progress::{Mark, Progress};
use crate::ui::prompt::{self, Answer, Question};
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;

use super::context::Context;
use super::error::{CliError, ExitKind};
use super::interrupt::interrupts;
use super::output::VerbOutput;

/// A plan, compared with the machine.
///
/// # Errors
/// The state of a step's target is unknown.
pub(crate) async fn look<H: Host>(
    plan: &Plan,
    host: &H,
    manager: &Manager,
) -> Result<(PlanView, Vec<Observed>), CliError> {
    let found = observe_all(host, &plan.steps).await.map_err(unseen)?;
    Ok((show::show(plan, &found, manager), found))
}

/// A plan as text.
#[must_use]
pub(crate) fn screen(shown: &PlanView, style: Style) -> String {
    shown.text(&|old, new, label| unified(old, new, label, style))
}

/// The state of a target is unknown, so nothing is done.
pub(super) fn unseen(error: HostError) -> CliError {
    let cli = CliError::with_hints(ExitKind::Failed, error);
    if cli.hints.is_empty() { cli.hint("parachute doctor") } else { cli }
}

/// Shows a plan in short, and asks whether to carry it out; with `d` the whole of it is shown first. `beside` is what
/// is to be seen with the plan and is not a step of it. `false`: no.
///
/// # Errors
/// Not a terminal, or the question was not answered.
pub(crate) fn agreed(cx: &Context, shown: &PlanView, text: &str, beside: &str) -> Result<bool, CliError> {
    agreed_or(cx, text, true, &(shown.brief() + beside), &|| screen(shown, cx.style) + beside)
}

/// The same before a permanent deletion: Enter alone means no.
///
/// # Errors
/// As [`agreed`].
pub(super) fn agreed_to_delete(
    cx: &Context,
    shown: Option<&PlanView>,
    text: &str,
    beside: &str,
) -> Result<bool, CliError> {
    let brief = shown.map_or_else(String::new, PlanView::brief) + beside;
    agreed_or(cx, text, false, &brief, &|| {
        shown.map_or_else(String::new, |shown| screen(shown, cx.style)) + beside
    })
}

fn agreed_or(
    cx: &Context,
    text: &str,
    default: bool,
    brief: &str,
    whole: &dyn Fn() -> String,
) -> Result<bool, CliError> {
    let question = Question { text, flag: "--yes", interactive: cx.interactive, style: cx.style };
    Terminal.err(brief);
    loop {
        match prompt::confirm_plan(&question, default)? {
            Answer::Yes => return Ok(true),
            Answer::No => return Ok(false),
            Answer::Details => Terminal.err(&whole()),
        }
    }
}

/// Runs a plan, with one line per step on standard error.
///
/// # Errors
/// A step failed; the message says what was undone and what remains.
pub(crate) async fn run<H: Host>(
    cx: &Context,
    plan: &Plan,
    found: &[Observed],
    host: &mut H,
    state: &Path,
) -> Result<Done, CliError> {
    let mut journal = Journal::open(state).map_err(unopened)?;
    let mut screen = Screen::new(cx);
    let mut progress = |step: Stepping<'_>| screen.on(step);
    let mut options = RunOptions {
        progress: &mut progress,
        shown: Some(found),
        fault: fault(cx)?,
        stop: Some(interrupts()),
    };
    let done = crate::plan::run(plan, host, &mut journal, &mut options).await;
    let closed = journal.close();
    let done = done.map_err(broken)?;
    closed.map_err(unopened)?;
    Ok(done)
}

/// What to do with an unfinished plan of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    Finish,
    /// Undo it. Steps that cannot be undone now are tried again by the next run.
    RollBack,
    /// Undo it as far as possible, leave the rest, and end it.
    RollBackAndLeave,
}

impl Recovery {
    /// Undo it, or else finish it.
    #[must_use]
    pub(crate) fn roll_back_if(back: bool) -> Self {
        if back { Self::RollBack } else { Self::Finish }
    }
}

/// Finishes, or undoes, an unfinished plan of an earlier run.
///
/// # Errors
/// As [`run`].
pub(crate) async fn resume_or_undo<H: Host>(
    cx: &Context,
    host: &mut H,
    state: &Path,
    recovery: Recovery,
) -> Result<VerbOutput, CliError> {
    let mut journal = Journal::open(state).map_err(unopened)?;
    if journal.unfinished().is_none() {
        journal.close().map_err(unopened)?;
        return Ok(VerbOutput::done("no plan was interrupted: nothing to finish or undo\n"));
    }
    let mut screen = Screen::new(cx);
    let mut progress = |step: Stepping<'_>| screen.on(step);
    let mut options = RunOptions {
        progress: &mut progress,
        shown: None,
        fault: fault(cx)?,
        stop: Some(interrupts()).filter(|_| recovery == Recovery::Finish),
    };
    let output = if recovery == Recovery::Finish {
        let done = crate::plan::resume(host, &mut journal, &mut options).await;
        journal.close().map_err(unopened)?;
        let done = done.map_err(broken)?;
        VerbOutput::done(format!("{}✓ finished ({} steps)\n", notes(&done.notes, cx.style), done.performed))
    } else {
        let on_stuck = if recovery == Recovery::RollBack { OnStuck::Retry } else { OnStuck::Leave };
        let rollback = crate::plan::roll_back(host, &mut journal, &mut options, on_stuck).await;
        journal.close().map_err(unopened)?;
        if rollback.remaining.is_empty() {
            VerbOutput::done(format!("✓ undone: everything is as it was ({} steps)\n", rollback.undone))
        } else {
            let over =
                if rollback.retry { "" } else { "; the plan is closed, and what is named here is left" };
            let text = format!("not everything was undone{over}{}", remains(&rollback.remaining));
            let mut cli = CliError::new(ExitKind::Failed, text);
            cli.hints = hints(&rollback);
            return Err(cli);
        }
    };
    Ok(output)
}

/// Notes of a plan, as text.
#[must_use]
pub(crate) fn notes(notes: &[Note], style: Style) -> String {
    let mut out = String::new();
    for note in notes {
        out.push_str(&format!("{} {}\n", style.warn("note:"), printable(&note.text)));
        if let Some(hint) = &note.hint {
            out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(hint)));
        }
    }
    out
}

/// The steps that could not be undone.
#[must_use]
pub(crate) fn remains(remaining: &[Remaining]) -> String {
    remaining.iter().map(|item| format!("\n{} remains: {}", item.subject, item.because)).collect()
}

/// The commands about steps that were not undone. A step that can never be undone would block every later verb, so it
/// has a hint too.
fn hints(rollback: &Rollback) -> Vec<String> {
    let mut hints: Vec<String> = rollback.remaining.iter().filter_map(|item| item.hint.clone()).collect();
    if rollback.retry {
        let let_go =
            "parachute migrate --rollback --force     (if it can never be undone: leaves what is named here)";
        hints.push(let_go.to_owned());
    }
    hints
}

/// One line per step.
struct Screen {
    progress: Progress,
}

impl Screen {
    fn new(cx: &Context) -> Self {
        Self { progress: Progress::new(cx.style, cx.interactive && cx.verbose == 0) }
    }

    fn on(&mut self, step: Stepping<'_>) {
        let words = step.step.describe();
        match step.stage {
            Stage::Started => self.progress.begin(&words),
            Stage::Done => self.progress.end(Mark::Done, None),
            Stage::Failed => self.progress.end(Mark::Failed, None),
            // A step that is already done is not reported.
            Stage::Skipped => {}
            Stage::Undone => {
                self.progress.begin(&format!("undo: {words}"));
                self.progress.end(Mark::Done, None);
            }
        }
    }
}

pub(super) fn unopened(error: JournalError) -> CliError {
    CliError::with_hints(ExitKind::Failed, error)
}

fn broken(failed: Box<Failed>) -> CliError {
    let interrupted = matches!(failed.error, StepError::Interrupted);
    let kind = if interrupted { ExitKind::Interrupted } else { ExitKind::Failed };
    let of_step = failed.error.hints();
    let rollback = failed.rollback.clone();
    let mut cli = CliError::from_error(kind, failed);
    match &rollback {
        Some(rollback) if rollback.remaining.is_empty() => {
            cli.message.push_str("; everything is as it was before");
        }
        Some(rollback) => {
            cli.message.push_str("; the rest was undone");
            cli.message.push_str(&remains(&rollback.remaining));
            cli.hints.extend(hints(rollback));
        }
        None => cli.message.push_str("; nothing was undone"),
    }
    cli.hints.extend(of_step);
    cli
}

/// Release builds have no faults.
pub(super) fn fault(cx: &Context) -> Result<Option<Fault>, CliError> {
    let text = cx.env.get(std::ffi::OsStr::new("PARACHUTE_FAULT")).and_then(|text| text.to_str());
    match text.filter(|_| cfg!(debug_assertions)) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|error| CliError::from_error(ExitKind::Usage, error)),
    }
}
