//! The safe mode of this hub: the decision of `safe_mode`, kept on disk, and ended when a user asks for a module.

use std::sync::{Arc, Mutex};

use crate::home::fs::{self, FsError};
use crate::home::paths::Home;
use crate::module::timestamp::Timestamp;
use crate::process::id::BootId;
use crate::process::table;
use crate::sync::mutex::lock;

use super::safe_mode::{BootMode, Boots};
use super::service_manager::ServiceManager;

/// A larger file is not ours.
const MAX: u64 = 64 * 1024;

/// Shared by `serve` and the handlers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BootLog {
    home: Home,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    boots: Boots,
    /// The number of crashes that led to it; `None`: not in safe mode.
    safe: Option<usize>,
}

impl BootLog {
    /// A hub starts. It may start in safe mode only under a manager, which starts it again; a user in a terminal sees what
    /// happens. An unreadable file counts as empty, and a failed write is reported.
    pub(crate) fn begin(
        home: &Home,
        service_manager: ServiceManager,
        now: Timestamp,
    ) -> (Self, Option<String>) {
        let bytes = fs::read_if_there(&home.boots(), MAX).ok().flatten();
        let boots = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut boots: Boots = boots.unwrap_or_default();
        let boot = table::identify(table::own_pid())
            .ok()
            .flatten()
            .map_or_else(|| BootId(String::new()), |id| id.boot);
        let safe = match boots.begin(now, boot) {
            BootMode::Safe { deaths } if service_manager.is_there() => Some(deaths),
            BootMode::Safe { .. } | BootMode::Normal => None,
        };
        let log = Self { home: home.clone(), state: Arc::new(Mutex::new(State { boots, safe })) };
        let note = log
            .change(|_| ())
            .err()
            .map(|error| format!("{error}: a crash loop of this hub would not be noticed"));
        (log, note)
    }

    /// The number of crashes that led to safe mode, while the hub is in it.
    #[must_use]
    pub(crate) fn safe(&self) -> Option<usize> {
        lock(&self.state).safe
    }

    /// A user asked for a module. Returns whether that ended safe mode.
    pub(crate) fn asked(&self) -> bool {
        let was = self.safe().is_some();
        if was {
            // If the write fails, the next change writes it; the safe mode of this hub has ended anyway.
            let _ = self.change(|state| {
                state.safe = None;
                state.boots.forgive();
            });
        }
        was
    }

    /// The hub has run long enough to count as stable. Safe mode stays until a user ends it; the next hub starts
    /// normally.
    pub(crate) fn lived(&self) {
        // At worst an old crash is remembered until it is too old to count.
        let _ = self.change(|state| state.boots.forgive());
    }

    /// The hub was asked to stop.
    pub(crate) fn end_in_order(&self) {
        // At worst this stop is counted as a crash; a single one has no effect.
        let _ = self.change(|state| state.boots.end_in_order());
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), FsError> {
        let mut state = lock(&self.state);
        change(&mut state);
        // Two timestamps and a name always serialise.
        let bytes = serde_json::to_vec(&state.boots).unwrap_or_default();
        // Not synced: after a power cut the record means nothing, and the boot must not wait for a disk.
        fs::put_unsynced(&self.home.boots(), fs::PRIVATE, &bytes)
    }
}
