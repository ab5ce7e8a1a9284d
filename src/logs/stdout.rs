//! The thread `stdout`: the only writer of the hub's standard output. Edge: a thread, the clock, `write(2)`.
//!
//! Other threads put complete lines into the backlog; this thread writes all of them at once. A reader that stops
//! blocks this thread and no other.

#![expect(
    clippy::disallowed_methods,
    reason = "edge: owns the thread that writes to standard output; measures patience"
)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::Notify;

use super::priority::{Priority, is_journal};
use super::sanitize::sanitize;
use crate::sync::mutex::{lock, wait, wait_timeout};

use backlog::{Admit, Backlog};

mod backlog;

/// Longest single write to anything but a file. A blocking write returns when all of it is read, so a smaller piece
/// shows progress sooner: this is the default capacity of a pipe, pipe(7).
const PIECE: usize = 64 * 1024;

/// A buffer larger than this is freed after [`REST`].
const KEEP: usize = 64 * 1024;

/// After this long without output the buffers are freed.
const REST: Duration = Duration::from_secs(1);

/// Pause between two attempts on a full disk.
const RETRY: Duration = Duration::from_secs(1);

/// Where the hub's lines go.
#[derive(Debug)]
pub struct StdoutSink {
    file: File,
    /// The journal, which takes priorities.
    is_journal: bool,
}

impl StdoutSink {
    /// Any writable descriptor.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        Self { file: File::from(fd), is_journal: false }
    }

    /// The same, with the hub's own lines written as the journal wants them, or not.
    #[must_use]
    pub(crate) fn in_journal(self, is_journal: bool) -> Self {
        Self { is_journal, ..self }
    }

    /// Discards the output: for a hub whose standard output would grow without limit.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn nowhere() -> io::Result<Self> {
        Ok(Self::new(File::options().write(true).open("/dev/null")?.into()))
    }

    /// This process's standard output. `journal_stream`: `$JOURNAL_STREAM`.
    ///
    /// # Errors
    /// It is closed, or no descriptor is left.
    pub(crate) fn of_this_process(journal_stream: Option<&OsStr>) -> io::Result<Self> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        let is_journal = is_journal(&stdout, journal_stream);
        Ok(Self::new(stdout).in_journal(is_journal))
    }
}

/// A handle to the stdout thread.
#[derive(Debug, Clone)]
pub(crate) struct Stdout(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    is_journal: bool,
    /// The writer waits here for lines.
    work: Condvar,
    /// A pump waits here for room. One at a time: the one that holds the scratch.
    room: Notify,
    /// `flush` waits here.
    flushed: Notify,
}

#[derive(Debug)]
struct State {
    backlog: Backlog,
    /// The writer waits for work and must be woken.
    asleep: bool,
    /// The writer holds bytes that are not written yet.
    writing: bool,
    stop: bool,
    closed: bool,
}

impl Stdout {
    pub(crate) fn start(sink: StdoutSink) -> io::Result<Self> {
        let state =
            State { backlog: Backlog::new(), asleep: false, writing: false, stop: false, closed: false };
        let inner = Arc::new(Inner {
            state: Mutex::new(state),
            is_journal: sink.is_journal,
            work: Condvar::new(),
            room: Notify::new(),
            flushed: Notify::new(),
        });
        let of_thread = Arc::clone(&inner);
        std::thread::Builder::new()
            .name("stdout".to_owned())
            .spawn(move || of_thread.write_all(&sink.file))?;
        Ok(Self(inner))
    }

    /// Queues a batch of complete lines, unless modules must be held back: then `false`, and see [`Self::room`].
    pub(crate) fn offer(&self, batch: &mut Vec<u8>, lines: u64) -> bool {
        let mut state = lock(&self.0.state);
        let free = state.backlog.admit(Instant::now()) == Admit::Now;
        if free {
            state.backlog.push(batch, lines);
            self.wake(state);
        }
        free
    }

    /// Waits until a batch may be offered: at most [`backlog::PATIENCE`] without any progress.
    pub(crate) async fn room(&self) {
        loop {
            let until = match lock(&self.0.state).backlog.admit(Instant::now()) {
                Admit::Now => return,
                Admit::NotBefore(until) => until,
            };
            // In either case the backlog is asked again.
            let _ = tokio::time::timeout_at(until.into(), self.0.room.notified()).await;
        }
    }

    /// Queues a line of the hub itself, given without newline. Never waits.
    pub(crate) fn line(&self, priority: Priority, line: &str) {
        let line = format!("{line}\n");
        let line = if self.0.is_journal { priority.before_each_line(&line) } else { line };
        let mut state = lock(&self.0.state);
        state.backlog.note(line.as_bytes());
        self.wake(state);
    }

    /// Lines dropped so far, if stdout is stalled.
    #[cfg(test)]
    pub(crate) fn stalled(&self) -> Option<u64> {
        lock(&self.0.state).backlog.stalled()
    }

    /// Waits until everything is written, or stdout is closed. The caller limits the wait.
    pub(crate) async fn flush(&self) {
        loop {
            {
                let state = lock(&self.0.state);
                if state.closed || (state.backlog.is_empty() && !state.writing) {
                    return;
                }
            }
            self.0.flushed.notified().await;
        }
    }

    /// Ends the thread once it has written its lines.
    pub(crate) fn stop(&self) {
        let mut state = lock(&self.0.state);
        state.stop = true;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        // A futex call per batch would cost more than the batch; a writer that is not asleep checks again by itself.
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.0.work.notify_one();
        }
    }
}

impl Inner {
    fn write_all(&self, sink: &File) {
        let piece = if sink.metadata().is_ok_and(|m| m.is_file()) { usize::MAX } else { PIECE };
        let is_terminal = sink.is_terminal();
        let mut bytes = Vec::new();
        while self.next(&mut bytes) {
            if is_terminal {
                bytes = sanitize(&bytes);
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                match rustix::io::write(sink, &rest[..whole_lines(rest, piece)]) {
                    Ok(written) => {
                        rest = &rest[written..];
                        self.progress();
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    // Another process that shares our terminal or pipe made it non-blocking: wait as if it were
                    // blocking.
                    Err(rustix::io::Errno::AGAIN) => {
                        let _ = poll(&mut [PollFd::new(sink, PollFlags::OUT)], None);
                    }
                    Err(rustix::io::Errno::PIPE | rustix::io::Errno::BADF) => {
                        self.close();
                        return;
                    }
                    Err(_) => {
                        if !self.pause() {
                            return;
                        }
                    }
                }
            }
            bytes.clear();
        }
    }

    /// Waits for bytes. `false`: told to stop, and nothing is left.
    fn next(&self, bytes: &mut Vec<u8>) -> bool {
        let mut state = lock(&self.state);
        state.writing = false;
        loop {
            if !state.backlog.is_empty() {
                state.backlog.take(bytes);
                state.writing = true;
                self.room.notify_one();
                return true;
            }
            self.flushed.notify_one();
            if state.stop {
                return false;
            }
            state.asleep = true;
            state = if bytes.capacity() > KEEP {
                let (mut state, quiet) = wait_timeout(&self.work, state, REST);
                if quiet {
                    *bytes = Vec::new();
                    state.backlog.rest();
                }
                state
            } else {
                wait(&self.work, state)
            };
            state.asleep = false;
        }
    }

    fn progress(&self) {
        let mut state = lock(&self.state);
        state.backlog.progress();
        drop(state);
        self.room.notify_one();
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.backlog.close();
        state.closed = true;
        drop(state);
        self.room.notify_one();
        self.flushed.notify_one();
    }

    /// After a temporary failure: waits, then the same bytes are tried again. `false`: told to stop meanwhile.
    fn pause(&self) -> bool {
        let mut state = lock(&self.state);
        state.backlog.failed();
        self.room.notify_one();
        let until = Instant::now() + RETRY;
        loop {
            if state.stop {
                return false;
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else {
                return true;
            };
            // `asleep`: a stop must wake us; a new line does too, without effect.
            state.asleep = true;
            (state, _) = wait_timeout(&self.work, state, left);
            state.asleep = false;
        }
    }
}

/// How much of `bytes` to write at once: complete lines if at least one fits in `piece`, because a pipe may be shared.
fn whole_lines(bytes: &[u8], piece: usize) -> usize {
    if bytes.len() <= piece {
        return bytes.len();
    }
    memchr::memrchr(b'\n', &bytes[..piece]).map_or(piece, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn pieces_end_with_a_line() {
        assert_eq!(whole_lines(b"ab\ncd\nef\n", 7), 6);
        assert_eq!(whole_lines(b"ab\ncd\n", 6), 6);
        assert_eq!(whole_lines(b"abcdefgh\n", 4), 4);
    }

    #[tokio::test]
    async fn queued_lines_are_written_before_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stdout = Stdout::start(StdoutSink::new(writer.into())).unwrap();
        stdout.line(Priority::Info, "[hub] up");
        assert!(stdout.offer(&mut b"[a] 1\n[a] 2\n".to_vec(), 2));
        stdout.flush().await;
        stdout.stop();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "[hub] up\n[a] 1\n[a] 2\n");
    }

    #[tokio::test]
    async fn a_closed_reader_ends_only_the_output() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let stdout = Stdout::start(StdoutSink::new(writer.into())).unwrap();
        stdout.line(Priority::Info, "[hub] up");
        stdout.flush().await;
        assert!(lock(&stdout.0.state).closed);
        assert!(stdout.offer(&mut vec![b'x'; 4 * backlog::FULL], 1));
        stdout.room().await;
    }

    #[tokio::test]
    async fn a_full_disk_is_retried_and_blocks_no_module() {
        #[expect(clippy::disallowed_methods, reason = "test: a device that is always full, full(4)")]
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let stdout = Stdout::start(StdoutSink::new(full.into())).unwrap();
        stdout.line(Priority::Info, "[hub] up");
        while stdout.stalled().is_none() {
            tokio::task::yield_now().await;
        }
        assert!(stdout.offer(&mut vec![b'x'; 4 * backlog::FULL], 7));
        assert_eq!(stdout.stalled(), Some(7));
        stdout.stop();
    }
}
