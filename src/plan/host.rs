//! The machine as a plan sees it: a trait, so that tests can run plans on a model, and its errors. The real machine is
//! in [`real`].

mod daemons;
mod downtime;
mod files;
mod health;
pub mod real;
mod stability;
mod units;

use std::future::Future;

use super::observed::Observed;
use super::plan::Note;
use super::step::Step;
use crate::error_chain::{self, Hints};
use crate::home::fs::FsError;
use crate::manager::driver::ManagerError;

/// Observes and changes the machine.
pub trait Host {
    /// The current state of the step's target. Changes nothing.
    ///
    /// # Errors
    /// [`HostError`] if it is unknown: then the step is not performed.
    fn observe(&self, step: &Step) -> impl Future<Output = Result<Observed, HostError>>;

    /// Copies previous content that is too long for the journal into a file, synced when this returns.
    ///
    /// # Errors
    /// [`HostError`]; also if the content has changed since it was observed.
    fn keep(&mut self, step: &Step, before: &Observed) -> impl Future<Output = Result<(), HostError>>;

    /// Performs the step, or performs it again: parts that are already done are not an error. Returns notes for the
    /// user.
    ///
    /// # Errors
    /// [`HostError`].
    fn perform(&mut self, step: &Step) -> impl Future<Output = Result<Vec<Note>, HostError>>;

    /// Removes temporary files of a [`Host::perform`] that was killed.
    ///
    /// # Errors
    /// [`HostError`].
    fn tidy(&mut self, step: &Step) -> impl Future<Output = Result<(), HostError>>;

    /// The command that a user would type to perform the step, if there is one.
    fn by_hand(&self, step: &Step) -> Option<String>;
}

/// Why the machine cannot be observed or changed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// An error of the file system.
    #[error(transparent)]
    File(#[from] FsError),
    /// An error of the service manager.
    #[error(transparent)]
    Manager(#[from] ManagerError),
    /// The state of the machine does not allow it.
    #[error("{what}")]
    Refused {
        /// What was refused, and why.
        what: String,
        /// The command to type about it, if one helps.
        hint: Option<String>,
    },
    /// A failure injected by a test.
    #[error("this step was told to fail")]
    Injected,
}

impl HostError {
    /// A [`HostError::Refused`].
    #[must_use]
    pub fn refused(what: impl Into<String>, hint: Option<&str>) -> Self {
        Self::Refused { what: what.into(), hint: hint.map(ToOwned::to_owned) }
    }

    /// The error and its sources as one sentence.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        error_chain::of(self)
    }
}

impl Hints for HostError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused { hint, .. } => hint.iter().cloned().collect(),
            Self::Manager(error) => error.hints(),
            Self::File(_) | Self::Injected => Vec::new(),
        }
    }
}

/// The current state of the target of each of these steps.
///
/// # Errors
/// [`HostError`] of the first step that cannot be observed.
pub async fn observe_all<H: Host>(host: &H, steps: &[Step]) -> Result<Vec<Observed>, HostError> {
    let mut seen = Vec::with_capacity(steps.len());
    for step in steps {
        seen.push(host.observe(step).await?);
    }
    Ok(seen)
}
