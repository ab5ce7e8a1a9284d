//! Follows a module's lines as they come, from the ring, without ever delaying the module. Files are followed in
//! `file_follower`.
//!
//! A follower has no buffer of its own: it reads the ring, which keeps more while it is followed. If it is too slow, the
//! lines that it missed are counted by their numbers.

use std::sync::Arc;

use tokio::sync::watch;

use super::line::Line;
use super::module_state::ModuleState;
use super::ring::FollowFrom;
use crate::sync::mutex::lock;

/// Most lines of one answer.
const LINES: usize = 512;

/// Most bytes of text of one answer, give or take a line.
const BYTES: usize = 128 * 1024;

/// What a follower is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Followed {
    /// New lines, at least one.
    Lines(Vec<Line>),
    /// The follower was too slow, or asked for lines that the ring has dropped: so many lines are missing here.
    Dropped {
        /// How many.
        lost: u64,
    },
    /// No line will come any more: the hub is stopping, or the module was removed.
    Closed,
}

/// Reads one module's lines as they come.
#[derive(Debug)]
pub(crate) struct Follower {
    module: Arc<ModuleState>,
    pulse: watch::Receiver<bool>,
    next: u64,
}

impl Follower {
    pub(crate) fn new(module: Arc<ModuleState>, from: FollowFrom) -> Self {
        let pulse = module.pulse.subscribe();
        let next = module.add_follower(from);
        Self { module, pulse, next }
    }

    /// What came since the last call; waits if nothing did. May be dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Followed {
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
        let recent = lock(&self.module.recent);
        let first = recent.ring.first();
        if self.next < first {
            let lost = first - self.next;
            self.next = first;
            return Some(Followed::Dropped { lost });
        }
        let lines = recent.ring.from(self.next, LINES, BYTES);
        self.next = lines.last()?.seq + 1;
        Some(Followed::Lines(lines))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.module.remove_follower();
    }
}
