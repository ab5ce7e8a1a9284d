//! One line of a log file, as it is read again; and what both ways to read one share.

use std::io;
use std::path::PathBuf;

use super::line::{HEAD_LEN, MAX_TEXT, Stored, Stream, parse};
use crate::module::stamp::Stamp;

/// Bytes read at once.
pub(crate) const BLOCK: usize = 64 * 1024;

/// Longest raw line; a longer one is none of ours and comes in pieces.
pub(crate) const MAX_RAW: usize = MAX_TEXT + HEAD_LEN;

/// One line of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Index of its module among those asked for.
    pub source: usize,
    /// When it was written; `None` in a line of an older hub.
    pub at: Option<Stamp>,
    /// Where it came from.
    pub stream: Stream,
    /// It continues the line before it of the same stream.
    pub continued: bool,
    /// Text without head and newline.
    pub text: Vec<u8>,
}

impl LogEntry {
    /// A line of this module.
    pub(crate) fn of(source: usize, stored: &Stored<'_>) -> Self {
        let Stored { at, stream, continued, text } = *stored;
        Self { source, at, stream, continued, text: text.to_vec() }
    }

    /// The same line, borrowed, as it is rendered.
    #[must_use]
    pub fn stored(&self) -> Stored<'_> {
        Stored { at: self.at, stream: self.stream, continued: self.continued, text: &self.text }
    }
}

/// Why a log file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read log file {}", path.display())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// One raw line; a piece of one that is longer than any of ours has no head.
pub(crate) fn stored(raw: &[u8], continued: bool) -> Stored<'_> {
    if continued {
        return Stored { at: None, stream: Stream::Out, continued, text: raw };
    }
    parse(raw)
}

/// How much is read at once of so many bytes.
pub(crate) fn block_size(left: u64) -> usize {
    usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK))
}
