//! Options of a run: progress reports, the observations shown before it, a request to stop it.

use tokio::sync::watch;

use super::fault::Fault;
use super::observed::Observed;
use super::step::Step;

/// Options with which a plan is run or undone.
pub struct RunOptions<'a> {
    /// Called at every stage of every step.
    pub progress: &'a mut dyn FnMut(Progress<'_>),
    /// The observation for each step when the plan was shown to the user, if it was. Anything that has changed since
    /// is not touched.
    pub shown: Option<&'a [Observed]>,
    /// A fault for tests; ignored in builds without debug assertions.
    pub fault: Option<Fault>,
    /// Becomes `true` when the run is to be interrupted: then the plan is undone.
    pub stop: Option<watch::Receiver<bool>>,
}

impl RunOptions<'_> {
    /// Whether the run is to be interrupted.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }
}

/// Returns when the run is to be interrupted.
pub(super) async fn stopped(stop: Option<watch::Receiver<bool>>) {
    if let Some(mut stop) = stop
        && stop.wait_for(|stop| *stop).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// A report about a step while a plan is run or undone.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Index of the step in its plan, from 0.
    pub index: usize,
    /// How many steps the plan has.
    pub total: usize,
    /// The step.
    pub step: &'a Step,
    /// The stage that it has reached.
    pub stage: Stage,
}

/// The stage of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is being performed.
    Started,
    /// It was performed, and its goal was found to be reached.
    Done,
    /// Its goal was reached already, or it is optional and failed.
    Skipped,
    /// It failed.
    Failed,
    /// It was undone.
    Undone,
}
