//! The hub's own log file: what it says, in a file that is rotated like a module's, whoever reads its stdout or not.

use std::path::PathBuf;
use std::sync::Mutex;

use super::line::{Stream, head};
use super::rotate::LogFile;
use crate::module::launch::LogLimits;
use crate::module::stamp::Stamp;
use crate::sync::mutex::lock;

/// Lines that wait for a slow disk; more are not written to the file.
const WAITING: usize = 64 * 1024;

/// The file, and what waits for it.
#[derive(Debug)]
pub(crate) struct HubLog {
    /// Taken by the logs thread alone: it is held while the disk is written.
    pub(crate) file: Mutex<LogFile>,
    pub(crate) limits: LogLimits,
    /// In file form.
    waiting: Mutex<Vec<u8>>,
}

impl HubLog {
    pub(crate) fn new(file: PathBuf, limits: LogLimits) -> Self {
        Self { file: Mutex::new(LogFile::new(file)), limits, waiting: Mutex::default() }
    }

    /// Leaves a text for the file, each of its lines with the time. `true`: the logs thread must be told.
    pub(crate) fn leave(&self, at: Stamp, stream: Stream, text: &str) -> bool {
        let mut waiting = lock(&self.waiting);
        let first = waiting.is_empty();
        for line in text.lines() {
            if waiting.len() + line.len() <= WAITING {
                waiting.extend_from_slice(&stored(at, stream, line));
            }
        }
        first && !waiting.is_empty()
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.waiting))
    }
}

/// A line as the hub's file has it: [`Stream::Out`] is the hub, [`Stream::Hub`] the supervisor about a module.
#[must_use]
pub fn stored(at: Stamp, stream: Stream, line: &str) -> Vec<u8> {
    [head(at, stream, false).as_slice(), line.as_bytes(), b"\n"].concat()
}
