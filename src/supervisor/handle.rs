//! The way to a module's actor: what people may ask of it, and what it shows.

use tokio::sync::{mpsc, oneshot, watch};

use super::snapshot::Snapshot;
use super::state::Outcome;

/// What people ask of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Run, because there is a row.
    Boot,
    /// Run.
    Start,
    /// Do not run.
    Stop,
    /// Run anew.
    Restart,
    /// Do not run, and never again in this hub.
    Shutdown,
}

#[derive(Debug)]
pub(super) enum Command {
    Ask(Ask, oneshot::Sender<(Outcome, Snapshot)>),
    Edited,
}

/// The way to an actor. Dropping the last one ends the actor, not the module: ask for [`Ask::Shutdown`] first.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) snapshots: watch::Receiver<Snapshot>,
}

impl Handle {
    /// The latest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Asks and waits for the answer. Not waiting for it cancels nothing.
    pub async fn ask(&self, ask: Ask) -> Option<(Outcome, Snapshot)> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Ask(ask, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Whether this is a way to the same actor.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.commands.same_channel(&other.commands)
    }

    /// Tells that the row changed.
    pub async fn edited(&self) {
        // An actor that has ended has nothing to be told.
        let _ = self.commands.send(Command::Edited).await;
    }
}
