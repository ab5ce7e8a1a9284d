//! Asks a helper, and abandons one that is silent. One is kept warm, so that a question does not wait for its start.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a helper is silent")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::exchange::{Exchange, Progress};
use super::line::Line;
pub(crate) use super::line::Starter;
use super::mount_point;
use super::protocol::{Answer, MAX_AVOID, MAX_QUESTIONS, Question, Request};
use crate::process::id::ProcessId;
use crate::process::{os, table};

/// After this silence other questions no longer wait for this one: they get a helper of their own.
const SLOW: Duration = Duration::from_millis(100);
/// After this silence a helper is abandoned.
const SILENT: Duration = Duration::from_secs(2);
/// Longest time for one request, however often the helper says that it goes on.
const WHOLE: Duration = Duration::from_secs(30);
/// How long the end of an idle helper is waited for.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The file system is silent.
    #[error("{} does not answer", place.display())]
    Silent {
        /// The mount point; or, if that is `/` or unknown, the path.
        place: PathBuf,
        /// The mount point, `/` if unknown.
        mount: PathBuf,
        /// The path as it was asked.
        asked: PathBuf,
    },
    /// No process that could look at paths can be started.
    #[error("no process can be started that looks at paths ({0})")]
    NoHelper(String),
    /// It ended, or its answers were not valid, twice.
    #[error("the process that looks at paths gives no valid answer")]
    Broken,
}

/// The hub's way to look at paths. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct PathHelper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    starter: Starter,
    /// Relative paths start here: our own directory when this was made.
    base: PathBuf,
    silent: Duration,
    /// Held by the request that the warm helper answers.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// A place is no longer silent, or is given up; or a helper has ended.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The warm helper.
    idle: Option<Line>,
    silences: Vec<Silence>,
    /// Helpers that have not ended.
    running: usize,
    number: u32,
    is_closed: bool,
}

/// A place at which a helper is slow, or was abandoned and has not died.
#[derive(Debug)]
struct Silence {
    place: PathBuf,
    mount: PathBuf,
    helper: ProcessId,
    is_abandoned: bool,
}

/// Why an attempt gave no answer.
enum Failed {
    Silent(NoAnswer),
    NotStarted(std::io::Error),
    Broken,
}

impl PathHelper {
    /// Starts nothing yet.
    #[must_use]
    pub(crate) fn new(starter: Starter) -> Self {
        Self::with_patience(starter, SILENT)
    }

    fn with_patience(starter: Starter, silent: Duration) -> Self {
        Self(Arc::new(Inner {
            starter,
            base: table::cwd(table::own_pid()).unwrap_or_else(|| "/".into()),
            silent,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Starts the helper that is kept warm, if there is none. If that fails, the next question reports it. Needs a runtime,
    /// and the thread whose end shall end the helper.
    pub(crate) fn warm(&self) {
        let is_needed = self.0.state().idle.is_none();
        if is_needed && let Ok(line) = self.0.start() {
            self.0.keep(line);
        }
    }

    /// Ends the idle helper and waits a moment for its end. Questions that are not answered yet go on.
    pub(crate) async fn close(&self) {
        let idle = {
            let mut state = self.0.state();
            state.is_closed = true;
            state.idle.take()
        };
        drop(idle);
        let ended = async {
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.0.state().running == 0 {
                    return;
                }
                changed.await;
            }
        };
        // One that hangs is left alone.
        let _ = timeout(FAREWELL, ended).await;
    }

    /// The answers to these questions, in their order. Waits at most about two seconds for a silent file system, and
    /// not at all while a helper hangs there.
    ///
    /// # Errors
    /// [`NoAnswer`], of the first question without an answer.
    pub(crate) async fn ask(&self, questions: Vec<Question>) -> Result<Vec<Answer>, NoAnswer> {
        let questions: Vec<Question> =
            questions.into_iter().map(|question| self.0.absolute(question)).collect();
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(MAX_QUESTIONS) {
            answers.extend(self.ask_some(some).await?);
        }
        Ok(answers)
    }

    async fn ask_some(&self, questions: &[Question]) -> Result<Vec<Answer>, NoAnswer> {
        let mut is_second = false;
        loop {
            // Registered before the look: no change is missed.
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.0.attempt(questions).await {
                Ok((Progress::Avoided(place), exchange)) => {
                    let given_up = self
                        .0
                        .state()
                        .silences
                        .iter()
                        .find(|silence| silence.place == place)
                        .map(|silence| silence.is_abandoned.then(|| silence.no_answer(exchange.asked())));
                    match given_up {
                        Some(Some(no_answer)) => return Err(no_answer),
                        // Another question waits for this place, and will soon know.
                        Some(None) => changed.await,
                        None => {}
                    }
                }
                Ok((Progress::Open | Progress::Done, exchange)) => return Ok(exchange.into_answers()),
                Err(Failed::Silent(no_answer)) => return Err(no_answer),
                Err(Failed::NotStarted(error)) => return Err(NoAnswer::NoHelper(error.to_string())),
                // The idle one may have been killed by the kernel, for memory.
                Err(Failed::Broken) if is_second => return Err(NoAnswer::Broken),
                Err(Failed::Broken) => is_second = true,
            }
        }
    }
}

impl Silence {
    fn no_answer(&self, asked: &Path) -> NoAnswer {
        NoAnswer::Silent { place: self.place.clone(), mount: self.mount.clone(), asked: asked.to_owned() }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn absolute(&self, mut question: Question) -> Question {
        let (Question::Dir(path) | Question::Program(path) | Question::Read(path, _) | Question::Head(path)) =
            &mut question;
        if path.is_relative() {
            *path = self.base.join(&path);
        }
        question
    }

    fn start(self: &Arc<Self>) -> std::io::Result<Line> {
        let this: Weak<Self> = Arc::downgrade(self);
        self.state().running += 1;
        let started = self.starter.start(move |id| {
            let Some(this) = this.upgrade() else { return };
            let mut state = this.state();
            state.running -= 1;
            state.silences.retain(|silence| silence.helper != *id);
            drop(state);
            this.changed.notify_waiters();
        });
        if started.is_err() {
            self.state().running -= 1;
        }
        started
    }

    /// Keeps a helper for the next question, if none is kept.
    fn keep(&self, line: Line) {
        let mut state = self.state();
        if state.idle.is_none() && !state.is_closed {
            state.idle = Some(line);
        }
    }

    async fn attempt(self: &Arc<Self>, questions: &[Question]) -> Result<(Progress, Exchange), Failed> {
        let mut turn = Some(self.turn.lock().await);
        let (idle, request) = {
            let mut state = self.state();
            if state.silences.len() >= MAX_AVOID {
                return Err(Failed::NotStarted(std::io::Error::other("too many of them hang")));
            }
            state.number = state.number.wrapping_add(1);
            // Were `/` avoided, nothing at all could be looked at.
            let places = state.silences.iter().map(|silence| &silence.place);
            let avoid = places.filter(|place| *place != Path::new("/")).cloned().collect();
            (state.idle.take(), Request { number: state.number, avoid, questions: questions.to_vec() })
        };
        let line = idle.map_or_else(|| self.start(), Ok).map_err(Failed::NotStarted)?;
        let mut busy = Busy { inner: Arc::clone(self), line: Some(line), is_slow: false };
        let mut exchange = Exchange::new(request);
        let began = Instant::now();
        let mut buffer = vec![0; 16 * 1024];
        let mut unsent = exchange.bytes();
        loop {
            let Some(stream) = busy.line.as_mut().map(|line| &mut line.stream) else {
                return Err(Failed::Broken);
            };
            let patience =
                if busy.is_slow { self.silent.saturating_sub(SLOW) } else { SLOW.min(self.silent) };
            let heard = timeout(patience, async {
                // A helper that hangs does not read either.
                while !unsent.is_empty() {
                    let sent = stream.write(&unsent).await?;
                    unsent.drain(..sent);
                }
                stream.read(&mut buffer).await
            });
            match heard.await {
                Ok(Ok(length @ 1..)) => {
                    let progress = exchange.hear(&buffer[..length]).map_err(|_| Failed::Broken)?;
                    busy.is_heard();
                    match progress {
                        Progress::Open if began.elapsed() > WHOLE => {
                            busy.is_slow_at(exchange.place());
                            return Err(Failed::Silent(busy.abandon(exchange.asked())));
                        }
                        Progress::Open => {}
                        Progress::Done | Progress::Avoided(_) => {
                            busy.is_done();
                            return Ok((progress, exchange));
                        }
                    }
                }
                Ok(Ok(_) | Err(_)) => return Err(Failed::Broken),
                Err(_) if busy.is_slow => return Err(Failed::Silent(busy.abandon(exchange.asked()))),
                Err(_) => {
                    busy.is_slow_at(exchange.place());
                    drop(turn.take());
                }
            }
        }
    }
}

/// A helper that was asked. Dropped before it has answered, it is killed.
struct Busy {
    inner: Arc<Inner>,
    line: Option<Line>,
    /// Whether it has an entry in the list of silences.
    is_slow: bool,
}

impl Busy {
    /// From here on nothing else looks at this place.
    fn is_slow_at(&mut self, path: &Path) {
        let Some(line) = &self.line else { return };
        let table = os::mount_table();
        let mount = table.map_or_else(|| "/".into(), |table| mount_point::containing(&table, path));
        // A path on the first of all mounts says nothing about the others on it.
        let place = if mount == Path::new("/") { path.to_owned() } else { mount.clone() };
        let silence = Silence { place, mount, helper: line.id().clone(), is_abandoned: false };
        self.inner.state().silences.push(silence);
        self.is_slow = true;
    }

    /// It goes on.
    fn is_heard(&mut self) {
        let Some(line) = self.line.as_ref().filter(|_| self.is_slow) else { return };
        self.inner.state().silences.retain(|silence| silence.helper != *line.id());
        self.inner.changed.notify_waiters();
        self.is_slow = false;
    }

    fn is_done(&mut self) {
        if let Some(line) = self.line.take() {
            self.inner.keep(line);
        }
    }

    /// Leaves it alone, and starts the next one.
    fn abandon(mut self, asked: &Path) -> NoAnswer {
        let no_answer = self.give_up(asked);
        let helper = PathHelper(Arc::clone(&self.inner));
        drop(self);
        helper.warm();
        no_answer.unwrap_or(NoAnswer::Broken)
    }

    fn give_up(&mut self, asked: &Path) -> Option<NoAnswer> {
        let line = self.line.take()?;
        let mut state = self.inner.state();
        let mut mine = state.silences.iter_mut().filter(|silence| silence.helper == *line.id());
        let silence = mine.next().map(|silence| {
            silence.is_abandoned = true;
            silence.no_answer(asked)
        });
        drop(state);
        line.kill();
        self.inner.changed.notify_waiters();
        silence
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.give_up(Path::new("/"));
    }
}

#[cfg(test)]
mod tests;
