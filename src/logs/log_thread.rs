//! The thread `logs`: it runs every pump and writes every log file and the hub's own log. Edge: a thread, the clock.
//!
//! It has its own single-threaded runtime: a slow disk delays log lines, but not supervision.

#![expect(
    clippy::disallowed_methods,
    reason = "edge: owns the thread that pumps; stamps the hub's lines and times retries"
)]

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::formatter::Batch;
use super::hub_log::HubLog;
use super::line::{Stream, stored_line};
use super::module_state::ModuleState;
use super::priority::Priority;
use super::rotate::AppendOutcome;
use super::stdout::{Stdout, StdoutSink};
use crate::module::launch::LogLimits;
use crate::module::timestamp::Timestamp;
use crate::sync::mutex::lock;

/// Most bytes that are read from one stream before it is another's turn.
const READ: usize = 256 * 1024;

/// A turn with fewer bytes than this is quiet.
const QUIET: usize = 4 * 1024;

/// Buffers larger than this are freed at a quiet turn.
const KEEP: usize = 64 * 1024;

/// State shared by the tasks on the thread, and the handle to start them.
#[derive(Debug)]
pub(crate) struct LogThread {
    /// Starts tasks on the thread.
    pub(crate) handle: Handle,
    stop: Arc<Notify>,
    pub(crate) stdout: Stdout,
    pub(crate) scratch: tokio::sync::Mutex<Scratch>,
    /// Set once the hub knows the path of its file.
    pub(crate) hub_log: OnceLock<HubLog>,
}

impl LogThread {
    /// Starts the threads `logs` and `stdout`.
    pub(crate) fn start(sink: StdoutSink) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let stdout = Stdout::start(sink)?;
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || runtime.block_on(stopped.notified()))?;
        Ok(Self { handle, stop, stdout, scratch: tokio::sync::Mutex::default(), hub_log: OnceLock::new() })
    }

    /// Ends both threads. Call after everything is flushed: unwritten lines are lost.
    pub(crate) fn stop(&self) {
        self.stdout.stop();
        self.stop.notify_one();
    }

    /// Writes a line of the hub itself to stdout and to the hub's log. Never waits.
    pub(crate) fn hub_line(self: &Arc<Self>, priority: Priority, text: &str) {
        self.stdout.line(priority, &format!("[hub] {text}"));
        self.to_hub_log(Stream::Out, text);
    }

    /// Writes lines of the supervisor about a module to stdout and to the hub's log. Never waits.
    pub(crate) fn module_line(self: &Arc<Self>, priority: Priority, module: &str, text: &str) {
        for line in text.lines() {
            self.stdout.line(priority, &format!("[supervisor] {module}: {line}"));
            self.to_hub_log(Stream::Hub, &format!("{module}: {line}"));
        }
    }

    /// Writes a line to the hub's log only. Never waits.
    fn to_hub_log(self: &Arc<Self>, stream: Stream, text: &str) {
        let at = Timestamp::of(SystemTime::now());
        if self.hub_log.get().is_some_and(|log| log.queue(at, stream, text)) {
            let thread = Arc::clone(self);
            self.handle.spawn(async move { thread.write_hub_log() });
        }
    }

    /// Writes the pending lines of the hub's log. Runs on the logs thread only.
    pub(crate) fn write_hub_log(&self) {
        let Some(log) = self.hub_log.get() else { return };
        let mut file = lock(&log.file);
        let lines = log.take_waiting();
        if lines.is_empty() {
            return;
        }
        let path = file.path().display().to_string();
        // Reported on stdout only: the failing file cannot hold the report.
        match file.append(&lines, log.limits, Instant::now()) {
            AppendOutcome::Quiet => {}
            AppendOutcome::Failed(error) => {
                let text = format!("[hub] {path} cannot be written: {error}; its lines are printed here");
                self.stdout.line(Priority::Error, &text);
            }
            AppendOutcome::Recovered(missing) => {
                let text = format!("[hub] {path} is writable again; {missing} lines are missing in it");
                self.stdout.line(Priority::Warning, &text);
            }
        }
    }

    /// Writes lines to a module's file, and reports a failure (also in the file, once it can be written again).
    /// Runs on the logs thread only.
    pub(crate) fn write_module_file(self: &Arc<Self>, module: &ModuleState, lines: &[u8], limits: LogLimits) {
        let mut file = lock(&module.file);
        match file.append(lines, limits, Instant::now()) {
            AppendOutcome::Quiet => {}
            AppendOutcome::Failed(error) => {
                let path = file.path().display();
                let text = format!(
                    "{}: {path} cannot be written: {error}; its lines are printed here",
                    module.short
                );
                self.hub_line(Priority::Error, &text);
            }
            AppendOutcome::Recovered(missing) => {
                let text = format!("{missing} lines are missing here: the file could not be written");
                let path = file.path().display();
                let told = format!("{}: {path} is writable again; {text}", module.short);
                self.hub_line(Priority::Warning, &told);
                let line = stored_line(Timestamp::of(SystemTime::now()), Stream::Hub, &text);
                // A second failure in a row is reported with the next batch.
                let _ = file.append(&line, limits, Instant::now());
            }
        }
    }
}

/// The buffers that all pumps share, so that memory does not grow with the number of modules.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) input: Vec<u8>,
    pub(crate) batch: Batch,
}

impl Scratch {
    /// Call before [`Self::input`] is filled.
    pub(crate) fn prepare(&mut self) {
        if self.input.is_empty() {
            // The kernel maps zeroed pages when they are first touched: a quiet hub uses only the first ones.
            self.input = vec![0; READ];
        }
    }

    /// Frees the buffers at the first quiet turn after a busy one. `filled`: bytes read in this turn.
    pub(crate) fn shrink_after(&mut self, filled: usize) {
        if filled < QUIET && self.batch.file.capacity() > KEEP {
            *self = Self::default();
        }
    }
}
