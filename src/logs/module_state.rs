//! The state of one module's log in this room: the ring in memory, the file, and the followers to wake.

use std::path::PathBuf;
use std::sync::Mutex;

use tokio::sync::watch;

use super::line::Stream;
use super::ring::{FOLLOWED_CAP, FollowFrom, RING_CAP, Ring};
use super::rotate::LogFile;
use crate::module::launch::LogLimits;
use crate::module::name::Short;
use crate::module::timestamp::Timestamp;
use crate::sync::mutex::lock;

/// Shared by the module's pumps, its followers and the supervisor.
#[derive(Debug)]
pub(crate) struct ModuleState {
    pub(crate) short: Short,
    /// Locked for a copy only, so the hub's main thread may lock it.
    pub(crate) recent: Mutex<Recent>,
    /// Locked only by the logs thread, which holds it while it writes to disk.
    pub(crate) file: Mutex<LogFile>,
    /// Changes with every batch of lines; `true`: there will be no more.
    pub(crate) pulse: watch::Sender<bool>,
    /// `true`: pumps read the rest and end. Each pump holds a receiver, so that the end of all can be awaited.
    pub(crate) ending: watch::Sender<bool>,
}

/// The part in memory.
#[derive(Debug)]
pub(crate) struct Recent {
    pub(crate) ring: Ring,
    pub(crate) limits: LogLimits,
    followers: usize,
    /// Supervisor lines, in the format of the file, that the logs thread has not written yet.
    notes: Vec<u8>,
}

/// Most bytes of supervisor lines that wait for a slow disk; further ones are not written to the file.
const NOTES: usize = 64 * 1024;

impl ModuleState {
    pub(crate) fn new(short: Short, file: PathBuf, limits: LogLimits) -> Self {
        Self {
            short,
            recent: Mutex::new(Recent { ring: Ring::new(), limits, followers: 0, notes: Vec::new() }),
            file: Mutex::new(LogFile::new(file)),
            pulse: watch::Sender::new(false),
            ending: watch::Sender::new(false),
        }
    }

    /// Adds a batch of lines, in the format of a file, to ring and followers. Returns the current limits of the file.
    pub(crate) fn keep(&self, at: Timestamp, stream: Stream, file: &[u8], lines: u64) -> LogLimits {
        let mut recent = lock(&self.recent);
        recent.ring.push_file_form(at, stream, file, lines);
        let limits = recent.limits;
        drop(recent);
        self.pulse.send_modify(|_| ());
        limits
    }

    /// Adds supervisor lines, in the format of a file, to ring and followers, and queues them for the file. `true`:
    /// the logs thread must be woken.
    pub(crate) fn keep_note(&self, at: Timestamp, file: &[u8], lines: u64) -> bool {
        let mut recent = lock(&self.recent);
        recent.ring.push_file_form(at, Stream::Hub, file, lines);
        let first = recent.notes.is_empty();
        if recent.notes.len() + file.len() <= NOTES {
            recent.notes.extend_from_slice(file);
        }
        drop(recent);
        self.pulse.send_modify(|_| ());
        first
    }

    /// Takes the supervisor lines that wait for the file.
    pub(crate) fn take_notes(&self) -> (Vec<u8>, LogLimits) {
        let mut recent = lock(&self.recent);
        (std::mem::take(&mut recent.notes), recent.limits)
    }

    /// Counts a follower, and returns the number of the first line that it requests.
    pub(crate) fn add_follower(&self, from: FollowFrom) -> u64 {
        let mut recent = lock(&self.recent);
        recent.followers += 1;
        recent.ring.set_cap(FOLLOWED_CAP);
        recent.ring.position(from)
    }

    /// A ring without followers shrinks again.
    pub(crate) fn remove_follower(&self) {
        let mut recent = lock(&self.recent);
        recent.followers -= 1;
        if recent.followers == 0 {
            recent.ring.set_cap(RING_CAP);
        }
    }

    /// Ends pumps, then followers: in this order, so that no follower misses a last line.
    pub(crate) async fn end(&self) {
        self.ending.send_replace(true);
        self.ending.closed().await;
        self.close();
    }

    /// Ends followers at once, and tells pumps to end.
    pub(crate) fn close(&self) {
        self.ending.send_replace(true);
        self.pulse.send_replace(true);
    }
}
