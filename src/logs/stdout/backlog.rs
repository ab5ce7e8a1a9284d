//! The lines that wait for the hub's stdout, and what happens if its reader stops. Pure: the clock is an argument.
//!
//! ```text
//! flowing ──full──► waiting (modules are held back) ──1 s without progress──► stalled (lines counted, not kept)
//!    ▲                 │                                                          │
//!    └────progress─────┴──────────────progress: "N lines were not shown here"─────┘        closed: for good
//! ```

use std::time::{Duration, Instant};

/// Waiting bytes from which modules are held back. One more batch may be on top.
pub(crate) const FULL: usize = 512 * 1024;

/// Lines of the hub and the supervisor are kept up to this many bytes above [`FULL`]: neither can be held back.
const NOTES: usize = 64 * 1024;

/// How long modules are held back when the reader of stdout has stopped.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// The bounded buffer in front of the hub's stdout.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    flow: Flow,
}

#[derive(Debug, PartialEq, Eq)]
enum Flow {
    Flowing,
    /// A batch was refused at this time, and nothing has been written since.
    Waiting {
        since: Instant,
    },
    /// The reader has stopped; this many lines have been dropped since.
    Stalled {
        lost: u64,
    },
    /// Stdout is closed for good: new lines are dropped.
    Closed,
}

/// Whether a batch may be pushed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Admit {
    /// Yes (it may be counted instead of kept).
    Now,
    /// Not before there is progress, or before this time: ask again.
    NotBefore(Instant),
}

impl Backlog {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), flow: Flow::Flowing }
    }

    /// Asks whether a batch may be pushed.
    pub(crate) fn admit(&mut self, now: Instant) -> Admit {
        if self.bytes.len() < FULL || matches!(self.flow, Flow::Stalled { .. } | Flow::Closed) {
            return Admit::Now;
        }
        let since = if let Flow::Waiting { since } = self.flow { since } else { now };
        if now >= since + PATIENCE {
            self.flow = Flow::Stalled { lost: 0 };
            return Admit::Now;
        }
        self.flow = Flow::Waiting { since };
        Admit::NotBefore(since + PATIENCE)
    }

    /// Adds a batch of complete lines; `batch` is left empty, with some buffer. Call after [`Self::admit`].
    pub(crate) fn push(&mut self, batch: &mut Vec<u8>, lines: u64) {
        match &mut self.flow {
            Flow::Closed => {}
            Flow::Stalled { lost } => *lost += lines,
            Flow::Flowing | Flow::Waiting { .. } if self.bytes.is_empty() => {
                std::mem::swap(&mut self.bytes, batch);
            }
            Flow::Flowing | Flow::Waiting { .. } => self.bytes.extend_from_slice(batch),
        }
        batch.clear();
    }

    /// Adds one line of the hub or the supervisor, newline included. These cannot wait.
    pub(crate) fn note(&mut self, line: &[u8]) {
        match &mut self.flow {
            Flow::Closed => {}
            Flow::Stalled { lost } => *lost += 1,
            Flow::Flowing | Flow::Waiting { .. } if self.bytes.len() + line.len() > FULL + NOTES => {
                self.flow = Flow::Stalled { lost: 1 };
            }
            Flow::Flowing | Flow::Waiting { .. } => self.bytes.extend_from_slice(line),
        }
    }

    /// Moves all waiting bytes to the writer, and takes its empty buffer.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, into);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The writer has written some bytes.
    pub(crate) fn progress(&mut self) {
        if let Flow::Stalled { lost: lost @ 1.. } = self.flow {
            let verb = if lost == 1 { "line was" } else { "lines were" };
            let text = format!("[hub] {lost} {verb} not shown here: the reader of this output had stopped\n");
            self.bytes.extend_from_slice(text.as_bytes());
        }
        if self.flow != Flow::Closed {
            self.flow = Flow::Flowing;
        }
    }

    /// Writing failed temporarily (a full disk): no module is held back meanwhile.
    pub(crate) fn failed(&mut self) {
        if matches!(self.flow, Flow::Flowing | Flow::Waiting { .. }) {
            self.flow = Flow::Stalled { lost: 0 };
        }
    }

    /// Writing failed for good.
    pub(crate) fn close(&mut self) {
        self.flow = Flow::Closed;
        self.bytes = Vec::new();
    }

    /// Lines dropped so far, if stdout is stalled.
    #[cfg(test)]
    pub(crate) fn stalled(&self) -> Option<u64> {
        if let Flow::Stalled { lost } = self.flow { Some(lost) } else { None }
    }

    /// Frees memory when nothing waits.
    pub(crate) fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "test: any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }

    fn text(backlog: &mut Backlog) -> String {
        let mut bytes = Vec::new();
        backlog.take(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_reader_that_stops_holds_modules_back_for_one_second_only() {
        let (mut backlog, t) = (Backlog::new(), start());
        let half = || vec![b'x'; FULL / 2];
        for _ in 0..2 {
            assert_eq!(backlog.admit(t), Admit::Now);
            backlog.push(&mut half(), 10);
        }
        assert_eq!(backlog.admit(t), Admit::NotBefore(t + PATIENCE));
        let mid = t + PATIENCE / 2;
        assert_eq!(
            backlog.admit(mid),
            Admit::NotBefore(t + PATIENCE),
            "patience counts from the first refusal"
        );
        assert_eq!(backlog.admit(t + PATIENCE), Admit::Now);
        backlog.push(&mut half(), 10);
        backlog.push(&mut half(), 5);
        backlog.note(b"[hub] hello\n");
        assert_eq!((backlog.bytes.len(), backlog.stalled()), (FULL, Some(16)), "it does not grow");
        let _ = text(&mut backlog);
        backlog.progress();
        backlog.push(&mut b"[a] next\n".to_vec(), 1);
        assert_eq!(
            text(&mut backlog),
            "[hub] 16 lines were not shown here: the reader of this output had stopped\n[a] next\n"
        );
        assert_eq!(backlog.stalled(), None);
    }

    #[test]
    fn progress_starts_the_patience_again() {
        let (mut backlog, t) = (Backlog::new(), start());
        backlog.push(&mut vec![b'x'; FULL], 1);
        assert_eq!(backlog.admit(t), Admit::NotBefore(t + PATIENCE));
        backlog.progress();
        let later = t + PATIENCE;
        assert_eq!(backlog.admit(later), Admit::NotBefore(later + PATIENCE));
        assert_eq!(backlog.stalled(), None);
    }

    #[test]
    fn notes_are_bounded_and_a_closed_stdout_takes_nothing() {
        let mut backlog = Backlog::new();
        for _ in 0..2 * FULL / 1000 {
            backlog.note(&[b'n'; 1000]);
        }
        assert!(backlog.bytes.len() <= FULL + NOTES && backlog.stalled() > Some(0));
        backlog.close();
        backlog.progress();
        backlog.push(&mut vec![b'x'; 9], 1);
        backlog.note(b"n\n");
        assert!(backlog.is_empty());
        assert_eq!(backlog.admit(start()), Admit::Now, "no batch waits for a closed stdout");
    }

    #[test]
    fn a_failing_disk_under_stdout_blocks_no_module() {
        let (mut backlog, t) = (Backlog::new(), start());
        backlog.push(&mut vec![b'x'; FULL], 1);
        backlog.failed();
        assert_eq!(backlog.admit(t), Admit::Now);
        backlog.push(&mut b"y\n".to_vec(), 1);
        let _ = text(&mut backlog);
        backlog.progress();
        assert!(text(&mut backlog).starts_with("[hub] 1 line was not shown here"));
    }
}
