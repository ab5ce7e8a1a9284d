//! Reads one stream of a module until its end: from the pipe to ring, stdout and file. Edge: the clock, `read(2)`.
//!
//! All pumps are tasks of one thread and share one `Scratch`. The pump that holds it may wait for room in the
//! backlog of stdout; the others then wait for it, as they would for the room.

#![expect(clippy::disallowed_methods, reason = "edge: stamps lines of modules")]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::{oneshot, watch};

use super::formatter::{Batch, Formatter};
use super::line::Stream;
use super::log_thread::{LogThread, Scratch};
use super::module_state::ModuleState;
use super::priority::Priority;
use crate::module::timestamp::Timestamp;

/// One stream that is being read. Dropping it has no effect: the stream is read until its end.
#[derive(Debug)]
pub struct Pump {
    /// `None` once it has been drained.
    drained: Option<oneshot::Receiver<()>>,
}

impl Pump {
    /// Starts to read `fd`, the read end of a module's pipe.
    pub(crate) fn start(
        thread: &Arc<LogThread>,
        module: &Arc<ModuleState>,
        stream: Stream,
        fd: OwnedFd,
    ) -> Self {
        let (done, drained) = oneshot::channel();
        let (on_thread, module) = (Arc::clone(thread), Arc::clone(module));
        let ending = module.ending.subscribe();
        thread.handle.spawn(async move {
            if let Err(error) = pump(&on_thread, &module, stream, fd, ending).await {
                on_thread.hub_line(
                    Priority::Error,
                    &format!("{}: its output cannot be read: {error}", module.short),
                );
            }
            // The receiver may have been dropped: then no caller waits.
            let _ = done.send(());
        });
        Self { drained: Some(drained) }
    }

    /// Completes when the stream has ended and all of it is in the ring. The caller must limit the wait: a descendant
    /// of the module may hold the other end open for ever. May be called again.
    pub async fn drained(&mut self) {
        if let Some(drained) = &mut self.drained {
            // An error means that the logs thread has ended, and the stream with it.
            let _ = drained.await;
            self.drained = None;
        }
    }
}

/// Reads one stream until its end, or until the module's log is ended.
async fn pump(
    thread: &Arc<LogThread>,
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
            // Told to end: the current contents of the pipe are still read, once.
            _ = ending.wait_for(|ending| *ending) => last_turn = true,
            ready = pipe.readable() => ready?,
        }
        let mut scratch = thread.scratch.lock().await;
        scratch.prepare();
        let Scratch { input, batch } = &mut *scratch;
        let (filled, left) = fill(&pipe, input, last_turn)?;
        last_turn |= left == Left::Ended;

        let at = Timestamp::of(SystemTime::now());
        let mut rest = &input[..filled];
        while !rest.is_empty() {
            let taken = formatter.feed(rest, at, batch);
            rest = &rest[taken..];
            deliver(thread, module, stream, at, batch).await;
        }
        if last_turn {
            formatter.finish(at, batch);
            deliver(thread, module, stream, at, batch).await;
        }
        scratch.shrink_after(filled);
        drop(scratch);
        if left == Left::More {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// The state of the pipe after a turn.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// The buffer is full: there may be more.
    More,
    /// Nothing for now.
    Empty,
    /// Every writer has closed it.
    Ended,
}

/// Reads until `input` is full or the pipe is empty: few large batches instead of many small ones.
fn fill(pipe: &Receiver, input: &mut [u8], last_turn: bool) -> io::Result<(usize, Left)> {
    let mut filled = 0;
    while filled < input.len() {
        let rest = &mut input[filled..];
        // `try_read` reads only after a readiness event; the last turn cannot wait for one.
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

/// Ring and followers first, then stdout and the file. If stdout takes the batch at once it comes before the file, so
/// that both threads write at the same time.
async fn deliver(
    thread: &Arc<LogThread>,
    module: &ModuleState,
    stream: Stream,
    at: Timestamp,
    batch: &mut Batch,
) {
    if batch.lines > 0 {
        let limits = module.keep(at, stream, &batch.file, batch.lines);
        let taken = thread.stdout.offer(&mut batch.out, batch.lines);
        thread.write_module_file(module, &batch.file, limits);
        if !taken {
            loop {
                thread.stdout.room().await;
                if thread.stdout.offer(&mut batch.out, batch.lines) {
                    break;
                }
            }
        }
    }
    batch.clear();
}
