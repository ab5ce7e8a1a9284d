//! Collects the output of all modules, and the lines of the hub itself. The hub's interface to this room.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::hub_log::HubLog;
use super::log_thread::LogThread;
use super::module_log::ModuleLog;
use super::module_state::ModuleState;
use super::priority::Priority;
use super::stdout::StdoutSink;
use crate::module::launch::LogLimits;
use crate::module::name::Short;
use crate::sync::mutex::lock;

#[cfg(test)]
mod tests;

/// The logs of a hub: two threads, and the state of each module's log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogCollector {
    thread: Arc<LogThread>,
    modules: Arc<Mutex<BTreeMap<Short, Arc<ModuleState>>>>,
}

impl LogCollector {
    /// Starts the threads `logs` and `stdout`.
    ///
    /// # Errors
    /// A thread or its event queue cannot be created.
    pub fn start(sink: StdoutSink) -> io::Result<Self> {
        Ok(Self { thread: Arc::new(LogThread::start(sink)?), modules: Arc::default() })
    }

    /// The log of module `short`. A module keeps its ring and its file across restarts: opened again, `limits`
    /// replace the earlier ones, `file` does not.
    #[must_use]
    pub fn open(&self, short: &Short, file: PathBuf, limits: LogLimits) -> ModuleLog {
        let mut modules = lock(&self.modules);
        let module = modules
            .entry(short.clone())
            .or_insert_with(|| Arc::new(ModuleState::new(short.clone(), file, limits)));
        lock(&module.recent).limits = limits;
        ModuleLog::new(Arc::clone(&self.thread), Arc::clone(module))
    }

    /// Forgets a module that was removed: its followers and its pumps end. Its files stay.
    pub(crate) fn forget(&self, short: &Short) {
        let module = lock(&self.modules).remove(short);
        if let Some(module) = module {
            self.thread.handle.spawn(async move { module.end().await });
        }
    }

    /// From now on the lines of the hub and the supervisor are also written to this file. Only the first call counts.
    pub(crate) fn keep_hub_log(&self, file: PathBuf, limits: LogLimits) {
        // A second file is a mistake of the caller and is ignored.
        let _ = self.thread.hub_log.set(HubLog::new(file, limits));
    }

    /// Writes a line of the hub itself: `[hub] text` on stdout, and to the hub's log. Never waits.
    pub(crate) fn hub_line(&self, priority: Priority, text: &str) {
        self.thread.hub_line(priority, text);
    }

    /// Writes lines of the supervisor about a module: `[supervisor] web: text` on stdout, and to the hub's log. Never waits.
    /// The module's own log has them from [`ModuleLog::note`].
    pub(crate) fn module_line(&self, priority: Priority, module: &str, text: &str) {
        self.thread.module_line(priority, module, text);
    }

    /// Ends all logging: the pipes are read to their end, followers are told, stdout is flushed. Takes no longer
    /// than `within`, even if stdout or the disk block. Returns whether everything was written.
    pub async fn shutdown(&self, within: Duration) -> bool {
        let modules: Vec<Arc<ModuleState>> = lock(&self.modules).values().map(Arc::clone).collect();
        let flush = async {
            for module in &modules {
                module.ending.send_replace(true);
            }
            for module in &modules {
                module.end().await;
            }
            let thread = Arc::clone(&self.thread);
            // The logs thread writes the hub's log after all earlier work.
            let _ = self.thread.handle.spawn(async move { thread.write_hub_log() }).await;
            self.thread.stdout.flush().await;
        };
        let flushed = tokio::time::timeout(within, flush).await.is_ok();
        for module in &modules {
            module.close();
        }
        self.thread.stop();
        flushed
    }
}
