//! A handle to a module's actor: requests to it, and its snapshots.

use tokio::sync::{mpsc, oneshot, watch};

use super::effect::Outcome;
use super::snapshot::Snapshot;

/// A request to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModuleRequest {
    /// Start, because the hub starts or the row appeared.
    Boot,
    /// Adopt a run of an earlier hub, and start nothing: the hub starts in safe mode.
    Adopt,
    Start,
    Stop,
    /// Stop, and start again.
    Restart,
    /// Stop, and never start again in this hub.
    Shutdown,
}

#[derive(Debug)]
pub(super) enum Command {
    ModuleRequest(ModuleRequest, oneshot::Sender<(Outcome, Snapshot)>),
    Edited,
}

/// Dropping the last one ends the actor, not the module: request [`ModuleRequest::Shutdown`] first.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) snapshots: watch::Receiver<Snapshot>,
}

impl Handle {
    /// The latest snapshot.
    #[must_use]
    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Requests and waits for the answer. A caller that stops waiting cancels nothing. `None`: the actor has ended.
    pub(super) async fn ask(&self, ask: ModuleRequest) -> Option<(Outcome, Snapshot)> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::ModuleRequest(ask, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Whether both are handles to the same actor.
    #[must_use]
    pub(super) fn is(&self, other: &Self) -> bool {
        self.commands.same_channel(&other.commands)
    }

    /// Reports that the row changed.
    pub(super) async fn edited(&self) {
        // An actor that has ended need not know.
        let _ = self.commands.send(Command::Edited).await;
    }
}
