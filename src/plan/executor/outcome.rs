//! The result of a run of a plan: done, failed, rolled back. Pure.

use crate::error_chain::Hints;
use crate::plan::host::HostError;
use crate::plan::journal::JournalError;
use crate::plan::plan::Note;
use crate::plan::step::Step;

/// A plan of which every step is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Steps that changed something, or waited.
    pub performed: usize,
    /// Steps whose goal was reached already, and optional steps that failed.
    pub skipped: usize,
    /// Notes for the user.
    pub notes: Vec<Note>,
}

/// A plan that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {}", step.as_ref().map_or_else(|| "record what was done".to_owned(), Step::describe))]
pub struct Failed {
    /// Index of the step that failed, from 0; the number of steps if the receipt could not be written.
    pub index: usize,
    /// The step that failed.
    pub step: Option<Step>,
    /// Why it failed.
    #[source]
    pub error: StepError,
    /// How the plan was undone; `None` if it was not, because the user must decide first.
    pub rollback: Option<Rollback>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// An error of the machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An error of the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A kind of file that no step replaces is in the way.
    #[error("{what} is in the way")]
    InTheWay {
        /// Its kind and path.
        what: String,
    },
    /// The step was performed, but its goal was not reached.
    #[error("it was done, but the result is: {found}")]
    NotReached {
        /// The state found instead.
        found: String,
        /// The command to type about it.
        hint: Option<String>,
    },
    /// The target of the step was changed from outside since the plan was made.
    #[error("{subject} is not what it was when the plan was made: another program changed it")]
    Changed {
        /// Path or unit.
        subject: String,
    },
    /// The run was interrupted on request.
    #[error("it was interrupted")]
    Interrupted,
    /// The step failed in an earlier run, which was interrupted while it undid the plan.
    #[error("{0}")]
    Earlier(String),
}

impl Hints for StepError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Host(error) => error.hints(),
            Self::Journal(error) => error.hints(),
            Self::NotReached { hint, .. } => hint.iter().cloned().collect(),
            Self::InTheWay { .. } | Self::Changed { .. } | Self::Interrupted | Self::Earlier(_) => Vec::new(),
        }
    }
}

/// How a plan was undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollback {
    /// How many steps were undone.
    pub undone: usize,
    /// Steps that were not undone.
    pub remaining: Vec<Remaining>,
    /// The journal is kept, and the next run tries the failed steps again.
    pub retry: bool,
}

/// A step that was not undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remaining {
    /// Path or unit.
    pub subject: String,
    /// Why it was not undone.
    pub because: String,
    /// The command to type about it, if one helps.
    pub hint: Option<String>,
}

/// What to do about a step that cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStuck {
    /// Keep the journal: the next run tries again.
    Retry,
    /// Leave it, report it, and end the plan.
    Leave,
}
