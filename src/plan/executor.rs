//! What to do with a plan that was cut short: finish it, or take it back.

use super::events::Event;
use super::host::Host;
use super::journal::Journal;
pub mod perform;
pub mod roll_back;

use self::perform::{Done, Failed, StepError, finish};
use self::roll_back::{Stuck, Undo};
use super::run_options::Watch;

/// Finishes the plan in the journal. One that had failed already is taken back: that is how it finishes.
///
/// # Errors
/// [`Failed`]. Where somebody changed something in the middle of a step, nothing more is done.
pub async fn resume<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
) -> Result<Done, Box<Failed>> {
    let Some(log) = journal.log() else { return Ok(Done::default()) };
    if !log.undoing {
        return finish(host, journal, watch).await;
    }
    let (index, why) = log.failed.clone().unwrap_or((0, "it was to be taken back".to_owned()));
    let step = log.plan.steps.get(index).cloned();
    let undone = Some(roll_back::take_back(host, journal, watch, Stuck::Again).await);
    Err(Box::new(Failed { index, step, error: StepError::Earlier(why), undone }))
}

/// Takes back the plan in the journal.
pub async fn roll_back<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
    stuck: Stuck,
) -> Undo {
    journal.note(Event::Undoing);
    roll_back::take_back(host, journal, watch, stuck).await
}
