//! Splits a stream of bytes into lines, whatever the chunks in which it arrives. Pure.

use std::ops::ControlFlow;

/// Splits a stream at newlines, and a text longer than `max` into pieces of at most `max` bytes.
///
/// The result depends only on the bytes, never on the chunks. No byte is lost or doubled, and a valid UTF-8 sequence
/// is never split.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    /// Longest piece, bytes.
    max: usize,
    /// The beginning of a text whose newline has not arrived. At most `max` bytes.
    partial: Vec<u8>,
    /// The next piece continues a text that was cut.
    continued: bool,
}

/// An emptied `partial` keeps this many bytes: most lines fit, so a quiet stream does not allocate.
const KEEP_PARTIAL: usize = 4 * 1024;

impl LineSplitter {
    /// A stream from its beginning.
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(4), partial: Vec::new(), continued: false }
    }

    /// Takes `input` and calls `emit(text, continued)` for every piece that is complete, until `emit` breaks.
    /// Returns how many bytes were taken: all of them, unless it broke.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        mut emit: impl FnMut(&[u8], bool) -> ControlFlow<()>,
    ) -> usize {
        let mut rest = input;
        while !rest.is_empty() {
            // One byte past `max` distinguishes "a line of exactly `max`" from "longer: cut it".
            let window = &rest[..rest.len().min(self.max + 1 - self.partial.len())];
            let flow = if let Some(end) = memchr::memchr(b'\n', window) {
                rest = &rest[end + 1..];
                let continued = std::mem::take(&mut self.continued);
                self.whole(&window[..end], |text| emit(text, continued))
            } else if self.partial.len() + window.len() > self.max {
                let continued = std::mem::replace(&mut self.continued, true);
                if self.partial.is_empty() {
                    let end = boundary(&rest[..self.max]);
                    let (text, after) = rest.split_at(end);
                    rest = after;
                    emit(text, continued)
                } else {
                    let (head, after) = rest.split_at(self.max - self.partial.len());
                    rest = after;
                    self.partial.extend_from_slice(head);
                    let end = boundary(&self.partial);
                    let flow = emit(&self.partial[..end], continued);
                    self.partial.drain(..end);
                    flow
                }
            } else {
                self.partial.extend_from_slice(window);
                rest = &rest[window.len()..];
                ControlFlow::Continue(())
            };
            if flow.is_break() {
                break;
            }
        }
        input.len() - rest.len()
    }

    /// The end of the stream: text without a newline is a line too.
    pub(crate) fn finish(&mut self, emit: impl FnOnce(&[u8], bool)) {
        if !self.partial.is_empty() {
            emit(&self.partial, self.continued);
        }
        *self = Self::new(self.max);
    }

    fn whole<T>(&mut self, last: &[u8], emit: impl FnOnce(&[u8]) -> T) -> T {
        if self.partial.is_empty() {
            return emit(last);
        }
        self.partial.extend_from_slice(last);
        let made = emit(&self.partial);
        self.partial.clear();
        self.partial.shrink_to(KEEP_PARTIAL);
        made
    }
}

/// The largest cut of `text` (its full length, or up to three bytes less) that splits no UTF-8 sequence.
fn boundary(text: &[u8]) -> usize {
    let len = text.len();
    for back in 1..=3.min(len) {
        let wide = match text[len - back] {
            0x80..=0xBF => continue,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        return if wide > back { len - back } else { len };
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Piece = (Vec<u8>, bool);

    fn cut(max: usize, chunks: &[&[u8]]) -> Vec<Piece> {
        let mut splitter = LineSplitter::new(max);
        let mut got = Vec::new();
        for chunk in chunks {
            let taken = splitter.feed(chunk, |text, continued| {
                got.push((text.to_vec(), continued));
                ControlFlow::Continue(())
            });
            assert_eq!(taken, chunk.len());
        }
        splitter.finish(|text, continued| got.push((text.to_vec(), continued)));
        got
    }

    #[test]
    fn lines_and_tails() {
        let piece = |text: &str, continued| (text.as_bytes().to_vec(), continued);
        assert_eq!(
            cut(8, &[b"a\n\nb\r\n\0"]),
            [piece("a", false), piece("", false), piece("b\r", false), piece("\0", false)]
        );
        assert_eq!(cut(8, &[b"12345678\n"]), [piece("12345678", false)], "exactly the longest: not cut");
        assert_eq!(
            cut(8, &[b"123456789\nx"]),
            [piece("12345678", false), piece("9", true), piece("x", false)]
        );
        assert_eq!(cut(8, &["1234567é8".as_bytes()]), [piece("1234567", false), piece("é8", true)]);
        assert_eq!(
            cut(8, &[&[0x80; 9]]),
            [(vec![0x80; 8], false), (vec![0x80], true)],
            "not UTF-8: cut at max"
        );
        assert_eq!(cut(8, &[]), []);
    }

    #[test]
    fn stops_when_emit_breaks() {
        let mut splitter = LineSplitter::new(8);
        let mut got = Vec::new();
        let taken = splitter.feed(b"a\nb\nc\n", |text, _| {
            got.push(text.to_vec());
            if got.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((taken, got), (4, vec![b"a".to_vec(), b"b".to_vec()]));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("\n".to_owned()), Just("é".to_owned()), Just("漢字🦀".to_owned()), "[a-z]{0,30}",
                ],
                0..40,
            ),
            cuts in proptest::collection::vec(1usize..9, 1..20),
        ) {
            let all = parts.concat();
            let whole = cut(8, &[all.as_bytes()]);
            let mut chunks = Vec::new();
            let (mut rest, mut sizes) = (all.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(&cut(8, &chunks), &whole);

            // Joined again it equals the input, except for the newline added at the end.
            let mut joined = Vec::new();
            for (i, (text, continued)) in whole.iter().enumerate() {
                prop_assert!(text.len() <= 8);
                prop_assert!(std::str::from_utf8(text).is_ok(), "a sequence was split");
                if i > 0 && !continued {
                    joined.push(b'\n');
                }
                joined.extend_from_slice(text);
            }
            prop_assert_eq!(joined, all.strip_suffix('\n').unwrap_or(&all).as_bytes());
        }
    }
}
