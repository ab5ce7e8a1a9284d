//! Formats a module's bytes as lines for stdout and as lines for its file, in one pass. Pure.

use std::ops::ControlFlow;

use super::line::{HEAD_LEN, MAX_TEXT, Stream, head};
use super::line_splitter::LineSplitter;
use crate::module::name::Short;
use crate::module::timestamp::Timestamp;

/// Complete lines in both formats. Reused: one for all streams.
#[derive(Debug, Default)]
pub struct Batch {
    /// `[short] text\n`, for the hub's stdout.
    pub out: Vec<u8>,
    /// `<head>text\n`, for the file; the ring takes its lines from here too.
    pub file: Vec<u8>,
    /// How many lines each of them has.
    pub lines: u64,
}

/// A batch is full at this many bytes of its longer format: heads make short lines ten times longer.
pub(crate) const FULL: usize = 384 * 1024;

impl Batch {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.out.clear();
        self.file.clear();
        self.lines = 0;
    }

    fn is_full(&self) -> bool {
        self.file.len() >= FULL || self.out.len() >= FULL
    }
}

/// The byte order mark that some programs write first: dropped at the beginning of a stream, kept elsewhere.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// Formats one stream of one run of a module.
#[derive(Debug)]
pub struct Formatter {
    splitter: LineSplitter,
    stream: Stream,
    /// `[short]`.
    prefix: Box<[u8]>,
    /// No line has been emitted yet.
    fresh: bool,
}

impl Formatter {
    /// A stream from its beginning.
    #[must_use]
    pub fn new(short: &Short, stream: Stream) -> Self {
        let prefix = format!("[{short}]").into_bytes().into_boxed_slice();
        Self { splitter: LineSplitter::new(MAX_TEXT), stream, prefix, fresh: true }
    }

    /// Adds the complete lines of `input`, read at `at`, to `batch` until it is full. Returns the number of bytes
    /// taken.
    pub fn feed(&mut self, input: &[u8], at: Timestamp, batch: &mut Batch) -> usize {
        let heads = Heads::new(&self.prefix, at, self.stream);
        let fresh = &mut self.fresh;
        self.splitter.feed(input, |text, continued| {
            let text = if std::mem::take(fresh) { text.strip_prefix(BOM).unwrap_or(text) } else { text };
            heads.write(text, continued, batch);
            if batch.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    /// Adds the incomplete last line at the end of the stream.
    pub fn finish(&mut self, at: Timestamp, batch: &mut Batch) {
        let heads = Heads::new(&self.prefix, at, self.stream);
        let fresh = self.fresh;
        self.splitter.finish(|text, continued| {
            let text = if fresh { text.strip_prefix(BOM).unwrap_or(text) } else { text };
            if !text.is_empty() {
                heads.write(text, continued, batch);
            }
        });
    }
}

/// The heads for stdout and for the file, each for a line that begins and for one that continues. Built once per batch.
struct Heads {
    out: [Vec<u8>; 2],
    file: [[u8; HEAD_LEN]; 2],
}

impl Heads {
    fn new(prefix: &[u8], at: Timestamp, stream: Stream) -> Self {
        Self {
            out: [[prefix, b" "].concat(), [prefix, b"+"].concat()],
            file: [head(at, stream, false), head(at, stream, true)],
        }
    }

    #[inline]
    fn write(&self, text: &[u8], continued: bool, batch: &mut Batch) {
        let kind = usize::from(continued);
        batch.out.reserve(self.out[kind].len() + text.len() + 1);
        batch.out.extend_from_slice(&self.out[kind]);
        batch.out.extend_from_slice(text);
        batch.out.push(b'\n');
        batch.file.reserve(HEAD_LEN + text.len() + 1);
        batch.file.extend_from_slice(&self.file[kind]);
        batch.file.extend_from_slice(text);
        batch.file.push(b'\n');
        batch.lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch_of(chunks: &[&[u8]]) -> Batch {
        let mut formatter = Formatter::new(&Short::new("vault").unwrap(), Stream::Err);
        let mut batch = Batch::default();
        for chunk in chunks {
            assert_eq!(formatter.feed(chunk, Timestamp(0), &mut batch), chunk.len());
        }
        formatter.finish(Timestamp(0), &mut batch);
        batch
    }

    #[test]
    fn both_formats() {
        let batch = batch_of(&[b"\xef\xbb", b"\xbfone\n", b"two"]);
        assert_eq!(
            batch.out, b"[vault] one\n[vault] two\n",
            "the byte order mark is gone, the tail has a newline"
        );
        assert_eq!(batch.file, b"1970-01-01T00:00:00.000Z ! one\n1970-01-01T00:00:00.000Z ! two\n");
        assert_eq!(batch.lines, 2);
        assert_eq!(batch_of(&[b"\xef\xbb\xbf"]).lines, 0, "a mark alone is no line");
        assert_eq!(batch_of(&[b"a\n\xef\xbb\xbfb\n"]).out, "[vault] a\n[vault] \u{feff}b\n".as_bytes());
    }

    #[test]
    fn a_long_line_is_marked() {
        let batch = batch_of(&[&vec![b'x'; MAX_TEXT + 5]]);
        assert_eq!(batch.out.len(), MAX_TEXT + 5 + 2 * 9);
        assert!(batch.out.ends_with(b"\n[vault]+xxxxx\n"));
        assert!(batch.file.ends_with(b"Z !+xxxxx\n"));
    }

    #[test]
    fn a_batch_is_bounded() {
        let mut formatter = Formatter::new(&Short::new("v").unwrap(), Stream::Out);
        let mut batch = Batch::default();
        let input = vec![b'\n'; 256 * 1024];
        let taken = formatter.feed(&input, Timestamp(0), &mut batch);
        assert!(taken < input.len() && batch.lines == taken as u64);
        assert!(batch.file.len() <= FULL + HEAD_LEN + 1);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_batch(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(0xEF), Just(0xBB), Just(0xBF), any::<u8>()], 0..200),
            at in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let mut at: Vec<usize> = at.into_iter().map(|i| i.min(bytes.len())).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let (parts, whole) = (batch_of(&chunks), batch_of(&[&bytes]));
            prop_assert_eq!(parts.out, whole.out);
            prop_assert_eq!(parts.file, whole.file);
            prop_assert_eq!(parts.lines, whole.lines);
        }
    }
}
