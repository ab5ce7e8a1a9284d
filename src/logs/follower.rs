//! Follows a module's lines from the ring, without ever delaying the module. `file_follower` follows
//! files.
//!
//! A follower has no buffer of its own: it reads the ring, which keeps more while it is followed. If it is too slow,
//! the lines that it missed are counted by their numbers.

use std::sync::Arc;

use tokio::sync::watch;

use super::line::Line;
use super::module_state::ModuleState;
use super::ring::FollowFrom;
use crate::sync::mutex::lock;

/// Most lines per call.
const LINES: usize = 512;

/// Most bytes of text per call, plus at most one line.
const BYTES: usize = 128 * 1024;

/// The result of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Followed {
    /// New lines, at least one.
    Lines(Vec<Line>),
    /// The follower was too slow, or asked for lines that the ring has dropped: this many lines are missing here.
    Dropped {
        /// How many.
        lost: u64,
    },
    /// There will be no more lines: the hub is stopping, or the module was removed.
    Closed,
}

/// Reads one module's lines as they arrive.
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

    /// Lines since the last call; waits if there are none. Cancel-safe: no line is lost.
    pub(crate) async fn next(&mut self) -> Followed {
        loop {
            // Marked as seen before the ring is read: a line in between wakes us again.
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
