//! Takes a plan back, in reverse, as far as it is ours. One step that cannot be taken back stops no other.

use super::super::commands::look;
use super::super::events::Event;
use super::super::host::Host;
use super::super::journal::Journal;
use super::super::matrix::{Backward, Mark};
use super::super::observed::{Before, Dir};
use super::super::recovery::Standing;
use super::super::run_options::{Progress, Stage, Watch};
use super::super::step::Step;
use crate::home::sentence;

/// How a plan was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undo {
    /// Steps that were taken back.
    pub taken_back: usize,
    /// Exactly what remains.
    pub left: Vec<Left>,
    /// The journal is kept, and the next run tries again what could not be done now.
    pub again: bool,
}

/// Something that remains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Path or unit.
    pub subject: String,
    /// Why it remains.
    pub because: String,
    /// The next command to type, if one helps.
    pub next: Option<String>,
}

/// What became of one step.
enum Back {
    /// It is as it was.
    Taken,
    /// It was as it was.
    Already,
    /// It is somebody else's by now.
    Theirs(String),
    /// It could not be done.
    Cannot(String, Option<String>),
}

/// What becomes of a step that cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// The journal is kept, and the next run tries again.
    Again,
    /// It is left as it is and named, and the plan is over: a person wants to go on.
    Left,
}

/// Takes back what the journal tells of.
pub(super) async fn take_back<H: Host>(
    host: &mut H,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
    stuck: Stuck,
) -> Undo {
    let mut undo = Undo::default();
    let Some(log) = journal.log() else { return undo };
    let (steps, marks) = (log.plan.steps.clone(), log.marks.clone());
    for (index, (step, mark)) in steps.iter().zip(&marks).enumerate().rev() {
        let Some(before) = mark.before() else { continue };
        let left = |because, next| Left { subject: step.subject(), because, next };
        match one(host, step, mark, before).await {
            Back::Taken => {
                undo.taken_back += 1;
                journal.note(Event::Undone { step: index });
                (watch.progress)(Progress { index, total: steps.len(), step, stage: Stage::Undone });
            }
            Back::Already => journal.note(Event::Undone { step: index }),
            Back::Theirs(because) => {
                let was = before.entry().map_or(Ok(None), |entry| journal.set_aside(entry));
                undo.again |= was.is_err();
                undo.left.push(left(because, Some(look(step, was.ok().flatten().as_deref()))));
            }
            Back::Cannot(because, next) if stuck == Stuck::Again => {
                undo.again = true;
                undo.left.push(left(because, next));
            }
            Back::Cannot(because, _) => {
                let was = before.entry().map_or(Ok(None), |entry| journal.set_aside(entry));
                undo.again |= was.is_err();
                undo.left.push(left(because, Some(look(step, was.ok().flatten().as_deref()))));
                journal.note(Event::Undone { step: index });
            }
        }
    }
    if !undo.again
        && let Err(error) = journal.abandon()
    {
        undo.again = true;
        let subject = journal.dir().display().to_string();
        undo.left.push(Left { subject, because: sentence::of(&error), next: error.next() });
    }
    undo
}

async fn one<H: Host>(host: &mut H, step: &Step, mark: &Mark, before: &Before) -> Back {
    if let Err(error) = host.tidy(step).await {
        return Back::Cannot(error.words(), error.next());
    }
    let now = match host.observe(step).await {
        Ok(now) => now,
        Err(error) => return Back::Cannot(error.words(), error.next()),
    };
    let standing = step.standing(before, &now);
    match mark.backward(standing) {
        Backward::Nothing => return Back::Already,
        Backward::Leave => {
            let because = format!("somebody else changed it ({}); it is left as it is", now.words());
            return Back::Theirs(because);
        }
        Backward::Inverse => {}
    }
    for inverse in step.inverse(before) {
        // Half-done work is done over: to look at it tells too little.
        match invert(host, &inverse, standing == Standing::Partly).await {
            Back::Taken | Back::Already => {}
            other => return other,
        }
    }
    Back::Taken
}

async fn invert<H: Host>(host: &mut H, inverse: &Step, anyway: bool) -> Back {
    let cannot = |because, next| match inverse {
        // It names those that failed; the others run.
        Step::StartDaemons { .. } => Back::Cannot(because, next),
        _ => Back::Cannot(format!("cannot {}: {because}", inverse.describe()), next),
    };
    let mut now = match host.observe(inverse).await {
        Ok(now) => now,
        Err(error) => return cannot(error.words(), error.next()),
    };
    if anyway || !inverse.reached(&now) {
        if let Err(error) = host.perform(inverse).await {
            return cannot(error.words(), error.next().or_else(|| host.by_hand(inverse)));
        }
        now = match host.observe(inverse).await {
            Ok(now) => now,
            Err(error) => return cannot(error.words(), error.next()),
        };
    }
    match (inverse, &now) {
        (Step::RemoveDir { .. }, Before::Dir { dir: Dir::Occupied { .. } }) => {
            Back::Theirs("there is something in it that is not of this plan".to_owned())
        }
        _ if inverse.reached(&now) => Back::Taken,
        _ => cannot(now.words(), host.by_hand(inverse)),
    }
}
