//! The last lines of one module, limited in bytes. Pure.

use std::collections::VecDeque;

use memchr::{memchr, memrchr};

use super::line::{HEAD_LEN, Line, Stream};
use crate::module::timestamp::Timestamp;

/// Bytes that a ring keeps, index included.
pub(crate) const RING_CAP: usize = 64 * 1024;

/// Bytes that it keeps while it is followed: a short burst must not drop lines for a follower.
pub(crate) const FOLLOWED_CAP: usize = 1024 * 1024;

/// The metadata of a line. The number of the first one and their order give `seq`.
#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    at: Timestamp,
    len: u32,
    stream: Stream,
    continued: bool,
}

/// The cost of an index entry against the cap: it also limits a flood of empty lines.
const ENTRY: usize = size_of::<IndexEntry>();

/// The line with which following a module begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowFrom {
    /// This many lines before the next one.
    Tail(usize),
    /// The line with this number: a client that reconnects names the next one it needs.
    Seq(u64),
    /// The first line that was read at this time or later.
    Since(Timestamp),
}

/// Complete lines, oldest dropped first; the newest one is kept whatever its length. Grows as it is filled.
#[derive(Debug)]
pub(crate) struct Ring {
    cap: usize,
    /// Number of the next line.
    next: u64,
    index: VecDeque<IndexEntry>,
    bytes: VecDeque<u8>,
}

impl Ring {
    pub(crate) fn new() -> Self {
        Self { cap: RING_CAP, next: 0, index: VecDeque::new(), bytes: VecDeque::new() }
    }

    /// Number that the next line will get.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Number of the oldest line that is kept; [`Self::next`] if there is none.
    pub(crate) fn first(&self) -> u64 {
        self.next - self.index.len() as u64
    }

    /// Sets the limit; a lower one drops the oldest lines and frees their memory.
    pub(crate) fn set_cap(&mut self, cap: usize) {
        self.cap = cap;
        self.evict();
        self.bytes.shrink_to(cap);
        self.index.shrink_to(cap / ENTRY);
    }

    /// Adds one line.
    pub(crate) fn push(&mut self, at: Timestamp, stream: Stream, continued: bool, text: &[u8]) {
        // Make room first, so that neither buffer grows past the cap.
        while !self.index.is_empty() && self.used() + ENTRY + text.len() > self.cap {
            self.drop_oldest();
        }
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.make_room(len as usize);
        self.index.push_back(IndexEntry { at, len, stream, continued });
        self.bytes.extend(&text[..len as usize]);
        self.next += 1;
    }

    /// Makes room for this many bytes more, doubling each time, but never past the cap: a buffer that doubles from
    /// the length of its first line would end up half as large again as the cap.
    fn make_room(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let size = needed.next_power_of_two().min(self.cap.max(needed));
            self.bytes.reserve_exact(size - self.bytes.len());
        }
    }

    /// Adds the `lines` lines of `file`, in the format of a log file, all read `at` from `stream`. Only as many of
    /// the last lines are copied as fit; the others still count.
    pub(crate) fn push_file_form(&mut self, at: Timestamp, stream: Stream, file: &[u8], lines: u64) {
        let (mut from, mut kept, mut cost) = (file.len(), 0u64, 0);
        while from > 0 {
            let start = memrchr(b'\n', &file[..from - 1]).map_or(0, |i| i + 1);
            cost += ENTRY + from - 1 - start - HEAD_LEN;
            if kept > 0 && cost > self.cap {
                break;
            }
            (from, kept) = (start, kept + 1);
        }
        if kept < lines {
            self.index.clear();
            self.bytes.clear();
            self.next += lines - kept;
        }
        let mut rest = &file[from..];
        while let Some(end) = memchr(b'\n', rest) {
            self.push(at, stream, rest[HEAD_LEN - 1] == b'+', &rest[HEAD_LEN..end]);
            rest = &rest[end + 1..];
        }
    }

    /// The kept lines from number `from` on, oldest first, at most `lines` of them and about `bytes` of text.
    pub(crate) fn from(&self, from: u64, lines: usize, bytes: usize) -> Vec<Line> {
        let skip = usize::try_from(from.saturating_sub(self.first())).unwrap_or(usize::MAX);
        let skip = skip.min(self.index.len());
        let mut at: usize = self.index.iter().take(skip).map(|e| e.len as usize).sum();
        let (mut got, mut size) = (Vec::new(), 0);
        for (seq, entry) in (self.first() + skip as u64..).zip(self.index.iter().skip(skip).take(lines)) {
            let len = entry.len as usize;
            size += len;
            if size > bytes && !got.is_empty() {
                break;
            }
            let text = self.text(at, len);
            got.push(Line { seq, at: entry.at, stream: entry.stream, continued: entry.continued, text });
            at += len;
        }
        got
    }

    /// Number of the line with which a follower begins.
    pub(crate) fn position(&self, from: FollowFrom) -> u64 {
        match from {
            FollowFrom::Tail(lines) => self.first().max(self.next.saturating_sub(lines as u64)),
            FollowFrom::Seq(seq) => seq.min(self.next),
            FollowFrom::Since(stamp) => self.seq_since(stamp),
        }
    }

    /// Number of the first kept line read at `since` or later.
    fn seq_since(&self, since: Timestamp) -> u64 {
        let older = self.index.iter().position(|e| e.at >= since).unwrap_or(self.index.len());
        self.first() + older as u64
    }

    fn text(&self, at: usize, len: usize) -> Vec<u8> {
        let (a, b) = self.bytes.as_slices();
        let (from, to) = (at.min(a.len()), (at + len).min(a.len()));
        let mut text = Vec::with_capacity(len);
        text.extend_from_slice(&a[from..to]);
        text.extend_from_slice(&b[at.saturating_sub(a.len())..(at + len).saturating_sub(a.len())]);
        text
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.index.len() * ENTRY
    }

    fn evict(&mut self) {
        while self.index.len() > 1 && self.used() > self.cap {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.index.pop_front() {
            self.bytes.drain(..entry.len as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::line::head;
    use proptest::prelude::*;

    fn texts(lines: &[Line]) -> Vec<(u64, String)> {
        lines.iter().map(|l| (l.seq, String::from_utf8(l.text.clone()).unwrap())).collect()
    }

    #[test]
    fn keeps_the_newest_whatever_its_length() {
        let mut ring = Ring::new();
        ring.push(Timestamp(1), Stream::Out, false, b"old");
        ring.push(Timestamp(2), Stream::Out, false, &[b'x'; 2 * RING_CAP]);
        assert_eq!((ring.first(), ring.next()), (1, 2));
        assert_eq!(ring.from(0, 9, usize::MAX)[0].text.len(), 2 * RING_CAP);
        ring.push(Timestamp(3), Stream::Err, false, b"new");
        assert_eq!(texts(&ring.from(0, 9, usize::MAX)), [(2, "new".to_owned())]);
    }

    #[test]
    fn a_window_of_lines() {
        let mut ring = Ring::new();
        for n in 0..5 {
            ring.push(Timestamp(n), Stream::Out, false, format!("{n}").as_bytes());
        }
        let seqs = |lines: Vec<Line>| lines.iter().map(|l| l.seq).collect::<Vec<_>>();
        assert_eq!(seqs(ring.from(3, 9, 99)), [3, 4]);
        assert_eq!(seqs(ring.from(0, 2, 99)), [0, 1]);
        assert_eq!(seqs(ring.from(1, 9, 2)), [1, 2]);
        assert_eq!(seqs(ring.from(7, 9, 99)), [0u64; 0]);
        assert_eq!((ring.seq_since(Timestamp(2)), ring.seq_since(Timestamp(9))), (2, 5));
    }

    proptest! {
        /// A batch equals its lines one by one, memory stays limited, numbers stay contiguous.
        #[test]
        fn a_batch_equals_its_lines_one_by_one(
            batches in proptest::collection::vec(proptest::collection::vec(0usize..60, 1..20), 1..12),
            cap in 100usize..600,
        ) {
            let (mut by_line, mut by_batch) = (Ring::new(), Ring::new());
            by_line.set_cap(cap);
            by_batch.set_cap(cap);
            let mut all = Vec::new();
            for (i, batch) in batches.iter().enumerate() {
                let mut file = Vec::new();
                for (j, len) in batch.iter().enumerate() {
                    let text = vec![b'a' + u8::try_from(j).unwrap(); *len];
                    by_line.push(Timestamp(i as u64), Stream::Err, j % 2 == 1, &text);
                    file.extend_from_slice(&head(Timestamp(i as u64), Stream::Err, j % 2 == 1));
                    file.extend_from_slice(&text);
                    file.push(b'\n');
                    all.push(text);
                }
                by_batch.push_file_form(Timestamp(i as u64), Stream::Err, &file, batch.len() as u64);
            }
            prop_assert_eq!(by_batch.next(), all.len() as u64);
            prop_assert_eq!(by_line.next(), all.len() as u64);
            for ring in [&by_line, &by_batch] {
                prop_assert!(ring.used() <= cap || ring.index.len() == 1);
                prop_assert!(ring.bytes.capacity() <= cap, "no line here is longer");
                let kept = ring.from(0, usize::MAX, usize::MAX);
                prop_assert!(!kept.is_empty());
                for (line, text) in kept.iter().rev().zip(all.iter().rev()) {
                    prop_assert_eq!(&line.text, text);
                }
                let seqs: Vec<u64> = kept.iter().map(|l| l.seq).collect();
                prop_assert_eq!(seqs, (ring.first()..ring.next()).collect::<Vec<_>>());
            }
        }
    }
}
