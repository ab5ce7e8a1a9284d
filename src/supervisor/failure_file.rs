//! Writes `last-failure.json` of a module, which `parachute why` shows.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::home::fs;
use crate::home::paths::Home;
use crate::logs::collector::LogCollector;
use crate::module::failure::Failure;
use crate::module::name::Short;

/// Failures that are written at the same time. Few: requests to the hub wait for the same threads.
const WRITERS: usize = 8;

/// Writes the failures of all modules of one home.
#[derive(Debug)]
pub(crate) struct FailureFile {
    home: Home,
    logs: LogCollector,
    turns: Semaphore,
}

impl FailureFile {
    pub(super) fn new(home: Home, logs: LogCollector) -> Self {
        Self { home, logs, turns: Semaphore::new(WRITERS) }
    }

    /// Replaces the module's last failure. The write is synced, which may take long, so it is not done on the thread
    /// that supervises.
    pub(super) async fn save(self: Arc<Self>, failure: Failure) {
        let Ok(_turn) = self.turns.acquire().await else { return };
        let this = Arc::clone(&self);
        let _ = tokio::task::spawn_blocking(move || this.write(&failure)).await;
    }

    fn write(&self, failure: &Failure) {
        let Ok(short) = Short::new(&failure.short) else { return };
        let path = self.home.last_failure(&short);
        let written = serde_json::to_vec_pretty(failure).map_err(|e| e.to_string()).and_then(|bytes| {
            let dir = path.parent().map_or_else(PathBuf::new, PathBuf::from);
            fs::make_dir(&dir, fs::PRIVATE_DIR).map_err(|e| e.to_string())?;
            fs::put(&path, fs::PRIVATE, &bytes).map_err(|e| e.to_string())
        });
        if let Err(error) = written {
            self.logs.hub_line(&format!("{} cannot be written: {error}", path.display()));
        }
    }
}
