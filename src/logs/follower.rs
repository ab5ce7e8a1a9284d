//! Following a module's lines as they come, without ever slowing them down.
//!
//! A follower has no buffer of its own: it reads the ring, which keeps more while it is followed. If it comes too
//! late, the lines it missed are counted by their numbers.

use std::sync::Arc;

use tokio::sync::watch;

use super::line::Line;
use super::module_state::ModuleState;
use super::start::Start;
use crate::sync::mutex::lock;

/// Most lines handed out at once.
const LINES: usize = 512;

/// Most text handed out at once, give or take a line.
const BYTES: usize = 128 * 1024;

/// What a follower is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// New lines, at least one.
    Lines(Vec<Line>),
    /// The follower was too slow (or asked for lines of long ago): these many lines are not to be had any more.
    Dropped {
        /// How many.
        lost: u64,
    },
    /// No line will come any more: the hub is stopping, or the module was removed.
    Closed,
}

/// Somebody who follows one module.
#[derive(Debug)]
pub struct Follower {
    module: Arc<ModuleState>,
    pulse: watch::Receiver<bool>,
    next: u64,
}

impl Follower {
    pub(crate) fn new(module: Arc<ModuleState>, start: Start) -> Self {
        let pulse = module.pulse.subscribe();
        let next = module.followed(start);
        Self { module, pulse, next }
    }

    /// What came since the last call; waits if nothing did. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Followed {
        loop {
            // Marked as seen before the ring is read: a line that comes in between wakes us again.
            let closed = *self.pulse.borrow_and_update();
            if let Some(news) = self.look() {
                return news;
            }
            if closed || self.pulse.changed().await.is_err() {
                return Followed::Closed;
            }
        }
    }

    fn look(&mut self) -> Option<Followed> {
        let state = lock(&self.module.state);
        let first = state.ring.first();
        if self.next < first {
            let lost = first - self.next;
            self.next = first;
            return Some(Followed::Dropped { lost });
        }
        let lines = state.ring.from(self.next, LINES, BYTES);
        self.next = lines.last()?.seq + 1;
        Some(Followed::Lines(lines))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.module.unfollowed();
    }
}
