//! The directory of an installation: `lock`, `journal.jsonl` while a plan is unfinished, `saved/` for previous content,
//! `receipt.json` for what is installed, and `left/` for previous content that could not be restored.
//!
//! A [`Journal`] holds the lock. Every line is on disk before the next step is performed. A file that exists but cannot
//! be read is an error that names it, and never counts as absent: it may be the only record of what must be
//! undone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::events::{self, Event, Replay, UnfinishedPlan};
use super::observed::{Entry, Glance, Kept};
use super::plan::{Plan, Verb};
use super::receipt::{self, Receipt};
use crate::error_chain::Hints;
use crate::home::fs::{self, FsError, PRIVATE, PRIVATE_DIR};
use crate::home::lock::{Lock, LockError};
use crate::home::mark;
use crate::home::nofollow;
use crate::home::paths::Home;

/// The largest journal or receipt that is read, bytes.
const LIMIT: u64 = 32 * 1024 * 1024;

/// How long to wait for the lock. A child that another program is starting holds the locks of that program until
/// execve(2), a moment after the program itself released them.
const PATIENCE: Duration = Duration::from_millis(250);

/// The directory of an installation, held by this process.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    made: Vec<PathBuf>,
    receipt: Receipt,
    open: Option<Open>,
    /// The last field, so that it is released after everything else.
    _lock: Lock,
}

/// The journal of an unfinished plan.
#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes of complete lines.
    whole: u64,
    unfinished: UnfinishedPlan,
}

/// Why an installation cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another command holds the lock.
    #[error("another command is changing this installation")]
    Busy(#[source] LockError),
    /// The lock cannot be taken.
    #[error("cannot lock the installation")]
    Lock(#[source] LockError),
    /// An error of the file system.
    #[error(transparent)]
    File(#[from] FsError),
    /// A line cannot be appended.
    #[error("cannot write to the journal {}", path.display())]
    Append {
        /// The journal.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// The plan, or an observation, cannot be written as JSON, such as a path that is not UTF-8.
    #[error("cannot record this")]
    Unwritable(#[source] serde_json::Error),
    /// The journal is damaged, or from a later version.
    #[error("the journal {} cannot be used", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: events::Unreadable,
    },
    /// The receipt is damaged, or from a later version.
    #[error("the receipt {} cannot be used", path.display())]
    Receipt {
        /// The receipt.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: receipt::Unreadable,
    },
    /// An earlier plan is unfinished.
    #[error("an earlier `parachute {0}` was interrupted: finish or undo it first")]
    Pending(Verb),
    /// There is no unfinished plan.
    #[error("no plan is under way")]
    NoPlan,
    /// An event that contradicts an earlier one: an error in this program.
    #[error("the journal would contradict itself: {0}")]
    Contradiction(String),
}

impl Hints for JournalError {
    fn hints(&self) -> Vec<String> {
        let aside = |path: &Path| vec![format!("mv '{0}' '{0}.bad'", path.display())];
        match self {
            Self::Journal { path, source: events::Unreadable::Damaged { .. } }
            | Self::Receipt { path, source: receipt::Unreadable::Damaged { .. } } => aside(path),
            _ => Vec::new(),
        }
    }
}

fn journal_file(dir: &Path) -> PathBuf {
    dir.join("journal.jsonl")
}

fn receipt_file(dir: &Path) -> PathBuf {
    dir.join("receipt.json")
}

fn lock_file(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// The directory for copies of previous content, each named by its hash.
#[must_use]
pub(super) fn saved_dir(dir: &Path) -> PathBuf {
    dir.join("saved")
}

/// The receipt in this directory, read without the lock; an empty one if there is none.
///
/// # Errors
/// [`JournalError`].
pub fn peek_receipt(dir: &Path) -> Result<Receipt, JournalError> {
    let path = receipt_file(dir);
    match fs::read_if_there(&path, LIMIT)? {
        Some(bytes) => Receipt::read(&bytes).map_err(|source| JournalError::Receipt { path, source }),
        None => Ok(Receipt::default()),
    }
}

/// The unfinished plan in this directory, read without the lock: it is being performed, or was interrupted.
///
/// # Errors
/// [`JournalError`].
pub fn peek_unfinished(dir: &Path) -> Result<Option<UnfinishedPlan>, JournalError> {
    Ok(read_journal(dir)?.and_then(|replay| replay.unfinished))
}

fn read_journal(dir: &Path) -> Result<Option<Replay>, JournalError> {
    let path = journal_file(dir);
    let Some(bytes) = fs::read_if_there(&path, LIMIT)? else { return Ok(None) };
    events::replay(&bytes).map(Some).map_err(|source| JournalError::Journal { path, source })
}

impl Journal {
    /// Locks the installation in `dir`, which is created if it does not exist, and reads its files.
    ///
    /// # Errors
    /// [`JournalError`]; [`JournalError::Busy`] if another command holds the lock.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let made = missing(dir)?;
        // If the home itself was missing it is ours, and is marked from the beginning.
        if let Some(root) = made.iter().find(|level| Home::at((*level).clone()).install_dir() == dir) {
            mark::ensure(&Home::at(root.clone()))?;
        }
        fs::make_dir(dir, PRIVATE_DIR)?;
        let lock = Lock::wait(&lock_file(dir), PATIENCE).map_err(|error| match error {
            LockError::Held { .. } => JournalError::Busy(error),
            LockError::File(_) | LockError::Flock { .. } => JournalError::Lock(error),
        })?;
        nofollow::sweep(&receipt_file(dir))?;
        nofollow::sweep(&journal_file(dir))?;
        let receipt = peek_receipt(dir)?;
        let mut journal = Self { dir: dir.to_owned(), made, receipt, open: None, _lock: lock };
        journal.load()?;
        Ok(journal)
    }

    fn load(&mut self) -> Result<(), JournalError> {
        let Some(replay) = read_journal(&self.dir)? else { return Ok(()) };
        match replay.unfinished {
            // Interrupted between the receipt and the removal of the journal, or before anything was done.
            Some(unfinished) if unfinished.id == self.receipt.last => self.end(),
            None => self.end(),
            Some(unfinished) => {
                let file = fs::open_append(&journal_file(&self.dir))?;
                let whole = replay.len as u64;
                file.set_len(whole).map_err(|source| self.append_failed(source))?;
                self.open = Some(Open { file, whole, unfinished });
                Ok(())
            }
        }
    }

    #[must_use]
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The plan that is being performed, or was interrupted.
    #[must_use]
    pub(crate) fn unfinished(&self) -> Option<&UnfinishedPlan> {
        self.open.as_ref().map(|open| &open.unfinished)
    }

    /// Begins a plan that expects this content at the paths that it will write.
    ///
    /// [`JournalError::Pending`] if another plan is unfinished. An error leaves no files.
    /// [`JournalError::Pending`] if another plan is unfinished. No error leaves anything behind.
    pub(super) fn begin(
        &mut self,
        plan: &Plan,
        expects: BTreeMap<PathBuf, Glance>,
    ) -> Result<(), JournalError> {
        if let Some(open) = &self.open {
            return Err(JournalError::Pending(open.unfinished.plan.verb));
        }
        let id = format!("{:016x}", fastrand::u64(..));
        let made = self.made.clone();
        let first = Event::Begin {
            version: events::version_for(plan),
            id: id.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made: made.clone(),
            expects: expects.clone(),
            plan: plan.clone(),
        };
        let line = line(&first)?;
        let path = journal_file(&self.dir);
        fs::put(&path, PRIVATE, &line)?;
        let file = fs::open_append(&path)?;
        let unfinished = UnfinishedPlan::begun(id, made, expects, plan.clone());
        self.open = Some(Open { file, whole: line.len() as u64, unfinished });
        Ok(())
    }

    /// Appends a line, which is on disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is unchanged.
    pub(super) fn append(&mut self, event: Event) -> Result<(), JournalError> {
        let open = self.open.as_mut().ok_or(JournalError::NoPlan)?;
        let line = line(&event)?;
        let whole = open.whole;
        // The rest of a line that a full disk cut short is removed first.
        let written = open
            .file
            .set_len(whole)
            .and_then(|()| open.file.write_all(&line))
            .and_then(|()| open.file.sync_data());
        if let Err(source) = written {
            let _ = open.file.set_len(whole);
            return Err(self.append_failed(source));
        }
        open.whole += line.len() as u64;
        open.unfinished.apply(event).map_err(JournalError::Contradiction)
    }

    /// Appends a line if that is possible; the event counts in any case. For undoing, which a full disk must not
    /// stop: a step can be undone twice without harm.
    pub(super) fn append_if_possible(&mut self, event: Event) {
        if self.append(event.clone()).is_err()
            && let Some(open) = &mut self.open
        {
            // An event that contradicts an earlier one adds nothing.
            let _ = open.unfinished.apply(event);
        }
    }

    /// Ends a plan of which every step is done: the receipt records it.
    ///
    /// # Errors
    /// [`JournalError`]; the receipt is unchanged.
    pub(super) fn complete(&mut self) -> Result<(), JournalError> {
        let unfinished = self.unfinished().ok_or(JournalError::NoPlan)?;
        let sum = self.receipt.with(unfinished);
        if (&sum.records, &sum.beneath) != (&self.receipt.records, &self.receipt.beneath) {
            let mut text = serde_json::to_vec_pretty(&sum).map_err(JournalError::Unwritable)?;
            text.push(b'\n');
            fs::put(&receipt_file(&self.dir), PRIVATE, &text)?;
        }
        self.receipt = sum;
        // The receipt is valid from here on. If the journal cannot be removed now, its id later shows that it has
        // ended.
        let _ = self.end();
        Ok(())
    }

    /// Ends a plan that was undone as far as possible.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(super) fn abandon(&mut self) -> Result<(), JournalError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), JournalError> {
        self.open = None;
        nofollow::remove(&journal_file(&self.dir))?;
        // Copies that the receipt does not need.
        let (dir, needed) = (saved_dir(&self.dir), self.receipt.saved());
        for name in fs::list(&dir)? {
            let copy = dir.join(name);
            if !needed.contains(&copy) {
                fs::remove(&copy)?;
            }
        }
        fs::remove_empty_dir(&dir)?;
        Ok(())
    }

    /// Keeps the content from before a step that is not undone: the journal, which has the only copy, will
    /// be removed. `None` if there was no file.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(super) fn set_aside(&self, entry: &Entry) -> Result<Option<PathBuf>, JournalError> {
        let Entry::File { fingerprint, kept, .. } = entry else { return Ok(None) };
        let dir = self.dir.join("left");
        fs::make_dir(&dir, PRIVATE_DIR)?;
        let path = dir.join(&fingerprint.sha256);
        let mut incoming = nofollow::Incoming::beside(&path, PRIVATE, None)?;
        match kept {
            Kept::Text(text) => incoming.write(text.as_bytes())?,
            Kept::Saved(copy) => {
                let mut written = Ok(());
                nofollow::pieces_of(&mut fs::open_read(copy)?, copy, &mut |piece| {
                    if written.is_ok() {
                        written = incoming.write(piece);
                    }
                })?;
                written?;
            }
        }
        incoming.commit()?;
        Ok(Some(path))
    }

    /// Releases the lock. If nothing is installed and no plan is unfinished, the directory is removed too.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn close(self) -> Result<(), JournalError> {
        if self.open.is_some() || !self.receipt.is_empty() {
            return Ok(());
        }
        fs::remove(&receipt_file(&self.dir))?;
        fs::remove(&lock_file(&self.dir))?;
        fs::remove_empty_dir(&self.dir)?;
        let made = self.made.iter().chain(&self.receipt.made);
        let mut made: Vec<&PathBuf> = made.collect();
        // In reverse order: a path sorts after those above it, and the deepest is removed first.
        made.sort();
        for dir in made.into_iter().rev() {
            if mark::is_alone(dir) {
                fs::remove(&dir.join(mark::NAME))?;
            }
            fs::remove_empty_dir(dir)?;
        }
        Ok(())
    }

    fn append_failed(&self, source: std::io::Error) -> JournalError {
        JournalError::Append { path: journal_file(&self.dir), source }
    }
}

fn line(event: &Event) -> Result<Vec<u8>, JournalError> {
    let mut line = serde_json::to_vec(event).map_err(JournalError::Unwritable)?;
    line.push(b'\n');
    Ok(line)
}

/// The directory and those above it that do not exist, topmost first.
pub(super) fn missing(dir: &Path) -> Result<Vec<PathBuf>, FsError> {
    let mut missing = Vec::new();
    for level in dir.ancestors().filter(|level| !level.as_os_str().is_empty()) {
        match nofollow::look(level)? {
            nofollow::Found::Absent => missing.push(level.to_owned()),
            _ => break,
        }
    }
    missing.reverse();
    Ok(missing)
}

#[cfg(test)]
mod tests;
