//! Runs a plan: observe, journal, perform, observe, journal. Decides nothing: see `standing` and `matrix`.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::before::{Before, Dir, Entry, Read};
use super::daemon::names;
use super::fault::{self, Fault};
use super::host::{Host, HostError};
use super::journal::{Journal, JournalError};
use super::log::Event;
use super::matrix::{Forward, Mark};
use super::standing::Standing;
use super::step::{Key, Step};
use super::undo::{self, Undo};
use super::whole::{Note, Plan};
use crate::manager::state::Active;

/// Who looks on.
pub struct Watch<'a> {
    /// Is told of every stage of every step.
    pub progress: &'a mut dyn FnMut(Progress<'_>),
    /// What was found for each step when the plan was shown, if it was: what changed since is not touched.
    pub shown: Option<&'a [Before]>,
    /// What shall go wrong; only ever in builds with assertions.
    pub fault: Option<Fault>,
    /// Becomes `true` when somebody wants it to end: it is taken back then.
    pub stop: Option<watch::Receiver<bool>>,
}

impl Watch<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }
}

/// Returns when somebody wants it to end.
async fn stopped(stop: Option<watch::Receiver<bool>>) {
    if let Some(mut stop) = stop
        && stop.wait_for(|stop| *stop).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// A stage of a step.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Its place in the plan, from 0.
    pub index: usize,
    /// Steps of the plan.
    pub total: usize,
    /// The step.
    pub step: &'a Step,
    /// What has become of it.
    pub stage: Stage,
}

/// What has become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is being performed.
    Started,
    /// What it wants is so.
    Done,
    /// It was so already, or could be missed.
    Skipped,
    /// It failed.
    Failed,
    /// It was taken back.
    Undone,
}

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
            journal.note(Event::Failed { step: failed.index, error: words(&failed.error) });
            let undone = Some(undo::take_back(host, journal, watch).await);
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
    journal.note(Event::Failed { step: index, error: words(&error) });
    let undone = Some(undo::take_back(host, journal, watch).await);
    Box::new(Failed { index, step, error, undone })
}

/// The whole chain of an error as one sentence.
#[must_use]
pub fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
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
                let text = format!("could not {}: {}", self.step.describe(), words(&error));
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
                Err(StepError::NotSo { found: found(&now), next })
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

/// What is there, for people.
pub(super) fn found(now: &Before) -> String {
    match now {
        Before::File { entry } | Before::Unit { entry, read: None | Some(Read::Current), .. } => {
            match entry {
                Entry::Absent => "there is no such file".to_owned(),
                Entry::File { mode, .. } => format!("another content or mode ({mode:04o})"),
                Entry::Link { to } => format!("a link to {}", to.display()),
                Entry::Other { what } => what.clone(),
            }
        }
        Before::Unit { read: Some(Read::Stale), .. } => "the manager holds on to an earlier one".to_owned(),
        Before::Unit { read: Some(Read::Elsewhere(path)), .. } => {
            format!("the manager reads {} instead", path.display())
        }
        Before::Unit { read: Some(Read::Nothing), .. } => "the manager does not accept it".to_owned(),
        Before::Dir { dir } => match dir {
            Dir::Absent { .. } => "there is no such directory".to_owned(),
            Dir::Empty { mode } | Dir::Occupied { mode } => format!("a directory with mode {mode:04o}"),
            Dir::Blocked { by } => format!("{} is no directory", by.display()),
        },
        Before::Mode { mode: Some(mode) } => format!("mode {mode:04o}"),
        Before::Mode { mode: None } => "there is nothing of that name".to_owned(),
        Before::Names { at } => {
            let there: Vec<String> = at
                .iter()
                .map(|(path, thing)| format!("{} at {}", thing.kind.words(), path.display()))
                .collect();
            if there.is_empty() { "neither name is there".to_owned() } else { there.join(", ") }
        }
        Before::Enabled { enabled: true, .. } => "it starts by itself".to_owned(),
        Before::Enabled { enabled: false, .. } => "it does not start by itself".to_owned(),
        Before::Running { active, .. } => match active {
            Active::Running => "it runs",
            Active::Starting => "it is still starting",
            Active::Stopping => "it is still stopping",
            Active::Restarting => "it died and is being started again",
            Active::Failed => "it failed",
            Active::Stopped => "it does not run",
            Active::Idle => "it does not run any more, and is still loaded",
        }
        .to_owned(),
        Before::Linger { on } => match on.known() {
            Some(true) => "services run without a login".to_owned(),
            Some(false) => "services end at the last logout".to_owned(),
            None => "it cannot be told".to_owned(),
        },
        Before::Daemons { up } if up.is_empty() => "none of them runs".to_owned(),
        Before::Daemons { up } => {
            let names = names(up.iter().map(|up| (up.name.as_str(), &up.id)));
            format!("{names} {}", if up.len() == 1 { "runs" } else { "run" })
        }
        Before::Nothing => "nothing".to_owned(),
    }
}
