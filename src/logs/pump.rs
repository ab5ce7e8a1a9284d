//! One stream: from its pipe to ring, stdout and file. Edge: the clock, `read(2)`.
//!
//! All pumps are tasks of one thread, so they share one [`Scratch`]: memory does not grow with the number of
//! modules. The pump that holds the scratch may wait for room in front of stdout; the others then wait for it, as
//! they would for the room.

#![expect(clippy::disallowed_methods, reason = "edge: the logs thread: lines are stamped when they are read")]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use tokio::net::unix::pipe::Receiver;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::formatter::{Batch, Formatter};
use super::hub_log::HubLog;
use super::line::{Stream, head};
use super::module_state::ModuleState;
use super::rotate::Report;
use super::stdout::Stdout;
use crate::module::launch::LogLimits;
use crate::module::stamp::Stamp;
use crate::sync::mutex::lock;

/// Most bytes read from one stream before another has its turn.
const READ: usize = 256 * 1024;

/// A turn with less than this is a quiet one.
const QUIET: usize = 4 * 1024;

/// Buffers larger than this are given back at a quiet turn.
const KEEP: usize = 64 * 1024;

/// What every pump needs.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Where tasks of the logs thread are started.
    pub(crate) handle: Handle,
    /// Ends the logs thread.
    pub(crate) stop: Arc<Notify>,
    pub(crate) stdout: Stdout,
    pub(crate) scratch: tokio::sync::Mutex<Scratch>,
    /// The hub's own file, once it was named.
    pub(crate) own: OnceLock<HubLog>,
}

impl Hub {
    /// A line of the hub itself: stdout, and its own file. Never waits.
    pub(crate) fn say(self: &Arc<Self>, text: &str) {
        self.stdout.line(&format!("[hub] {text}"));
        self.keep(Stream::Out, text);
    }

    /// For the hub's own file only.
    pub(crate) fn keep(self: &Arc<Self>, stream: Stream, text: &str) {
        let at = Stamp::of(SystemTime::now());
        if self.own.get().is_some_and(|own| own.leave(at, stream, text)) {
            let hub = Arc::clone(self);
            self.handle.spawn(async move { hub.write_own() });
        }
    }

    /// Writes what waits for the hub's own file. Only the logs thread comes here.
    pub(crate) fn write_own(&self) {
        let Some(own) = self.own.get() else { return };
        let mut file = lock(&own.file);
        let lines = own.take();
        if lines.is_empty() {
            return;
        }
        let path = file.path().display().to_string();
        // Said on stdout alone: the file is what it is about.
        match file.append(&lines, own.limits, Instant::now()) {
            Report::Quiet => {}
            Report::Failed(error) => {
                self.stdout.line(&format!("[hub] {path} cannot be written: {error}; its lines go on here"));
            }
            Report::Recovered(missing) => {
                self.stdout
                    .line(&format!("[hub] {path} is written again; {missing} lines are missing in it"));
            }
        }
    }
}

/// One for all pumps.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    input: Vec<u8>,
    batch: Batch,
}

impl Scratch {
    fn prepare(&mut self) {
        if self.input.is_empty() {
            // Zeroed by the kernel page by page as they are used: a quiet hub touches only the first ones.
            self.input = vec![0; READ];
        }
    }

    /// Gives memory back at the first quiet turn after a busy one.
    fn rest(&mut self, filled: usize) {
        if filled < QUIET && self.batch.file.capacity() > KEEP {
            *self = Self::default();
        }
    }
}

/// Reads one stream until its end, or until the module's log is ended.
pub(crate) async fn pump(
    hub: &Arc<Hub>,
    module: &ModuleState,
    stream: Stream,
    fd: OwnedFd,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let pipe = Receiver::from_owned_fd(fd)?;
    let mut formatter = Formatter::new(&module.short, stream);
    let mut last_turn = false;
    while !last_turn {
        tokio::select! {
            biased;
            // Told to end: what is there now is still read, once.
            _ = ending.wait_for(|ending| *ending) => last_turn = true,
            ready = pipe.readable() => ready?,
        }
        let mut scratch = hub.scratch.lock().await;
        scratch.prepare();
        let Scratch { input, batch } = &mut *scratch;
        let (filled, state) = fill(&pipe, input, last_turn)?;
        last_turn |= state == Left::Ended;

        let at = Stamp::of(SystemTime::now());
        let mut rest = &input[..filled];
        while !rest.is_empty() {
            let taken = formatter.feed(rest, at, batch);
            rest = &rest[taken..];
            deliver(hub, module, stream, at, batch).await;
        }
        if last_turn {
            formatter.finish(at, batch);
            deliver(hub, module, stream, at, batch).await;
        }
        scratch.rest(filled);
        drop(scratch);
        if state == Left::More {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// The buffer was filled.
    More,
    /// Nothing more for now.
    Empty,
    /// Every writer is gone.
    Ended,
}

/// Reads until `input` is full or the pipe is empty: few large batches instead of many small ones.
fn fill(pipe: &Receiver, input: &mut [u8], last_turn: bool) -> io::Result<(usize, Left)> {
    let mut filled = 0;
    while filled < input.len() {
        let rest = &mut input[filled..];
        // `try_read` reads only what the event queue has announced; at the last turn there is no time for that.
        let read = if last_turn {
            rustix::io::read(pipe, rest).map_err(io::Error::from)
        } else {
            pipe.try_read(rest)
        };
        match read {
            Ok(0) => return Ok((filled, Left::Ended)),
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((filled, Left::Empty)),
            Err(error) => return Err(error),
        }
    }
    Ok((filled, Left::More))
}

/// Ring and followers first, then stdout and the file; stdout before the file if it takes it at once, so that both
/// threads write at the same time.
async fn deliver(hub: &Arc<Hub>, module: &ModuleState, stream: Stream, at: Stamp, batch: &mut Batch) {
    if batch.lines > 0 {
        let limits = module.keep(at, stream, &batch.file, batch.lines);
        let taken = hub.stdout.offer(&mut batch.out, batch.lines);
        to_file(hub, module, &batch.file, limits);
        if !taken {
            loop {
                hub.stdout.room().await;
                if hub.stdout.offer(&mut batch.out, batch.lines) {
                    break;
                }
            }
        }
    }
    batch.clear();
}

/// Writes lines to the module's file, and says (later in the file too) if it could not.
pub(crate) fn to_file(hub: &Arc<Hub>, module: &ModuleState, lines: &[u8], limits: LogLimits) {
    let mut file = lock(&module.file);
    match file.append(lines, limits, Instant::now()) {
        Report::Quiet => {}
        Report::Failed(error) => hub.say(&format!(
            "{}: {} cannot be written: {error}; its lines go on here",
            module.short,
            file.path().display()
        )),
        Report::Recovered(missing) => {
            let text = format!("{missing} lines are missing here: the file could not be written");
            hub.say(&format!("{}: {} is written again; {text}", module.short, file.path().display()));
            let mut line = head(Stamp::of(SystemTime::now()), Stream::Hub, false).to_vec();
            line.extend_from_slice(text.as_bytes());
            line.push(b'\n');
            // A second failure in a row is reported with the next batch.
            let _ = file.append(&line, limits, Instant::now());
        }
    }
}
