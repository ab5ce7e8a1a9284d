//! What the logs room has of one module: its ring, its file, and who must be woken.

use std::path::PathBuf;
use std::sync::Mutex;

use tokio::sync::watch;

use super::line::Stream;
use super::ring::{FOLLOWED_CAP, RING_CAP, Ring};
use super::rotate::LogFile;
use super::start::Start;
use crate::module::launch::LogLimits;
use crate::module::name::Short;
use crate::module::stamp::Stamp;
use crate::sync::mutex::lock;

/// One module, shared by its pumps, its followers and the supervisor.
#[derive(Debug)]
pub(crate) struct ModuleState {
    pub(crate) short: Short,
    /// Held for a copy only, so the hub's main thread may take it.
    pub(crate) state: Mutex<State>,
    /// Taken by the logs thread alone: it is held while the disk is written.
    pub(crate) file: Mutex<LogFile>,
    /// Beats for every batch; `true`: there will be no more.
    pub(crate) pulse: watch::Sender<bool>,
    /// `true`: pumps read what is there, and end. Each pump holds a receiver, so "all ended" can be awaited.
    pub(crate) ending: watch::Sender<bool>,
}

/// The part that everybody may look at.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) ring: Ring,
    pub(crate) limits: LogLimits,
    followers: usize,
    /// Supervisor lines in file form that the logs thread has not written yet.
    notes: Vec<u8>,
}

/// Supervisor lines that wait for a slow disk; more are not written to the file.
const NOTES: usize = 64 * 1024;

impl ModuleState {
    pub(crate) fn new(short: Short, file: PathBuf, limits: LogLimits) -> Self {
        Self {
            short,
            state: Mutex::new(State { ring: Ring::new(), limits, followers: 0, notes: Vec::new() }),
            file: Mutex::new(LogFile::new(file)),
            pulse: watch::Sender::new(false),
            ending: watch::Sender::new(false),
        }
    }

    /// A batch of lines in file form for the ring and the followers. Returns the file's bounds as they are now.
    pub(crate) fn keep(&self, at: Stamp, stream: Stream, file: &[u8], lines: u64) -> LogLimits {
        let mut state = lock(&self.state);
        state.ring.push_file_form(at, stream, file, lines);
        let limits = state.limits;
        drop(state);
        self.pulse.send_modify(|_| ());
        limits
    }

    /// A supervisor line in file form, for ring, followers and (later) the file. `true`: nobody was told yet that
    /// something waits for the file.
    pub(crate) fn keep_note(&self, at: Stamp, file: &[u8], lines: u64) -> bool {
        let mut state = lock(&self.state);
        state.ring.push_file_form(at, Stream::Hub, file, lines);
        let first = state.notes.is_empty();
        if state.notes.len() + file.len() <= NOTES {
            state.notes.extend_from_slice(file);
        }
        drop(state);
        self.pulse.send_modify(|_| ());
        first
    }

    /// Takes the supervisor lines that wait for the file.
    pub(crate) fn take_notes(&self) -> (Vec<u8>, LogLimits) {
        let mut state = lock(&self.state);
        (std::mem::take(&mut state.notes), state.limits)
    }

    /// A follower came; the number of the first line it wants.
    pub(crate) fn followed(&self, start: Start) -> u64 {
        let mut state = lock(&self.state);
        state.followers += 1;
        state.ring.set_cap(FOLLOWED_CAP);
        let (first, next) = (state.ring.first(), state.ring.next());
        match start {
            Start::Now => next,
            Start::Tail(lines) => first.max(next.saturating_sub(lines as u64)),
            Start::Seq(seq) => seq.min(next),
            Start::Since(stamp) => state.ring.seq_since(stamp),
        }
    }

    /// A follower left.
    pub(crate) fn unfollowed(&self) {
        let mut state = lock(&self.state);
        state.followers -= 1;
        if state.followers == 0 {
            state.ring.set_cap(RING_CAP);
        }
    }

    /// Ends pumps, then followers: in this order, so that nobody misses a last line.
    pub(crate) async fn end(&self) {
        self.ending.send_replace(true);
        self.ending.closed().await;
        self.close();
    }

    /// Ends followers, and pumps soon.
    pub(crate) fn close(&self) {
        self.ending.send_replace(true);
        self.pulse.send_replace(true);
    }
}
