//! Runs a plan: observe, journal, perform, observe, journal. Decides nothing: see `standing` and `matrix`.

use std::collections::BTreeMap;

use super::super::events::Event;
use super::super::fault;
use super::super::host::{Host, HostError};
use super::super::journal::{Journal, JournalError};
use super::super::matrix::{Forward, Mark};
use super::super::observed::{Before, Dir, Entry};
use super::super::plan::{Note, Plan};
use super::super::recovery::Standing;
use super::super::run_options::{Progress, Stage, Watch, stopped};
use super::super::step::{Key, Step};
use super::roll_back::{self, Stuck, Undo};
use crate::home::sentence;

/// A plan that is through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Steps that changed something, or waited.
    pub performed: usize,
    /// Steps that had nothing to do, or could be missed.
    pub skipped: usize,
    /// What a person should know about it.
    pub notes: Vec<Note>,
}

/// A plan that did not come through.
#[derive(Debug, thiserror::Error)]
#[error("cannot {}", step.as_ref().map_or_else(|| "write down what was done".to_owned(), Step::describe))]
pub struct Failed {
    /// Place of the step, from 0; the number of steps if only the receipt could not be written.
    pub index: usize,
    /// The step.
    pub step: Option<Step>,
    /// Why.
    #[source]
    pub error: StepError,
    /// How everything was taken back; `None` if nothing was, because a person must decide first.
    pub undone: Option<Undo>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Something is in its place that no step of ours replaces.
    #[error("{what} is in the way")]
    InTheWay {
        /// What, with its path.
        what: String,
    },
    /// It was performed and is not so.
    #[error("it was done and is not so: {found}")]
    NotSo {
        /// What is there instead.
        found: String,
        /// What to type about it.
        next: Option<String>,
    },
    /// Somebody else was at the same thing since the plan was made.
    #[error("{subject} is not what it was when the plan was made: somebody else changed it")]
    Changed {
        /// Path or unit.
        subject: String,
    },
    /// Somebody wanted it to end.
    #[error("it was interrupted")]
    Interrupted,
    /// It failed in an earlier run, which was cut short while it took everything back.
    #[error("{0}")]
    Earlier(String),
}

impl StepError {
    /// The next command to type, if one helps.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Host(error) => error.next(),
            Self::Journal(error) => error.next(),
            Self::NotSo { next, .. } => next.clone(),
            Self::InTheWay { .. } | Self::Changed { .. } | Self::Interrupted | Self::Earlier(_) => None,
        }
    }
}

/// Runs a plan to its end, or takes it back.
///
/// # Errors
/// [`Failed`]. If an earlier plan is not over, nothing is done.
pub async fn run<H: Host>(
    plan: &Plan,
    host: &mut H,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
) -> Result<Done, Box<Failed>> {
    let refused = |index: usize, error| {
        Err(Box::new(Failed { index, step: plan.steps.get(index).cloned(), error, undone: None }))
    };
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
        let seen = match watch.shown.and_then(|shown| shown.get(index)) {
            Some(seen) => seen.clone(),
            None => match host.observe(step).await {
                Ok(seen) => seen,
                Err(error) => return refused(index, error.into()),
            },
        };
        if let Some(glance) = seen.glance(&path) {
            expects.insert(path, glance);
        }
    }
    if let Err(error) = journal.begin(plan, expects) {
        return refused(0, error.into());
    }
    match finish(host, journal, watch).await {
        // Nobody is asked about a plan that has just begun.
        Err(failed) if failed.undone.is_none() => {
            journal.note(Event::Failed { step: failed.index, error: sentence::of(&failed.error) });
            let undone = Some(roll_back::take_back(host, journal, watch, Stuck::Again).await);
            Err(Box::new(Failed { undone, ..*failed }))
        }
        other => other,
    }
}

/// Finishes a plan that is in the journal: one just begun, or one that was cut short.
pub(super) async fn finish<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
) -> Result<Done, Box<Failed>> {
    let steps = journal.log().map(|log| log.plan.steps.clone()).unwrap_or_default();
    let mut done = Done::default();
    for (index, step) in steps.iter().enumerate() {
        let mut course = Course { host, journal, watch, done: &mut done, step, index, total: steps.len() };
        if let Err(error) = course.go().await {
            course.tell(Stage::Failed);
            return Err(failed(index, Some(step.clone()), error, host, journal, watch).await);
        }
    }
    match journal.complete() {
        Ok(()) => Ok(done),
        Err(error) => Err(failed(steps.len(), None, error.into(), host, journal, watch).await),
    }
}

async fn failed<H: Host>(
    index: usize,
    step: Option<Step>,
    error: StepError,
    host: &mut H,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
) -> Box<Failed> {
    if matches!(error, StepError::Changed { .. }) {
        return Box::new(Failed { index, step, error, undone: None });
    }
    journal.note(Event::Failed { step: index, error: sentence::of(&error) });
    let undone = Some(roll_back::take_back(host, journal, watch, Stuck::Again).await);
    Box::new(Failed { index, step, error, undone })
}

/// One step on its way.
struct Course<'a, 'w, H> {
    host: &'a mut H,
    journal: &'a mut Journal,
    watch: &'a mut Watch<'w>,
    done: &'a mut Done,
    step: &'a Step,
    index: usize,
    total: usize,
}

impl<H: Host> Course<'_, '_, H> {
    async fn go(&mut self) -> Result<(), StepError> {
        let log = self.journal.log().ok_or(JournalError::NoPlan)?;
        let mark = log.marks.get(self.index).cloned().unwrap_or_default();
        if log.is_followed(self.index) {
            return Ok(());
        }
        if mark == Mark::Untouched {
            return self.begin().await;
        }
        self.host.tidy(self.step).await?;
        let now = self.host.observe(self.step).await?;
        let standing = match mark.before() {
            Some(before) => self.step.standing(before, &now),
            None if self.step.reached(&now) => Standing::Done,
            None => Standing::Neither,
        };
        match mark.forward(standing) {
            Forward::Begin => self.begin().await,
            Forward::Perform => self.perform(mark.before().unwrap_or(&now)).await,
            Forward::NoteDone => self.note_done(),
            Forward::GoOn => Ok(()),
            Forward::Renew if matches!(self.step, Step::SetRunning { .. }) => self.try_perform(&now).await,
            Forward::Renew if now.entry().is_none() => Ok(()),
            Forward::Renew | Forward::Leave => {
                let subject = self.step.subject();
                self.done.notes.push(Note::new(format!("{subject} was changed since; it is left as it is")));
                Ok(())
            }
            Forward::Stop => Err(StepError::Changed { subject: self.step.subject() }),
        }
    }

    async fn begin(&mut self) -> Result<(), StepError> {
        let before = self.host.observe(self.step).await?;
        let log = self.journal.log().ok_or(JournalError::NoPlan)?;
        if log.is_foreign(self.index, &before) {
            return Err(StepError::Changed { subject: self.step.subject() });
        }
        if self.step.reached(&before) {
            return self.skip();
        }
        if let Some(what) = obstacle(self.step, &before) {
            return Err(StepError::InTheWay { what });
        }
        self.tell(Stage::Started);
        self.host.keep(self.step, &before).await?;
        self.journal.append(Event::Started { step: self.index, before: before.clone() })?;
        self.perform(&before).await
    }

    async fn perform(&mut self, before: &Before) -> Result<(), StepError> {
        match self.try_perform(before).await {
            Ok(()) => self.note_done(),
            Err(error @ (StepError::Journal(_) | StepError::Interrupted)) => Err(error),
            Err(error) if self.step.can_be_missed() => {
                let text = format!("could not {}: {}", self.step.describe(), sentence::of(&error));
                self.done
                    .notes
                    .push(Note { text, next: error.next().or_else(|| self.host.by_hand(self.step)) });
                self.skip()
            }
            Err(error) => Err(error),
        }
    }

    async fn try_perform(&mut self, before: &Before) -> Result<(), StepError> {
        fault::before(self.watch.fault, self.index + 1)?;
        if self.watch.is_stopped() {
            return Err(StepError::Interrupted);
        }
        // Waiting can be cut short; a change is made to its end.
        let stop = self.watch.stop.clone().filter(|_| self.step.only_waits());
        let notes = tokio::select! {
            notes = self.host.perform(self.step) => notes?,
            () = stopped(stop) => return Err(StepError::Interrupted),
        };
        self.done.notes.extend(notes);
        fault::after(self.watch.fault, self.index + 1)?;
        if self.step.only_waits() {
            return Ok(());
        }
        let now = self.host.observe(self.step).await?;
        match self.step.standing(before, &now) {
            Standing::Done => Ok(()),
            Standing::NotYet | Standing::Partly | Standing::Neither => {
                // What was started and ended again has said why in its log.
                let next = match self.step {
                    Step::SetRunning { unit, running: true } => {
                        Some(format!("parachute logs {}", unit.plain()))
                    }
                    _ => None,
                };
                Err(StepError::NotSo { found: now.words(), next })
            }
        }
    }

    fn note_done(&mut self) -> Result<(), StepError> {
        self.journal.append(Event::Done { step: self.index })?;
        self.done.performed += 1;
        self.tell(Stage::Done);
        Ok(())
    }

    fn skip(&mut self) -> Result<(), StepError> {
        self.journal.append(Event::Skipped { step: self.index })?;
        self.done.skipped += 1;
        self.tell(Stage::Skipped);
        Ok(())
    }

    fn tell(&mut self, stage: Stage) {
        (self.watch.progress)(Progress { index: self.index, total: self.total, step: self.step, stage });
    }
}

/// What no step of ours replaces.
fn obstacle(step: &Step, before: &Before) -> Option<String> {
    match before {
        Before::File { entry: Entry::Other { what } } | Before::Unit { entry: Entry::Other { what }, .. } => {
            Some(format!("{what} at {}", step.subject()))
        }
        Before::Names { at } => match step {
            Step::Move { to, .. } => {
                at.get(to).map(|thing| format!("{} at {}", thing.kind.words(), to.display()))
            }
            _ => None,
        },
        Before::Dir { dir: Dir::Blocked { by } } => Some(format!("{}, which is no directory,", by.display())),
        _ => None,
    }
}
