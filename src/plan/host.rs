//! The seam between a plan and the machine, and what can go wrong there.

mod daemons;
mod downtime;
mod files;
mod health;
pub mod real;
mod stability;
mod units;

use std::future::Future;

use super::observed::Before;
use super::plan::Note;
use super::step::Step;
use crate::home::fs::FsError;
use crate::home::sentence;
use crate::manager::driver::ManagerError;

/// Looks at the machine and changes it. One is real, one is a model in tests.
pub trait Host {
    /// What the step touches, as it is now. Changes nothing.
    ///
    /// # Errors
    /// [`HostError`]: it cannot be told. Nothing is done blindly.
    fn observe(&self, step: &Step) -> impl Future<Output = Result<Before, HostError>>;

    /// Copies aside what the journal is too small for; it is there for good when this returns.
    ///
    /// # Errors
    /// [`HostError`]; also if the bytes are no longer those that were observed.
    fn keep(&mut self, step: &Step, before: &Before) -> impl Future<Output = Result<(), HostError>>;

    /// Does it, or does it again: whatever of it is so already is no error. Says what a person should know.
    ///
    /// # Errors
    /// [`HostError`].
    fn perform(&mut self, step: &Step) -> impl Future<Output = Result<Vec<Note>, HostError>>;

    /// Takes away what a killed [`Host::perform`] may have left beside its work.
    ///
    /// # Errors
    /// [`HostError`].
    fn tidy(&mut self, step: &Step) -> impl Future<Output = Result<(), HostError>>;

    /// What a person would type to do it, if it can be typed.
    fn by_hand(&self, step: &Step) -> Option<String>;
}

/// Why the machine cannot be seen or changed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// The manager.
    #[error(transparent)]
    Manager(#[from] ManagerError),
    /// What is there forbids it.
    #[error("{what}")]
    Refused {
        /// What and why.
        what: String,
        /// The next command.
        next: Option<String>,
    },
    /// A test asked for it.
    #[error("this step was told to fail")]
    Injected,
}

impl HostError {
    /// A refusal.
    #[must_use]
    pub fn refused(what: impl Into<String>, next: Option<&str>) -> Self {
        Self::Refused { what: what.into(), next: next.map(ToOwned::to_owned) }
    }

    /// The whole chain as one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        sentence::of(self)
    }

    /// The next command to type, if one helps.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Refused { next, .. } => next.clone(),
            Self::Manager(error) => error.cause.next.clone(),
            Self::File(_) | Self::Injected => None,
        }
    }
}

/// Looks at what each of these steps touches.
///
/// # Errors
/// [`HostError`] of the first that cannot be seen.
pub async fn observe_all<H: Host>(host: &H, steps: &[Step]) -> Result<Vec<Before>, HostError> {
    let mut seen = Vec::with_capacity(steps.len());
    for step in steps {
        seen.push(host.observe(step).await?);
    }
    Ok(seen)
}
