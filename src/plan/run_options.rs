//! Who looks on while a plan is run or taken back, and may want it to end.

use tokio::sync::watch;

use super::fault::Fault;
use super::observed::Before;
use super::step::Step;

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
    /// Whether somebody wants it to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }
}

/// Returns when somebody wants it to end.
pub(super) async fn stopped(stop: Option<watch::Receiver<bool>>) {
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
