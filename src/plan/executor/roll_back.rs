//! Undoes a plan, in reverse order. A step that cannot be undone does not stop the others.

use super::{OnStuck, Remaining, Rollback};
use crate::error_chain::{self, Hints};
use crate::plan::commands::inspect;
use crate::plan::events::Event;
use crate::plan::host::Host;
use crate::plan::journal::Journal;
use crate::plan::observed::{Dir, Observed};
use crate::plan::recovery::{Recorded, StepState, UndoAction};
use crate::plan::run_options::{Progress, RunOptions, Stage};
use crate::plan::step::Step;

/// The result of undoing one step.
enum UndoOutcome {
    /// It was undone.
    Undone,
    /// There was nothing to undo.
    NothingToDo,
    /// It was changed from outside: it is left, for this reason.
    Diverged(String),
    /// It failed: the error, and a hint.
    Failed(String, Option<String>),
}

/// Undoes the plan in the journal.
pub(super) async fn take_back<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    options: &mut RunOptions<'_>,
    on_stuck: OnStuck,
) -> Rollback {
    let mut rollback = Rollback::default();
    let Some(unfinished) = journal.unfinished() else { return rollback };
    let (steps, recorded) = (unfinished.plan.steps.clone(), unfinished.recorded.clone());
    for (index, (step, recorded)) in steps.iter().zip(&recorded).enumerate().rev() {
        let Some(before) = recorded.before() else { continue };
        let subject = step.subject();
        match take_back_one(host, step, recorded, before).await {
            UndoOutcome::Undone => {
                rollback.undone += 1;
                journal.append_if_possible(Event::Undone { step: index });
                (options.progress)(Progress { index, total: steps.len(), step, stage: Stage::Undone });
            }
            UndoOutcome::NothingToDo => journal.append_if_possible(Event::Undone { step: index }),
            UndoOutcome::Diverged(because) => {
                let hint = Some(leave(journal, step, before, &mut rollback));
                rollback.remaining.push(Remaining { subject, because, hint });
            }
            UndoOutcome::Failed(because, hint) if on_stuck == OnStuck::Retry => {
                rollback.retry = true;
                rollback.remaining.push(Remaining { subject, because, hint });
            }
            UndoOutcome::Failed(because, _) => {
                let hint = Some(leave(journal, step, before, &mut rollback));
                rollback.remaining.push(Remaining { subject, because, hint });
                journal.append_if_possible(Event::Undone { step: index });
            }
        }
    }
    if !rollback.retry
        && let Err(error) = journal.abandon()
    {
        rollback.retry = true;
        let subject = journal.dir().display().to_string();
        rollback.remaining.push(Remaining { subject, because: error_chain::of(&error), hint: error.hint() });
    }
    rollback
}

/// Leaves a step that is not undone: keeps the previous content, and returns the command that shows both.
fn leave(journal: &Journal, step: &Step, before: &Observed, rollback: &mut Rollback) -> String {
    let kept = before.entry().map_or(Ok(None), |entry| journal.set_aside(entry));
    rollback.retry |= kept.is_err();
    inspect(step, kept.ok().flatten().as_deref())
}

async fn take_back_one<H: Host>(
    host: &mut H,
    step: &Step,
    recorded: &Recorded,
    before: &Observed,
) -> UndoOutcome {
    if let Err(error) = host.tidy(step).await {
        return UndoOutcome::Failed(error.words(), error.hint());
    }
    let now = match host.observe(step).await {
        Ok(now) => now,
        Err(error) => return UndoOutcome::Failed(error.words(), error.hint()),
    };
    let before = &before.with_service_of(&now);
    let state = step.state(before, &now);
    match recorded.to_undo(state) {
        UndoAction::Nothing => return UndoOutcome::NothingToDo,
        UndoAction::Leave => {
            let because = format!("another program changed it ({}); it is left as it is", now.words());
            return UndoOutcome::Diverged(because);
        }
        UndoAction::Inverse => {}
    }
    for inverse in step.inverse(before) {
        // After half a step the goal of an inverse may seem to be reached although it is not: it is performed anyway.
        match perform_inverse(host, &inverse, state == StepState::Partial).await {
            UndoOutcome::Undone | UndoOutcome::NothingToDo => {}
            other => return other,
        }
    }
    UndoOutcome::Undone
}

async fn perform_inverse<H: Host>(host: &mut H, inverse: &Step, anyway: bool) -> UndoOutcome {
    let failed = |because, hint| match inverse {
        // The error names the daemons that failed; the others run.
        Step::StartDaemons { .. } => UndoOutcome::Failed(because, hint),
        _ => UndoOutcome::Failed(format!("cannot {}: {because}", inverse.describe()), hint),
    };
    let mut now = match host.observe(inverse).await {
        Ok(now) => now,
        Err(error) => return failed(error.words(), error.hint()),
    };
    if anyway || !inverse.is_reached(&now) {
        if let Err(error) = host.perform(inverse).await {
            return failed(error.words(), error.hint().or_else(|| host.by_hand(inverse)));
        }
        now = match host.observe(inverse).await {
            Ok(now) => now,
            Err(error) => return failed(error.words(), error.hint()),
        };
    }
    match (inverse, &now) {
        (Step::RemoveDir { .. }, Observed::Dir { dir: Dir::Occupied { .. } }) => {
            UndoOutcome::Diverged("it holds files that this plan did not make".to_owned())
        }
        _ if inverse.is_reached(&now) => UndoOutcome::Undone,
        _ => failed(now.words(), host.by_hand(inverse)),
    }
}
