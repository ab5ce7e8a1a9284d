//! One line read from a log file, and code that `file_reader` and `file_follower` share. Pure.

use std::io;
use std::path::PathBuf;

use super::line::{HEAD_LEN, MAX_TEXT, Stored, Stream, parse};
use crate::module::timestamp::Timestamp;

/// Most bytes of one read.
pub(crate) const BLOCK: usize = 64 * 1024;

/// Longest line with its head. A longer one was not written by this hub, and is returned in pieces.
pub(crate) const MAX_RAW: usize = MAX_TEXT + HEAD_LEN;

/// One line of a log file, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// Index of its module in the request.
    pub(crate) source: usize,
    /// When it was written; `None` in a line of the detached hub.
    pub(crate) at: Option<Timestamp>,
    /// Where it came from.
    pub(crate) stream: Stream,
    /// It continues the line before it of the same stream.
    pub(crate) continued: bool,
    /// Text without head and newline.
    pub(crate) text: Vec<u8>,
}

impl LogEntry {
    /// `source`: see [`Self::source`].
    pub(crate) fn of(source: usize, stored: &Stored<'_>) -> Self {
        let Stored { at, stream, continued, text } = *stored;
        Self { source, at, stream, continued, text: text.to_vec() }
    }

    /// The same line, borrowed, for rendering.
    #[must_use]
    pub(crate) fn stored(&self) -> Stored<'_> {
        Stored { at: self.at, stream: self.stream, continued: self.continued, text: &self.text }
    }
}

/// Why a log file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read log file {}", path.display())]
pub(crate) struct ReadError {
    /// The file.
    pub(crate) path: PathBuf,
    /// The system's error.
    #[source]
    pub(crate) source: io::Error,
}

/// Parses one line. A piece of a line that is longer than [`MAX_RAW`] has no head.
pub(crate) fn parse_piece(raw: &[u8], continued: bool) -> Stored<'_> {
    if continued {
        return Stored { at: None, stream: Stream::Out, continued, text: raw };
    }
    parse(raw)
}

/// How many bytes to read at once when `left` are left.
pub(crate) fn block_size(left: u64) -> usize {
    usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK))
}
