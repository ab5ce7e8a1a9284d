//! Runs plans: performs the steps of one, finishes an interrupted one, undoes one.
//!
//! For each step: observe, write the result into the journal, perform, observe, write into the journal that it is
//! done. [`super::recovery`] decides what to do with a step of an interrupted plan.

mod outcome;
mod perform;
mod roll_back;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use self::outcome::{Done, Failed, OnStuck, Remaining, Rollback, StepError};
use self::perform::StepRun;
use super::events::Event;
use super::host::Host;
use super::journal::Journal;
use super::observed::Glance;
use super::plan::Plan;
use super::run_options::{RunOptions, Stage};
use super::step::{Key, Step};
use crate::error_chain;

/// Runs a plan to its end, or undoes it.
///
/// # Errors
/// [`Failed`]. If an earlier plan is unfinished, nothing is done.
pub async fn run<H: Host>(
    plan: &Plan,
    host: &mut H,
    journal: &mut Journal,
    options: &mut RunOptions<'_>,
) -> Result<Done, Box<Failed>> {
    let refused = |index: usize, error: StepError| {
        Box::new(Failed { index, step: plan.steps.get(index).cloned(), error, rollback: None })
    };
    let expects = expectations(plan, host, options).await.map_err(|(index, error)| refused(index, error))?;
    journal.begin(plan, expects).map_err(|error| refused(0, error.into()))?;
    match finish(host, journal, options).await {
        // A plan that has just begun is undone without asking.
        Err(failed) if failed.rollback.is_none() => {
            let rollback = Some(fail(failed.index, &failed.error, host, journal, options).await);
            Err(Box::new(Failed { rollback, ..*failed }))
        }
        other => other,
    }
}

/// Finishes the plan in the journal. One that has already failed is undone.
///
/// # Errors
/// [`Failed`]. If a step was changed from outside while it was performed, nothing more is done.
pub async fn resume<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    options: &mut RunOptions<'_>,
) -> Result<Done, Box<Failed>> {
    let Some(unfinished) = journal.unfinished() else { return Ok(Done::default()) };
    if !unfinished.undoing {
        return finish(host, journal, options).await;
    }
    let (index, why) = unfinished.failed.clone().unwrap_or((0, "it was to be undone".to_owned()));
    let step = unfinished.plan.steps.get(index).cloned();
    let rollback = Some(roll_back::take_back(host, journal, options, OnStuck::Retry).await);
    Err(Box::new(Failed { index, step, error: StepError::Earlier(why), rollback }))
}

/// Undoes the plan in the journal.
pub async fn roll_back<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    options: &mut RunOptions<'_>,
    on_stuck: OnStuck,
) -> Rollback {
    journal.append_if_possible(Event::Undoing);
    roll_back::take_back(host, journal, options, on_stuck).await
}

/// The content now, or when the plan was shown, of every path that the plan will write. An error comes
/// with the index of its step.
async fn expectations<H: Host>(
    plan: &Plan,
    host: &H,
    options: &RunOptions<'_>,
) -> Result<BTreeMap<PathBuf, Glance>, (usize, StepError)> {
    let mut expects = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let path = match (step, step.key()) {
            (Step::Move { from, .. }, _) => from.clone(),
            (_, Some(Key::File(path))) => path,
            _ => continue,
        };
        if expects.contains_key(&path) {
            continue;
        }
        let found = match options.shown.and_then(|shown| shown.get(index)) {
            Some(found) => found.clone(),
            None => host.observe(step).await.map_err(|error| (index, error.into()))?,
        };
        if let Some(glance) = found.glance(&path) {
            expects.insert(path, glance);
        }
    }
    Ok(expects)
}

/// Performs every step of the plan in the journal that is not done.
async fn finish<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    options: &mut RunOptions<'_>,
) -> Result<Done, Box<Failed>> {
    let steps = journal.unfinished().map(|unfinished| unfinished.plan.steps.clone()).unwrap_or_default();
    let mut done = Done::default();
    for (index, step) in steps.iter().enumerate() {
        let mut run = StepRun { host, journal, options, done: &mut done, step, index, total: steps.len() };
        if let Err(error) = run.go().await {
            run.report(Stage::Failed);
            // Changes from outside are left to the user's decision.
            let rollback = match &error {
                StepError::Changed { .. } => None,
                error => Some(fail(index, error, host, journal, options).await),
            };
            return Err(Box::new(Failed { index, step: Some(step.clone()), error, rollback }));
        }
    }
    match journal.complete() {
        Ok(()) => Ok(done),
        Err(error) => {
            let (index, error) = (steps.len(), error.into());
            let rollback = Some(fail(index, &error, host, journal, options).await);
            Err(Box::new(Failed { index, step: None, error, rollback }))
        }
    }
}

/// Writes into the journal that a step failed, and undoes the plan.
async fn fail<H: Host>(
    index: usize,
    error: &StepError,
    host: &mut H,
    journal: &mut Journal,
    options: &mut RunOptions<'_>,
) -> Rollback {
    journal.append_if_possible(Event::Failed { step: index, error: error_chain::of(error) });
    roll_back::take_back(host, journal, options, OnStuck::Retry).await
}
