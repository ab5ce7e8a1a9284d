//! Advisory locks: flock(2) on a file that is never removed. An edge: it waits, and reads the clock for that.
//!
//! The lock belongs to the open file, so it ends with its process in any case. The pid inside is for screens; no
//! decision rests on it.
#![expect(clippy::disallowed_methods, reason = "edge: takes file locks and waits for them")]

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::fs::{self, FsError};

/// Pause between two attempts. flock(2) cannot wait with a timeout without a signal.
const PAUSE: Duration = Duration::from_millis(3);
/// How many holders, each with its full patience, one caller waits for at most.
const QUEUE: u32 = 12;

/// A held lock, released on drop. The file is close-on-exec, so no child keeps it.
#[derive(Debug)]
#[must_use = "dropping the lock lets go of it"]
pub(crate) struct Lock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is held by {}", path.display(), holder(*pid))]
    Held {
        /// Lock file.
        path: PathBuf,
        /// The holder's pid, if it was already written.
        pid: Option<u32>,
    },
    /// The file cannot be opened.
    #[error(transparent)]
    File(#[from] FsError),
    /// The file system cannot lock.
    #[error("cannot lock {}", path.display())]
    Flock {
        /// Lock file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"))
}

impl Lock {
    /// Takes the lock at `path` if it is free.
    ///
    /// # Errors
    /// [`LockError::Held`] at once if it is not.
    pub(crate) fn try_take(path: &Path) -> Result<Self, LockError> {
        loop {
            let mut file = fs::open_update(path)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(LockError::Held { path: path.to_owned(), pid: pid_in(&mut file) });
                }
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(LockError::Flock { path: path.to_owned(), source: errno.into() }),
            }
            // The file may have been removed since it was opened: then this locks nothing.
            if fs::is_same(path, &file) {
                // Only for screens, so a full disk does not matter.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                return Ok(Self { _file: file });
            }
        }
    }

    /// Takes the lock at `path`. Waits up to `patience` for any single holder, and twelve times as long in
    /// total: a long queue of quick holders is waited for, a stuck holder is not.
    ///
    /// # Errors
    /// [`LockError::Held`] after that.
    pub(crate) fn wait(path: &Path, patience: Duration) -> Result<Self, LockError> {
        let mut waiting = Waiting::since(Instant::now(), patience);
        loop {
            match Self::try_take(path) {
                Err(LockError::Held { pid, .. }) if waiting.goes_on(pid, Instant::now()) => {
                    std::thread::sleep(PAUSE)
                }
                other => return other,
            }
        }
    }
}

/// A caller that waits for a lock.
#[derive(Debug)]
struct Waiting {
    patience: Duration,
    began: Instant,
    holder: Option<u32>,
    /// When this holder was first seen.
    since: Instant,
}

impl Waiting {
    fn since(now: Instant, patience: Duration) -> Self {
        Self { patience, began: now, holder: None, since: now }
    }

    /// Whether to try again, now that this process holds it.
    fn goes_on(&mut self, holder: Option<u32>, now: Instant) -> bool {
        // Between taking the lock and writing the pid the file names no process: that is not a new holder yet.
        if holder.is_some() && holder != self.holder {
            (self.holder, self.since) = (holder, now);
        }
        now - self.since < self.patience && now - self.began < self.patience * QUEUE
    }
}

/// The pid in a lock file: of the current or the last holder. For screens only.
#[must_use]
pub(crate) fn written_pid(path: &Path) -> Option<u32> {
    pid_in(&mut fs::open_read(path).ok()?)
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_message_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let held = Lock::try_take(&path).unwrap();
        let error = Lock::try_take(&path).unwrap_err();
        let said = format!("{} is held by pid {}", path.display(), std::process::id());
        assert_eq!(error.to_string(), said);
        assert!(matches!(Lock::wait(&path, Duration::ZERO), Err(LockError::Held { .. })));
        drop(held);
        assert_eq!(written_pid(&path), Some(std::process::id()));
        let again = Lock::wait(&path, Duration::ZERO).unwrap();
        // A removed lock file locks nothing.
        fs::remove(&path).unwrap();
        let _fresh = Lock::try_take(&path).unwrap();
        drop(again);
    }

    #[test]
    fn a_moving_queue_is_waited_for_and_a_stuck_holder_is_not() {
        let patience = Duration::from_secs(5);
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut waiting = Waiting::since(began, patience);
        for n in 1..60_u32 {
            assert!(waiting.goes_on(Some(n), at(u64::from(n))), "another one every second");
            assert!(waiting.goes_on(None, at(u64::from(n))));
        }
        assert!(!waiting.goes_on(Some(60), at(60)), "not for ever");
        let mut waiting = Waiting::since(began, patience);
        assert!(waiting.goes_on(Some(7), at(1)) && waiting.goes_on(Some(7), at(5)));
        assert!(!waiting.goes_on(Some(7), at(6)), "the same one all the time");
        assert!(!Waiting::since(began, patience).goes_on(None, at(5)), "the holder is unknown");
    }

    #[test]
    fn a_waiter_gets_the_lock_when_the_holder_releases_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let held = Lock::try_take(&path).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| Lock::wait(&path, Duration::from_secs(60)).is_ok());
            drop(held);
            assert!(waiter.join().unwrap());
        });
    }
}
