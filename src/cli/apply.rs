//! What every verb that changes the machine does with its plan: show it, ask, run it, say how it went.

use std::path::Path;

use crate::manager::backend::Manager;
use crate::plan::executor::{Done, Failed, StepError};
use crate::plan::fault::Fault;
use crate::plan::host::{Host, HostError, observe_all};
use crate::plan::journal::{Journal, JournalError};
use crate::plan::observed::Observed;
use crate::plan::run_options::{Progress as Stepping, RunOptions, Stage};
use crate::plan::show::{self, Shown};
use crate::plan::{Note, OnStuck, Plan, Remaining, Rollback};
use crate::ui::diff::unified;
use crate::ui::progress::{Mark, Progress};
use crate::ui::prompt::{self, Question};
use crate::ui::style::Style;
use crate::ui::text::printable;

use super::context::Context;
use super::error::{CliError, ExitKind};
use super::interrupt::interrupts;
use super::output::Output;

/// A plan, compared with the machine.
///
/// # Errors
/// Something cannot be looked at.
pub async fn look<H: Host>(
    plan: &Plan,
    host: &H,
    manager: &Manager,
) -> Result<(Shown, Vec<Observed>), CliError> {
    let found = observe_all(host, &plan.steps).await.map_err(|error| unseen(&error))?;
    Ok((show::show(plan, &found, manager), found))
}

/// A plan for a terminal.
#[must_use]
pub fn screen(shown: &Shown, style: Style) -> String {
    shown.text(&|old, new, label| unified(old, new, label, style))
}

/// What is there cannot be seen, so nothing is done.
pub(super) fn unseen(error: &HostError) -> CliError {
    CliError::from_error(ExitKind::Failed, error)
        .hint(error.hint().unwrap_or_else(|| "parachute doctor".to_owned()))
}

/// Asks whether the plan that was shown shall be done. `false`: no.
///
/// # Errors
/// Nobody can answer, or did not want to.
pub fn agreed(cx: &Context, text: &str) -> Result<bool, CliError> {
    let question = Question { text, flag: "--yes", interactive: cx.interactive, style: cx.style };
    Ok(prompt::confirm(&question, true)?)
}

/// The same before something is deleted for good: Enter alone is no.
///
/// # Errors
/// As [`agreed`].
pub(super) fn agreed_to_delete(cx: &Context, text: &str) -> Result<bool, CliError> {
    let question = Question { text, flag: "--yes", interactive: cx.interactive, style: cx.style };
    Ok(prompt::confirm(&question, false)?)
}

/// Runs a plan, one line a step on standard error.
///
/// # Errors
/// A step failed; the message says what was taken back and what remains.
pub async fn run<H: Host>(
    cx: &Context,
    plan: &Plan,
    found: &[Observed],
    host: &mut H,
    state: &Path,
) -> Result<Done, CliError> {
    let mut journal = Journal::open(state).map_err(|error| unopened(&error))?;
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
    let done = done.map_err(|failed| broken(&failed))?;
    closed.map_err(|error| unopened(&error))?;
    Ok(done)
}

/// What to do with a plan that an earlier run left unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Finish it.
    Finish,
    /// Take it back. What cannot be taken back now is tried again by the next run.
    RollBack,
    /// Take it back as far as that is possible, leave the rest, and end it.
    RollBackAndLeave,
}

impl Recovery {
    /// Take it back, or else finish it.
    #[must_use]
    pub fn roll_back_if(back: bool) -> Self {
        if back { Self::RollBack } else { Self::Finish }
    }
}

/// Finishes, or takes back, a plan that an earlier run left unfinished.
///
/// # Errors
/// As [`run`].
pub async fn settle<H: Host>(
    cx: &Context,
    host: &mut H,
    state: &Path,
    recovery: Recovery,
) -> Result<Output, CliError> {
    let mut journal = Journal::open(state).map_err(|error| unopened(&error))?;
    if journal.unfinished().is_none() {
        journal.close().map_err(|error| unopened(&error))?;
        return Ok(Output::done("nothing was broken off: there is nothing to finish or to take back\n"));
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
        journal.close().map_err(|error| unopened(&error))?;
        let done = done.map_err(|failed| broken(&failed))?;
        Output::done(format!("{}✓ finished ({} steps)\n", notes(&done.notes, cx.style), done.performed))
    } else {
        let on_stuck = if recovery == Recovery::RollBack { OnStuck::Retry } else { OnStuck::Leave };
        let rollback = crate::plan::roll_back(host, &mut journal, &mut options, on_stuck).await;
        journal.close().map_err(|error| unopened(&error))?;
        if rollback.remaining.is_empty() {
            Output::done(format!("✓ taken back: everything is as it was ({} steps)\n", rollback.undone))
        } else {
            let over = if rollback.retry { "" } else { "; that is over, and what is named here is left" };
            let text = format!("not everything was taken back{over}{}", remains(&rollback.remaining));
            let mut cli = CliError::new(ExitKind::Failed, text);
            cli.next = hints(&rollback);
            return Err(cli);
        }
    };
    Ok(output)
}

/// Notes of a plan, for a screen.
#[must_use]
pub fn notes(notes: &[Note], style: Style) -> String {
    let mut out = String::new();
    for note in notes {
        out.push_str(&format!("{} {}\n", style.warn("note:"), printable(&note.text)));
        if let Some(hint) = &note.hint {
            out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(hint)));
        }
    }
    out
}

/// What could not be taken back.
#[must_use]
pub fn remains(remaining: &[Remaining]) -> String {
    remaining.iter().map(|item| format!("\n{} remains: {}", item.subject, item.because)).collect()
}

/// What to type about what was not taken back. What can never be taken back would stop every later verb, so that has
/// a hint too.
fn hints(rollback: &Rollback) -> Vec<String> {
    let mut hints: Vec<String> = rollback.remaining.iter().filter_map(|item| item.hint.clone()).collect();
    if rollback.retry {
        let let_go =
            "parachute migrate --rollback --force     (if it never can be: leaves what is named here)";
        hints.push(let_go.to_owned());
    }
    hints
}

/// One line a step.
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
            // What is so already is no news.
            Stage::Skipped => {}
            Stage::Undone => {
                self.progress.begin(&format!("take back: {words}"));
                self.progress.end(Mark::Done, None);
            }
        }
    }
}

pub(super) fn unopened(error: &JournalError) -> CliError {
    let cli = CliError::from_error(ExitKind::Failed, error);
    match error.hint() {
        Some(hint) => cli.hint(hint),
        None => cli,
    }
}

fn broken(failed: &Failed) -> CliError {
    let interrupted = matches!(failed.error, StepError::Interrupted);
    let kind = if interrupted { ExitKind::Interrupted } else { ExitKind::Failed };
    let mut cli = CliError::from_error(kind, failed);
    match &failed.rollback {
        Some(rollback) if rollback.remaining.is_empty() => {
            cli.message.push_str("; everything is as it was before");
        }
        Some(rollback) => {
            cli.message.push_str("; the rest was taken back");
            cli.message.push_str(&remains(&rollback.remaining));
            cli.next.extend(hints(rollback));
        }
        None => cli.message.push_str("; nothing was taken back"),
    }
    cli.next.extend(failed.error.hint());
    cli
}

/// Builds for people know no faults.
pub(super) fn fault(cx: &Context) -> Result<Option<Fault>, CliError> {
    let text = cx.env.get(std::ffi::OsStr::new("PARACHUTE_FAULT")).and_then(|text| text.to_str());
    match text.filter(|_| cfg!(debug_assertions)) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|error| CliError::from_error(ExitKind::Usage, &error)),
    }
}
