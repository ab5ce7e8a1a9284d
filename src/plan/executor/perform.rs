//! Performs one step of a plan, or the rest of it.

use super::{Done, StepError};
use crate::error_chain::{self, Hints};
use crate::plan::events::Event;
use crate::plan::fault;
use crate::plan::host::Host;
use crate::plan::journal::{Journal, JournalError};
use crate::plan::observed::{Dir, Entry, Observed};
use crate::plan::plan::Note;
use crate::plan::recovery::{FinishAction, Recorded, StepState};
use crate::plan::run_options::{Progress, RunOptions, Stage, stopped};
use crate::plan::step::Step;

/// One step, and the state needed to perform it.
pub(super) struct StepRun<'a, 'w, H> {
    pub(super) host: &'a mut H,
    pub(super) journal: &'a mut Journal,
    pub(super) options: &'a mut RunOptions<'w>,
    /// The totals of the run.
    pub(super) done: &'a mut Done,
    pub(super) step: &'a Step,
    /// Index of the step in its plan.
    pub(super) index: usize,
    /// How many steps the plan has.
    pub(super) total: usize,
}

impl<H: Host> StepRun<'_, '_, H> {
    /// Performs it, unless it is done.
    pub(super) async fn go(&mut self) -> Result<(), StepError> {
        let unfinished = self.journal.unfinished().ok_or(JournalError::NoPlan)?;
        let recorded = unfinished.recorded.get(self.index).cloned().unwrap_or_default();
        if unfinished.is_superseded(self.index) {
            return Ok(());
        }
        if recorded == Recorded::Untouched {
            return self.begin().await;
        }
        self.host.tidy(self.step).await?;
        let now = self.host.observe(self.step).await?;
        let state = match recorded.before() {
            Some(before) => self.step.state(before, &now),
            None if self.step.is_reached(&now) => StepState::Done,
            None => StepState::Diverged,
        };
        match recorded.to_finish(state) {
            FinishAction::Begin => self.begin().await,
            FinishAction::Perform => self.perform(recorded.before().unwrap_or(&now)).await,
            FinishAction::NoteDone => self.note_done(),
            FinishAction::Continue => Ok(()),
            FinishAction::Renew if matches!(self.step, Step::SetRunning { .. }) => {
                self.try_perform(&now).await
            }
            FinishAction::Renew if now.entry().is_none() => Ok(()),
            FinishAction::Renew | FinishAction::Leave => {
                let subject = self.step.subject();
                self.done.notes.push(Note::new(format!("{subject} was changed since; it is left as it is")));
                Ok(())
            }
            FinishAction::Stop => Err(StepError::Changed { subject: self.step.subject() }),
        }
    }

    async fn begin(&mut self) -> Result<(), StepError> {
        let before = self.host.observe(self.step).await?;
        let unfinished = self.journal.unfinished().ok_or(JournalError::NoPlan)?;
        if unfinished.was_changed(self.index, &before) {
            return Err(StepError::Changed { subject: self.step.subject() });
        }
        if self.step.is_reached(&before) {
            return self.skip();
        }
        if let Some(what) = obstacle(self.step, &before) {
            return Err(StepError::InTheWay { what });
        }
        self.report(Stage::Started);
        self.host.keep(self.step, &before).await?;
        self.journal.append(Event::Started { step: self.index, before: before.clone() })?;
        self.perform(&before).await
    }

    async fn perform(&mut self, before: &Observed) -> Result<(), StepError> {
        match self.try_perform(before).await {
            Ok(()) => self.note_done(),
            Err(error @ (StepError::Journal(_) | StepError::Interrupted)) => Err(error),
            Err(error) if self.step.is_optional() => {
                let text = format!("could not {}: {}", self.step.describe(), error_chain::of(&error));
                let hint = error.hint().or_else(|| self.host.by_hand(self.step));
                self.done.notes.push(Note { text, hint });
                self.skip()
            }
            Err(error) => Err(error),
        }
    }

    async fn try_perform(&mut self, before: &Observed) -> Result<(), StepError> {
        fault::before(self.options.fault, self.index + 1)?;
        if self.options.is_stopped() {
            return Err(StepError::Interrupted);
        }
        // Waiting can be interrupted; a change is completed.
        let stop = self.options.stop.clone().filter(|_| self.step.only_waits());
        let notes = tokio::select! {
            notes = self.host.perform(self.step) => notes?,
            () = stopped(stop) => return Err(StepError::Interrupted),
        };
        self.done.notes.extend(notes);
        fault::after(self.options.fault, self.index + 1)?;
        if self.step.only_waits() {
            return Ok(());
        }
        let now = self.host.observe(self.step).await?;
        match self.step.state(before, &now) {
            StepState::Done => Ok(()),
            StepState::Unchanged | StepState::Partial | StepState::Diverged => {
                // A unit that was started and exited has logged the reason.
                let hint = match self.step {
                    Step::SetRunning { unit, running: true } => {
                        Some(format!("parachute logs {}", unit.plain()))
                    }
                    _ => None,
                };
                Err(StepError::NotReached { found: now.words(), hint })
            }
        }
    }

    fn note_done(&mut self) -> Result<(), StepError> {
        self.journal.append(Event::Done { step: self.index })?;
        self.done.performed += 1;
        self.report(Stage::Done);
        Ok(())
    }

    fn skip(&mut self) -> Result<(), StepError> {
        self.journal.append(Event::Skipped { step: self.index })?;
        self.done.skipped += 1;
        self.report(Stage::Skipped);
        Ok(())
    }

    pub(super) fn report(&mut self, stage: Stage) {
        (self.options.progress)(Progress { index: self.index, total: self.total, step: self.step, stage });
    }
}

/// The file that is in the way of the step, if the step does not replace it.
fn obstacle(step: &Step, before: &Observed) -> Option<String> {
    match before {
        Observed::File { entry: Entry::Other { what } }
        | Observed::Unit { entry: Entry::Other { what }, .. } => {
            Some(format!("{what} at {}", step.subject()))
        }
        Observed::Names { at } => match step {
            Step::Move { to, .. } => {
                at.get(to).map(|found| format!("{} at {}", found.kind.words(), to.display()))
            }
            _ => None,
        },
        Observed::Dir { dir: Dir::Blocked { by } } => {
            Some(format!("{}, which is no directory,", by.display()))
        }
        _ => None,
    }
}
