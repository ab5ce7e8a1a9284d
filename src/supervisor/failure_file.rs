//! Writes `last-failure.json` of a module, which `parachute why` shows.
//!
//! The write comes after the failure: it waits for the last lines of the module, and the file is synced. Until then
//! [`FailureFile::written`] waits, so that a reader who learnt of a failure also finds it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tracing::error;

use crate::home::fs;
use crate::home::paths::Home;
use crate::module::failure::Failure;
use crate::module::name::Short;

/// Failures that are written at the same time. Few: requests to the hub use the same threads.
const WRITERS: usize = 8;

/// Writes the failures of all modules of one home.
#[derive(Debug)]
pub(crate) struct FailureFile {
    home: Home,
    turns: Semaphore,
    /// Modules with a failure that is not written yet.
    under_way: watch::Sender<BTreeMap<Short, UnderWay>>,
}

/// Failures of one module that are not written yet.
#[derive(Debug, Default)]
struct UnderWay {
    count: usize,
    /// Number of the newest one.
    newest: u64,
}

/// A failure that is going to be written. If it is dropped unwritten, the wait for it ends.
#[derive(Debug)]
pub(super) struct Pending {
    files: Arc<FailureFile>,
    short: Short,
    number: u64,
}

impl FailureFile {
    pub(super) fn new(home: Home) -> Self {
        Self { home, turns: Semaphore::new(WRITERS), under_way: watch::Sender::new(BTreeMap::new()) }
    }

    /// Announces a failure, in the order of failures.
    pub(super) fn announce(self: &Arc<Self>, short: &Short) -> Pending {
        let mut number = 0;
        self.under_way.send_modify(|modules| {
            let module = modules.entry(short.clone()).or_default();
            module.count += 1;
            module.newest += 1;
            number = module.newest;
        });
        Pending { files: Arc::clone(self), short: short.clone(), number }
    }

    /// Waits until every announced failure of a module is written, at most `within`: a disk may never answer.
    pub(super) async fn written(&self, short: &Short, within: Duration) {
        let mut under_way = self.under_way.subscribe();
        let written = under_way.wait_for(|modules| !modules.contains_key(short));
        let _ = tokio::time::timeout(within, written).await;
    }

    fn is_newest(&self, short: &Short, number: u64) -> bool {
        self.under_way.borrow().get(short).is_none_or(|module| module.newest == number)
    }

    fn write(&self, short: &Short, failure: &Failure) {
        let path = self.home.last_failure(short);
        let written = serde_json::to_vec_pretty(failure).map_err(|e| e.to_string()).and_then(|bytes| {
            let dir = path.parent().map_or_else(PathBuf::new, PathBuf::from);
            fs::make_dir(&dir, fs::PRIVATE_DIR).map_err(|e| e.to_string())?;
            fs::put(&path, fs::PRIVATE, &bytes).map_err(|e| e.to_string())
        });
        if let Err(error) = written {
            error!(path = %path.display(), %error, "{} cannot be written: {error}", path.display());
        }
    }
}

impl Pending {
    /// Replaces the module's last failure, unless a later one has been announced: the later one may not wait for lines,
    /// and be written first. The write is synced, which may take long, so it is not done on the supervising thread.
    pub(super) async fn save(self, failure: Failure) {
        let files = Arc::clone(&self.files);
        let Ok(_turn) = files.turns.acquire().await else { return };
        let _ = tokio::task::spawn_blocking(move || {
            if self.files.is_newest(&self.short, self.number) {
                self.files.write(&self.short, &failure);
            }
        })
        .await;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.files.under_way.send_modify(|modules| {
            if let Some(module) = modules.get_mut(&self.short) {
                module.count -= 1;
                if module.count == 0 {
                    modules.remove(&self.short);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::module::problem::{Problem, ProblemKind};
    use crate::module::timestamp::Timestamp;

    fn failure(text: &str) -> Failure {
        Failure {
            short: "web".to_owned(),
            at: Timestamp(0),
            ended: None,
            lived_ms: None,
            was_ready: false,
            command: String::new(),
            problem: Problem::new(ProblemKind::MissingDependency, text, Timestamp(0)),
            crashes_in_window: 0,
            max_crashes: 5,
            gave_up: false,
            lines: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_reader_waits_for_announced_failures_and_an_older_one_never_replaces_a_newer_one() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        let short = Short::new("web").unwrap();
        let files = Arc::new(FailureFile::new(home.clone()));
        let is_written = || files.written(&short, Duration::from_secs(60)).now_or_never().is_some();
        assert!(is_written(), "nothing has failed");

        let (older, newer) = (files.announce(&short), files.announce(&short));
        assert!(!is_written());
        newer.save(failure("newer")).await;
        assert!(!is_written(), "one of two");
        older.save(failure("older")).await;
        assert!(is_written());
        let bytes = fs::read(&home.last_failure(&short), 4096).unwrap();
        let kept: Failure = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(kept.problem.error_description, "newer");

        drop(files.announce(&short));
        assert!(is_written(), "the pending write was dropped");
        let _stuck = files.announce(&short);
        files.written(&short, Duration::ZERO).await;
    }
}
