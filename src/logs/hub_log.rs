//! The hub's own log file, rotated like a module's. The hub writes it even if its stdout is not read.

use std::path::PathBuf;
use std::sync::Mutex;

use super::line::{Stream, stored_line};
use super::rotate::LogFile;
use crate::module::launch::LogLimits;
use crate::module::timestamp::Timestamp;
use crate::sync::mutex::lock;

/// Most bytes that wait for a slow disk; further lines are not written to the file.
const WAITING: usize = 64 * 1024;

/// The file, and its pending lines. [`Stream::Out`] is the hub, [`Stream::Hub`] the supervisor about a module.
#[derive(Debug)]
pub(crate) struct HubLog {
    /// Locked only by the logs thread, which holds it while it writes to disk.
    pub(crate) file: Mutex<LogFile>,
    pub(crate) limits: LogLimits,
    /// In the format of the file.
    waiting: Mutex<Vec<u8>>,
}

impl HubLog {
    pub(crate) fn new(file: PathBuf, limits: LogLimits) -> Self {
        Self { file: Mutex::new(LogFile::new(file)), limits, waiting: Mutex::default() }
    }

    /// Queues a text for the file, each of its lines with the time. `true`: the logs thread must be woken.
    pub(crate) fn queue(&self, at: Timestamp, stream: Stream, text: &str) -> bool {
        let mut waiting = lock(&self.waiting);
        let first = waiting.is_empty();
        for line in text.lines() {
            if waiting.len() + line.len() <= WAITING {
                waiting.extend_from_slice(&stored_line(at, stream, line));
            }
        }
        first && !waiting.is_empty()
    }

    pub(crate) fn take_waiting(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.waiting))
    }
}
