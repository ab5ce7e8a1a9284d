//! The directory of an installation: `lock`, `journal.jsonl` while a plan is under way, `saved/` for previous bytes,
//! `receipt.json` for what is installed, and `left/` for previous bytes that could not be put back.
//!
//! Holding a [`Journal`] is holding the lock. Every line is on disk before the next thing happens. Whatever is there
//! and cannot be read is an error that names the file, never a fresh start: it may be all that is known about what
//! has to be taken back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::before::{Entry, Glance, Kept};
use super::log::{self, Event, Log};
use super::receipt::{self, Receipt};
use super::whole::Plan;
use crate::home::exact;
use crate::home::fs::{self, FsError, PRIVATE, PRIVATE_DIR};
use crate::home::lock::{Lock, LockError};

/// Largest journal or receipt that is read, bytes.
const LIMIT: u64 = 32 * 1024 * 1024;

/// How long the lock is waited for. A child that a program is just starting holds its locks until execve(2), a moment
/// after the program itself let go of them.
const PATIENCE: Duration = Duration::from_millis(250);

/// The directory of an installation, held by this process.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    made: Vec<PathBuf>,
    receipt: Receipt,
    open: Option<Open>,
    /// Last, so that it is let go of after everything else.
    _lock: Lock,
}

/// A plan under way.
#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes of whole lines.
    good: u64,
    log: Log,
}

/// Why an installation cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another command is at it.
    #[error("another command is changing this installation")]
    Busy(#[source] LockError),
    /// The lock cannot be taken.
    #[error("cannot lock the installation")]
    Lock(#[source] LockError),
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// A line cannot be added.
    #[error("cannot write to the journal {}", path.display())]
    Append {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A plan or what was found cannot be written down, such as a path that is not UTF-8.
    #[error("cannot write this down")]
    Unwritable(#[source] serde_json::Error),
    /// The journal is damaged, or from a later version.
    #[error("the journal {} cannot be used", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: log::Unreadable,
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
    /// An earlier plan is not over.
    #[error("an earlier `parachute {0}` was cut short: finish it or take it back first")]
    Pending(super::whole::Verb),
    /// There is no plan under way.
    #[error("no plan is under way")]
    NoPlan,
    /// An event that cannot follow: an error in this program.
    #[error("the journal would contradict itself: {0}")]
    Contradiction(String),
}

impl JournalError {
    /// The next command to type, if one helps.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        let aside = |path: &Path| Some(format!("mv '{0}' '{0}.bad'", path.display()));
        match self {
            Self::Journal { path, source: log::Unreadable::Damaged { .. } }
            | Self::Receipt { path, source: receipt::Unreadable::Damaged { .. } } => aside(path),
            _ => None,
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

/// Where copies of previous bytes are kept, each under its hash.
#[must_use]
pub fn saved_dir(dir: &Path) -> PathBuf {
    dir.join("saved")
}

/// The receipt in this directory, without a lock; an empty one if there is none.
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

/// The plan that is under way or was cut short in this directory, without a lock.
///
/// # Errors
/// [`JournalError`].
pub fn peek_log(dir: &Path) -> Result<Option<Log>, JournalError> {
    Ok(read_log(dir)?.and_then(|good| good.log))
}

fn read_log(dir: &Path) -> Result<Option<log::Good>, JournalError> {
    let path = journal_file(dir);
    let Some(bytes) = fs::read_if_there(&path, LIMIT)? else { return Ok(None) };
    log::read(&bytes).map(Some).map_err(|source| JournalError::Journal { path, source })
}

impl Journal {
    /// Takes the lock of the installation in `dir`, which is made if it is not there, and reads what is in it.
    ///
    /// # Errors
    /// [`JournalError`]; [`JournalError::Busy`] if another command has it.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let made = missing(dir)?;
        fs::make_dir(dir, PRIVATE_DIR)?;
        let lock = Lock::wait(&lock_file(dir), PATIENCE).map_err(|error| match error {
            LockError::Held { .. } => JournalError::Busy(error),
            LockError::File(_) | LockError::Flock { .. } => JournalError::Lock(error),
        })?;
        exact::sweep(&receipt_file(dir))?;
        exact::sweep(&journal_file(dir))?;
        let receipt = peek_receipt(dir)?;
        let mut journal = Self { dir: dir.to_owned(), made, receipt, open: None, _lock: lock };
        journal.load()?;
        Ok(journal)
    }

    fn load(&mut self) -> Result<(), JournalError> {
        let Some(good) = read_log(&self.dir)? else { return Ok(()) };
        match good.log {
            // Cut short between the receipt and the end of the journal, or before anything was done.
            Some(log) if log.id == self.receipt.last => self.end(),
            None => self.end(),
            Some(log) => {
                let file = fs::open_append(&journal_file(&self.dir))?;
                let good = good.len as u64;
                file.set_len(good).map_err(|source| self.append_failed(source))?;
                self.open = Some(Open { file, good, log });
                Ok(())
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is installed.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The plan that is under way, or was cut short.
    #[must_use]
    pub fn log(&self) -> Option<&Log> {
        self.open.as_ref().map(|open| &open.log)
    }

    /// Begins a plan that expects these things where it is going to write.
    ///
    /// # Errors
    /// [`JournalError::Pending`] if another one is not over; nothing is left behind by any error.
    pub fn begin(&mut self, plan: &Plan, expects: BTreeMap<PathBuf, Glance>) -> Result<(), JournalError> {
        if let Some(open) = &self.open {
            return Err(JournalError::Pending(open.log.plan.verb));
        }
        let id = format!("{:016x}", fastrand::u64(..));
        let made = self.made.clone();
        let first = Event::Begin {
            version: log::version_for(plan),
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
        let log = Log::begun(id, made, expects, plan.clone());
        self.open = Some(Open { file, good: line.len() as u64, log });
        Ok(())
    }

    /// Adds a line, for good.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is as it was.
    pub fn append(&mut self, event: Event) -> Result<(), JournalError> {
        let open = self.open.as_mut().ok_or(JournalError::NoPlan)?;
        let line = line(&event)?;
        let good = open.good;
        // What a full disk left of the line before is cut off first.
        let written = open
            .file
            .set_len(good)
            .and_then(|()| open.file.write_all(&line))
            .and_then(|()| open.file.sync_data());
        if let Err(source) = written {
            let _ = open.file.set_len(good);
            return Err(self.append_failed(source));
        }
        open.good += line.len() as u64;
        open.log.add(event).map_err(JournalError::Contradiction)
    }

    /// Adds a line if it can be; what it says counts in any case. For taking back, which a full disk must not stop:
    /// it can be done again without harm.
    pub fn note(&mut self, event: Event) {
        if self.append(event.clone()).is_err()
            && let Some(open) = &mut self.open
        {
            // An event of ours that cannot follow says nothing new.
            let _ = open.log.add(event);
        }
    }

    /// The plan is through: it is taken into the receipt.
    ///
    /// # Errors
    /// [`JournalError`]; the receipt is as it was.
    pub fn complete(&mut self) -> Result<(), JournalError> {
        let log = self.log().ok_or(JournalError::NoPlan)?;
        let sum = self.receipt.with(log);
        if (&sum.records, &sum.beneath) != (&self.receipt.records, &self.receipt.beneath) {
            let mut text = serde_json::to_vec_pretty(&sum).map_err(JournalError::Unwritable)?;
            text.push(b'\n');
            fs::put(&receipt_file(&self.dir), PRIVATE, &text)?;
        }
        self.receipt = sum;
        // The receipt counts from here on. A journal that cannot be removed now is seen to be over by its id.
        let _ = self.end();
        Ok(())
    }

    /// The plan is taken back, or as much of it as is ours to take back.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn abandon(&mut self) -> Result<(), JournalError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), JournalError> {
        self.open = None;
        exact::remove(&journal_file(&self.dir))?;
        // Copies that no receipt needs any more.
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

    /// Keeps for good what was there before a step that is not taken back, since the journal is going to go: nobody
    /// else has these bytes. `None` if there were none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn set_aside(&self, entry: &Entry) -> Result<Option<PathBuf>, JournalError> {
        let Entry::File { print, kept, .. } = entry else { return Ok(None) };
        let dir = self.dir.join("left");
        fs::make_dir(&dir, PRIVATE_DIR)?;
        let path = dir.join(&print.sha256);
        let mut incoming = exact::Incoming::beside(&path, PRIVATE, None)?;
        match kept {
            Kept::Text(text) => incoming.write(text.as_bytes())?,
            Kept::Saved(copy) => {
                let mut written = Ok(());
                exact::pieces_of(&mut fs::open_read(copy)?, copy, &mut |piece| {
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

    /// Lets go of the installation. If nothing is installed and no plan is under way, the directory goes too.
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
        // The deepest first: a path sorts after those above it.
        made.sort();
        for dir in made.into_iter().rev() {
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

/// The directory and those above it that are not there, topmost first.
pub(super) fn missing(dir: &Path) -> Result<Vec<PathBuf>, FsError> {
    let mut missing = Vec::new();
    for level in dir.ancestors().filter(|level| !level.as_os_str().is_empty()) {
        match exact::look(level)? {
            exact::Found::Absent => missing.push(level.to_owned()),
            _ => break,
        }
    }
    missing.reverse();
    Ok(missing)
}
