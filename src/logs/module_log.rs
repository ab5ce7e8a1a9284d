//! The log of one module, for the supervisor and the API: attach streams, add notes, read, follow. Edge: the
//! clock, for the supervisor's notes.

#![expect(clippy::disallowed_methods, reason = "edge: stamps the supervisor's lines")]

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

use super::follower::Follower;
use super::line::{Line, Stream, stored_line};
use super::log_thread::LogThread;
use super::module_state::ModuleState;
use super::pump::Pump;
use super::ring::FollowFrom;
use crate::module::timestamp::Timestamp;
use crate::sync::mutex::lock;

/// A handle to the log of one module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ModuleLog {
    thread: Arc<LogThread>,
    module: Arc<ModuleState>,
}

impl ModuleLog {
    pub(crate) fn new(thread: Arc<LogThread>, module: Arc<ModuleState>) -> Self {
        Self { thread, module }
    }

    /// Reads `fd`, the read end of the module's pipe, until its end, even if the [`Pump`] is dropped.
    pub fn attach(&self, stream: Stream, fd: OwnedFd) -> Pump {
        Pump::start(&self.thread, &self.module, stream, fd)
    }

    /// Adds lines of the supervisor about this module: to ring, followers and file. Never waits.
    pub(crate) fn note(&self, text: &str) {
        let at = Timestamp::of(SystemTime::now());
        let mut stored = Vec::new();
        let mut lines = 0;
        for line in text.lines() {
            stored.extend(stored_line(at, Stream::Hub, line));
            lines += 1;
        }
        if lines > 0 && self.module.keep_note(at, &stored, lines) {
            let (thread, module) = (Arc::clone(&self.thread), Arc::clone(&self.module));
            // Held until the note is written: the end of the module's log waits for it.
            let ending = module.ending.subscribe();
            self.thread.handle.spawn(async move {
                let (notes, limits) = module.take_notes();
                thread.write_module_file(&module, &notes, limits);
                drop(ending);
            });
        }
    }

    /// The last `lines` lines of the ring.
    #[must_use]
    pub(crate) fn tail(&self, lines: usize) -> Vec<Line> {
        let recent = lock(&self.module.recent);
        let from = recent.ring.next().saturating_sub(lines as u64);
        recent.ring.from(from, lines, usize::MAX)
    }

    /// Follows new lines.
    #[must_use]
    pub(crate) fn follow(&self, from: FollowFrom) -> Follower {
        Follower::new(Arc::clone(&self.module), from)
    }
}
