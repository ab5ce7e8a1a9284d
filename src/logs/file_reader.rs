//! Reads log files: the last lines or those since a time, across the rotated files, several modules merged by time.
//! Needs no hub, and only one block of memory for each module, for files of any size.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::file_follower::FileFollower;
use super::file_ops::{self, Seen};
use super::line::{HEAD_LEN, parse};
use super::line_splitter::LineSplitter;
use super::log_entry::{LogEntry, MAX_RAW, ReadError, block_size, parse_piece};
use super::rotate::sibling;
use crate::module::timestamp::Timestamp;

/// Which lines are requested, of every module. Both unset: all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Selection {
    /// Only this many last lines of each module.
    pub(crate) last: Option<usize>,
    /// Only those of this time or later. A line without time has the time of the line before it; without any earlier
    /// time, it is too old.
    pub(crate) since: Option<Timestamp>,
}

/// Opens the current files `paths` (`<short>.log`) and their rotated files. A module without files has no lines.
///
/// # Errors
/// A file exists and cannot be opened or read.
pub(crate) fn open(paths: &[PathBuf], selection: Selection) -> Result<Entries, ReadError> {
    let open_one = |(source, path): (usize, &PathBuf)| {
        ModuleLines::open(source, path, selection)
            .map_err(|error| ReadError { path: path.clone(), source: error })
    };
    let sources = paths.iter().enumerate().map(open_one).collect::<Result<_, _>>()?;
    Ok(Entries { sources })
}

/// The requested lines, oldest first, as an iterator. Lines written after [`open`] are not part of it: see
/// [`Self::followers`].
#[derive(Debug)]
pub(crate) struct Entries {
    sources: Vec<ModuleLines>,
}

impl Entries {
    /// Followers that continue every module's file exactly where these lines end, in the order of the paths.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn followers(&self) -> Result<Vec<FileFollower>, ReadError> {
        let tail = |lines: &ModuleLines| {
            let held = lines.newest.as_ref().map(|(file, seen)| Ok((file.try_clone()?, *seen))).transpose();
            held.map(|held| FileFollower::new(lines.source, lines.path.clone(), held))
                .map_err(|source| ReadError { path: lines.path.clone(), source })
        };
        self.sources.iter().map(tail).collect()
    }
}

impl Iterator for Entries {
    type Item = Result<LogEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        for lines in &mut self.sources {
            if let Err(source) = lines.fill() {
                lines.segments.clear();
                return Some(Err(ReadError { path: lines.path.clone(), source }));
            }
        }
        // Of equal times, the line of the first module. A line without time stays with the one before it.
        let head = |lines: &ModuleLines| lines.ready.front().map(|(time, _)| *time);
        let (_, first) = (0..self.sources.len()).filter_map(|i| Some((head(&self.sources[i])?, i))).min()?;
        self.sources[first].ready.pop_front().map(|(_, entry)| Ok(entry))
    }
}

/// One module's lines, oldest first.
#[derive(Debug)]
struct ModuleLines {
    source: usize,
    path: PathBuf,
    since: Option<Timestamp>,
    /// The parts still to be read, oldest file first.
    segments: VecDeque<Segment>,
    /// The newest file, for [`Entries::followers`].
    newest: Option<(File, Seen)>,
    splitter: LineSplitter,
    /// Time of the last line that had one.
    time: Option<Timestamp>,
    /// Lines of the last block, each with the time by which it is merged.
    ready: VecDeque<(Option<Timestamp>, LogEntry)>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    at: u64,
    /// Its length when it was opened: a follower reads later data.
    end: u64,
}

impl ModuleLines {
    fn open(source: usize, path: &Path, selection: Selection) -> io::Result<Self> {
        let mut segments: VecDeque<Segment> = VecDeque::new();
        let mut newest: Option<(File, Seen)> = None;
        let mut last: Option<Seen> = None;
        // The current file may be missing for a moment; the first missing number after it is the end.
        for n in 0.. {
            let Some(file) = file_ops::open_read(&sibling(path, n))? else {
                if n == 0 { continue } else { break }
            };
            let seen = file_ops::look_at(&file)?;
            // Rotated between two opens: the same file again, under its next name.
            if last.replace(seen).is_some_and(|last| last.id == seen.id) {
                continue;
            }
            if newest.is_none() {
                newest = Some((file.try_clone()?, seen));
            }
            segments.push_front(Segment { file, at: 0, end: seen.len });
        }
        if let Some(since) = selection.since {
            skip_older(&mut segments, since)?;
        }
        let mut time = None;
        if let Some(last) = selection.last {
            skip_to_last(&mut segments, last)?;
            time = segments.front().map_or(Ok(None), time_before)?;
        }
        let (path, splitter) = (path.to_owned(), LineSplitter::new(MAX_RAW));
        let ready = VecDeque::new();
        Ok(Self { source, path, since: selection.since, segments, newest, splitter, time, ready })
    }

    /// Reads until a line is ready, or all is read.
    fn fill(&mut self) -> io::Result<()> {
        let mut block = Vec::new();
        while self.ready.is_empty() {
            let Some(segment) = self.segments.front_mut() else { return Ok(()) };
            block.resize(block_size(segment.end - segment.at), 0);
            let read = file_ops::read_at(&segment.file, &mut block, segment.at)?;
            segment.at += read as u64;
            let (source, since) = (self.source, self.since);
            let (time, ready) = (&mut self.time, &mut self.ready);
            let mut keep = |raw: &[u8], continued: bool| {
                let stored = parse_piece(raw, continued);
                *time = stored.at.or(*time);
                if since.is_none_or(|since| time.is_some_and(|time| time >= since)) {
                    ready.push_back((*time, LogEntry::of(source, &stored)));
                }
            };
            self.splitter.feed(&block[..read], |raw, continued| {
                keep(raw, continued);
                ControlFlow::Continue(())
            });
            if read == 0 {
                self.splitter.finish(&mut keep);
                self.segments.pop_front();
            }
        }
        Ok(())
    }
}

/// Drops files that end before `since`: the next one begins no later than that.
fn skip_older(segments: &mut VecDeque<Segment>, since: Timestamp) -> io::Result<()> {
    for newer in (1..segments.len()).rev() {
        let mut head = [0; HEAD_LEN];
        let read = file_ops::read_at(&segments[newer].file, &mut head, 0)?;
        if parse(&head[..read]).at.is_some_and(|at| at <= since) {
            segments.drain(..newer);
            break;
        }
    }
    Ok(())
}

/// Moves the start to the last `lines` lines.
fn skip_to_last(segments: &mut VecDeque<Segment>, lines: usize) -> io::Result<()> {
    let mut left = lines;
    let mut keep = segments.len();
    while left > 0 && keep > 0 {
        keep -= 1;
        let segment = &mut segments[keep];
        let read = |buf: &mut [u8], at| file_ops::read_at(&segment.file, buf, at);
        (segment.at, left) = last_lines(segment.end, left, read)?;
    }
    segments.drain(..keep);
    if lines == 0 {
        segments.clear();
    }
    Ok(())
}

/// Time of the line before the start, for a first line without time. At most one block is searched.
fn time_before(segment: &Segment) -> io::Result<Option<Timestamp>> {
    let mut block = vec![0; block_size(segment.at)];
    let start = segment.at - block.len() as u64;
    let read = file_ops::read_at(&segment.file, &mut block, start)?;
    Ok(block[..read].rsplit(|byte| *byte == b'\n').find_map(|raw| parse(raw).at))
}

/// Where the last `lines` lines of `len` bytes begin, read backwards block by block; and how many are missing.
fn last_lines(
    len: u64,
    lines: usize,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<(u64, usize)> {
    let (mut end, mut left) = (len, lines);
    let mut block = Vec::new();
    while end > 0 {
        block.resize(block_size(end), 0);
        let start = end - block.len() as u64;
        let got = read(&mut block, start)?;
        for newline in memchr::memrchr_iter(b'\n', &block[..got]) {
            let after = start + newline as u64 + 1;
            // The newline at the end terminates the last line; it starts none.
            if after < len {
                left -= 1;
                if left == 0 {
                    return Ok((after, 0));
                }
            }
        }
        end = start;
    }
    // The first line has no newline before it.
    Ok((0, left.saturating_sub(usize::from(len > 0))))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test: writes the log files it reads")]
mod tests {
    use super::*;
    use crate::logs::line::{Stream, head};
    use proptest::prelude::*;
    use std::fs;

    fn texts(entries: Entries) -> Vec<String> {
        entries.map(|e| String::from_utf8(e.unwrap().text).unwrap()).collect()
    }

    fn line(at: u64, text: &str) -> String {
        format!("{}{text}\n", String::from_utf8(head(Timestamp(at), Stream::Out, false).to_vec()).unwrap())
    }

    #[test]
    fn across_rotated_files_and_lines_of_the_detached_hub() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        fs::write(sibling(&path, 2), "detached 1\ndetached 2\n").unwrap();
        fs::write(sibling(&path, 1), line(10, "a") + &line(20, "b") + "raw\n").unwrap();
        fs::write(&path, line(30, "c") + "torn").unwrap();
        let selection = |last, since: Option<u64>| {
            texts(open(std::slice::from_ref(&path), Selection { last, since: since.map(Timestamp) }).unwrap())
        };
        let all = ["detached 1", "detached 2", "a", "b", "raw", "c", "torn"];
        assert_eq!(selection(None, None), all);
        for n in 0..9 {
            assert_eq!(selection(Some(n), None), all[all.len().saturating_sub(n)..], "the last {n}");
        }
        assert_eq!(selection(None, Some(20)), ["b", "raw", "c", "torn"]);
        assert_eq!(selection(None, Some(30)), ["c", "torn"]);
        assert_eq!(selection(Some(1), Some(5)), ["torn"]);
        assert_eq!(selection(None, Some(31)), [""; 0]);
        assert_eq!(texts(open(&[dir.path().join("none.log")], Selection::default()).unwrap()), [""; 0]);
    }

    #[test]
    fn modules_are_merged_by_time() {
        let dir = tempfile::tempdir().unwrap();
        let paths = [dir.path().join("a.log"), dir.path().join("b.log")];
        fs::write(&paths[0], line(10, "a10") + "a raw\n" + &line(30, "a30")).unwrap();
        fs::write(&paths[1], line(10, "b10") + &line(20, "b20") + &line(40, "b40")).unwrap();
        let entries = open(&paths, Selection::default()).unwrap();
        assert_eq!(texts(entries), ["a10", "a raw", "b10", "b20", "a30", "b40"]);
    }

    #[test]
    fn a_huge_line_comes_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        fs::write(&path, [vec![b'x'; 3 * MAX_RAW + 1], b"\nlast\n".to_vec()].concat()).unwrap();
        let got: Vec<LogEntry> = open(std::slice::from_ref(&path), Selection { last: Some(2), since: None })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            got.iter().map(|e| (e.text.len(), e.continued)).collect::<Vec<_>>(),
            [(MAX_RAW, false), (MAX_RAW, true), (MAX_RAW, true), (1, true), (4, false)]
        );
    }

    proptest! {
        #[test]
        fn reading_backwards_equals_reading_forwards(
            text in "[ab\n]{0,60}", lines in 1usize..12,
        ) {
            let read = |buf: &mut [u8], at: u64| {
                buf.copy_from_slice(&text.as_bytes()[at as usize..at as usize + buf.len()]);
                Ok(buf.len())
            };
            let (at, missing) = last_lines(text.len() as u64, lines, read).unwrap();
            let all: Vec<&str> = text.split_inclusive('\n').collect();
            let want = &all[all.len().saturating_sub(lines)..];
            prop_assert_eq!(&text[at as usize..], want.concat());
            prop_assert_eq!(missing, lines.saturating_sub(all.len()));
        }
    }
}
