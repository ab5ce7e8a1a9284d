//! One line of a module's output, its format in a log file, and its format on screens. Pure.
//!
//! ```text
//! 2026-03-01T10:04:09.120Z | a line of standard output
//! 2026-03-01T10:04:09.120Z ! a line of standard error
//! 2026-03-01T10:04:09.120Z # a line of the supervisor about the module
//! 2026-03-01T10:04:09.120Z |+continued: this text and the `|` line before it are one line
//! └──────── 24 bytes ─────┘ │└─ ` ` a line begins · `+` it continues the one before of its stream
//!                           └── the stream
//! ```
//!
//! The head is always 27 bytes; then come the bytes as the module wrote them, and a newline. The
//! same ` `/`+` follows the prefix on the hub's stdout: `[vault] text`, then `[vault]+more of it`. A text is cut
//! at [`MAX_TEXT`] bytes only. A line without such a head was written by the detached hub: it has no time.

use std::io::Write as _;

use crate::module::timestamp::Timestamp;

/// Longest text of one line, bytes. A longer one is cut, and the pieces after the first are marked `continued`.
pub const MAX_TEXT: usize = 64 * 1024;

/// Bytes before the text of a line in a log file.
pub(crate) const HEAD_LEN: usize = 27;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output of the module.
    Out,
    /// Standard error of the module.
    Err,
    /// The supervisor, about the module.
    Hub,
}

impl Stream {
    /// Its character in a log file.
    #[must_use]
    pub(crate) fn mark(self) -> u8 {
        match self {
            Self::Out => b'|',
            Self::Err => b'!',
            Self::Hub => b'#',
        }
    }

    fn of_mark(mark: u8) -> Option<Self> {
        [Self::Out, Self::Err, Self::Hub].into_iter().find(|stream| stream.mark() == mark)
    }
}

/// One line in the ring and in followers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Grows by one per line of a module while the hub runs; a gap means dropped lines.
    pub(crate) seq: u64,
    /// When the hub read it.
    pub(crate) at: Timestamp,
    /// Where it came from.
    pub(crate) stream: Stream,
    /// It continues the line before it of the same stream, which was cut at [`MAX_TEXT`].
    pub(crate) continued: bool,
    /// The bytes the module wrote, without the newline.
    pub(crate) text: Vec<u8>,
}

/// One line of a log file, borrowed from the read buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// When it was written; `None` in a line of the detached hub.
    pub at: Option<Timestamp>,
    /// Where it came from; a line of the detached hub counts as [`Stream::Out`].
    pub stream: Stream,
    /// It continues the line before it of the same stream, which was cut at [`MAX_TEXT`].
    pub continued: bool,
    /// Text without head and newline.
    pub text: &'a [u8],
}

/// The head of a line in a log file.
pub(crate) fn head(at: Timestamp, stream: Stream, continued: bool) -> [u8; HEAD_LEN] {
    let mut head = [b' '; HEAD_LEN];
    // A timestamp is always 24 bytes: its Display caps years past 9999. Nothing here can fail.
    let _ = write!(&mut head[..24], "{at}");
    head[25] = stream.mark();
    head[26] = continuation(continued);
    head
}

/// One line of the hub or the supervisor, in the format of a log file, newline included.
#[must_use]
pub(crate) fn stored_line(at: Timestamp, stream: Stream, text: &str) -> Vec<u8> {
    [head(at, stream, false).as_slice(), text.as_bytes(), b"\n"].concat()
}

/// The byte between prefix and text.
pub(crate) fn continuation(continued: bool) -> u8 {
    if continued { b'+' } else { b' ' }
}

/// Reads one line of a log file, given without its newline.
#[must_use]
pub fn parse(raw: &[u8]) -> Stored<'_> {
    headed(raw).unwrap_or(Stored { at: None, stream: Stream::Out, continued: false, text: raw })
}

fn headed(raw: &[u8]) -> Option<Stored<'_>> {
    let (head, text) = raw.split_at_checked(HEAD_LEN)?;
    // Timestamp::parse accepts more than this format; without the check, a line of the detached hub that starts with a
    // date would lose it.
    if head[10] != b'T' || head[23] != b'Z' || head[24] != b' ' {
        return None;
    }
    let stream = Stream::of_mark(head[25])?;
    let continued = match head[26] {
        b' ' => false,
        b'+' => true,
        _ => return None,
    };
    let at = Timestamp::parse(std::str::from_utf8(&head[..24]).ok()?)?;
    Some(Stored { at: Some(at), stream, continued, text })
}

/// Which parts are shown before the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shown<'a> {
    /// `[vault] `, if given.
    pub(crate) short: Option<&'a str>,
    /// `2026-03-01T10:04:09.120Z `, if asked for and known.
    pub(crate) times: bool,
}

impl Shown<'_> {
    /// Appends one line as shown on screens, with its newline: time, `[short]`, text. A line of the supervisor
    /// is marked as such; a continuation has a `+` where the others have a space.
    pub(crate) fn render(&self, line: &Stored<'_>, to: &mut Vec<u8>) {
        if let (true, Some(at)) = (self.times, line.at) {
            let _ = write!(to, "{at} ");
        }
        if let Some(short) = self.short {
            to.push(b'[');
            to.extend_from_slice(short.as_bytes());
            to.push(b']');
            to.push(continuation(line.continued));
        } else if line.continued {
            to.push(continuation(true));
        }
        if line.stream == Stream::Hub {
            to.extend_from_slice(b"[supervisor] ");
        }
        to.extend_from_slice(line.text);
        to.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(short: Option<&str>, times: bool, line: &Stored<'_>) -> String {
        let mut to = Vec::new();
        Shown { short, times }.render(line, &mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn file_form_round_trip() {
        let at = Timestamp(1_772_359_449_120);
        for stream in [Stream::Out, Stream::Err, Stream::Hub] {
            for continued in [false, true] {
                let mut raw = head(at, stream, continued).to_vec();
                raw.extend_from_slice(b" text\r\0");
                assert_eq!(parse(&raw), Stored { at: Some(at), stream, continued, text: b" text\r\0" });
            }
        }
        assert_eq!(&head(at, Stream::Err, true), b"2026-03-01T10:04:09.120Z !+");
        assert_eq!(head(Timestamp(u64::MAX), Stream::Out, false)[25], b'|', "a far year keeps the columns");
    }

    #[test]
    fn lines_of_the_detached_hub_are_kept_unchanged() {
        for raw in [
            &b""[..],
            b"listening on 1940",
            b"2026-03-01 10:04:09.120Z | not our T",
            b"2026-03-01T10:04:09.120Z INFO x",
            b"2026-03-01T10:04:09.120Z |xno separator",
            b"2026-13-01T10:04:09.120Z | no such month",
        ] {
            assert_eq!(parse(raw).text, raw);
            assert_eq!(parse(raw).at, None);
        }
    }

    #[test]
    fn format_on_screens() {
        let vault = "vault";
        let at = Some(Timestamp(1_772_359_449_120));
        let line = Stored { at, stream: Stream::Out, continued: false, text: b"hello" };
        assert_eq!(shown(None, false, &line), "hello\n");
        assert_eq!(shown(Some(vault), false, &line), "[vault] hello\n");
        assert_eq!(shown(Some(vault), true, &line), "2026-03-01T10:04:09.120Z [vault] hello\n");
        assert_eq!(shown(Some(vault), true, &Stored { at: None, ..line }), "[vault] hello\n");
        assert_eq!(shown(Some(vault), false, &Stored { continued: true, ..line }), "[vault]+hello\n");
        assert_eq!(shown(None, false, &Stored { continued: true, ..line }), "+hello\n");
        let note = Stored { stream: Stream::Hub, ..line };
        assert_eq!(shown(Some(vault), false, &note), "[vault] [supervisor] hello\n");
    }
}
