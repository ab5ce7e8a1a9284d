//! Follows a log file while it grows, is rotated, removed or created again (`tail -F`). It needs no hub.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::file_ops::{self, FileId, Seen};
use super::line_splitter::LineSplitter;
use super::log_entry::{LogEntry, MAX_RAW, ReadError, block_size, parse_piece};
use super::rotate::sibling;

/// Follows one path. The caller polls it as often as needed.
#[derive(Debug)]
pub(crate) struct FileFollower {
    source: usize,
    path: PathBuf,
    open: Option<OpenFile>,
    splitter: LineSplitter,
}

/// The file that is being read, even if its path has changed.
#[derive(Debug)]
struct OpenFile {
    file: File,
    id: FileId,
    at: u64,
}

/// The next action, decided from the open file and from the file that is at the path now.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
enum Step {
    /// Nothing new.
    Wait,
    /// Read this many bytes more of the open file.
    Read(u64),
    /// It was truncated: read it from the beginning.
    Rewind,
    /// Another file is at the path, and the open one is read to its end: open the next one.
    Next,
}

fn step(open: Option<(FileId, u64)>, open_len: u64, place: Option<Seen>) -> Step {
    match (open, place) {
        (Some((_, at)), _) if open_len > at => Step::Read(open_len - at),
        (Some((_, at)), _) if open_len < at => Step::Rewind,
        (Some((id, _)), Some(seen)) if seen.id != id => Step::Next,
        (None, Some(_)) => Step::Next,
        (_, None) | (Some(_), Some(_)) => Step::Wait,
    }
}

impl FileFollower {
    /// Continues at the end of `open`, or at the beginning of a file that does not exist yet.
    pub(crate) fn new(source: usize, path: PathBuf, open: Option<(File, Seen)>) -> Self {
        let open = open.map(|(file, seen)| OpenFile { file, id: seen.id, at: seen.len });
        Self { source, path, open, splitter: LineSplitter::new(MAX_RAW) }
    }

    /// Lines since the last call, about a block of them. Empty: nothing new for now.
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub(crate) fn poll(&mut self) -> Result<Vec<LogEntry>, ReadError> {
        self.advance().map_err(|source| ReadError { path: self.path.clone(), source })
    }

    fn advance(&mut self) -> io::Result<Vec<LogEntry>> {
        let mut entries = Vec::new();
        while entries.is_empty() {
            // The path first: a file that was renamed gets no more lines, so its length is final then.
            let place = file_ops::look(&self.path)?;
            let open_len = match &self.open {
                Some(open) => file_ops::look_at(&open.file)?.len,
                None => 0,
            };
            match step(self.open.as_ref().map(|open| (open.id, open.at)), open_len, place) {
                Step::Wait => break,
                Step::Read(more) => {
                    if !self.read(more, &mut entries)? {
                        break;
                    }
                }
                Step::Rewind => {
                    self.flush(&mut entries);
                    if let Some(open) = &mut self.open {
                        open.at = 0;
                    }
                }
                Step::Next => {
                    self.flush(&mut entries);
                    let file = self.next_file()?;
                    let Some(file) = file else { break };
                    let id = file_ops::look_at(&file)?.id;
                    self.open = Some(OpenFile { file, id, at: 0 });
                }
            }
        }
        Ok(entries)
    }

    /// The file that was created after the open one: the next lower number, or the current file if the open one is
    /// gone.
    fn next_file(&self) -> io::Result<Option<File>> {
        let mut n = 1;
        while let (Some(open), Some(seen)) = (&self.open, file_ops::look(&sibling(&self.path, n))?) {
            if seen.id == open.id {
                return file_ops::open_read(&sibling(&self.path, n - 1));
            }
            n += 1;
        }
        file_ops::open_read(&self.path)
    }

    /// `false`: there was nothing to read.
    fn read(&mut self, more: u64, entries: &mut Vec<LogEntry>) -> io::Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let mut block = vec![0; block_size(more)];
        let read = file_ops::read_at(&open.file, &mut block, open.at)?;
        open.at += read as u64;
        let source = self.source;
        self.splitter.feed(&block[..read], |raw, continued| {
            entries.push(LogEntry::of(source, &parse_piece(raw, continued)));
            ControlFlow::Continue(())
        });
        Ok(read > 0)
    }

    fn flush(&mut self, entries: &mut Vec<LogEntry>) {
        let source = self.source;
        self.splitter
            .finish(|raw, continued| entries.push(LogEntry::of(source, &parse_piece(raw, continued))));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test: grows, rotates and removes the file it follows")]
mod tests {
    use super::*;
    use crate::logs::file_reader::{self, Selection};
    use std::fs;
    use std::io::Write;

    fn append(path: &PathBuf, text: &str) {
        File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn all(tail: &mut FileFollower) -> Vec<String> {
        let mut got = Vec::new();
        loop {
            let entries = tail.poll().unwrap();
            if entries.is_empty() {
                return got;
            }
            got.extend(entries.into_iter().map(|e| String::from_utf8(e.text).unwrap()));
        }
    }

    #[test]
    fn growth_rotation_truncation_removal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        append(&path, "old\n");
        let entries = file_reader::open(std::slice::from_ref(&path), Selection::default()).unwrap();
        append(&path, "after open\n");
        let mut tail = entries.followers().unwrap().remove(0);
        assert_eq!(all(&mut tail), ["after open"], "goes on exactly where the entries end");
        append(&path, "half");
        assert_eq!(all(&mut tail), [""; 0]);
        append(&path, " and half\n");
        assert_eq!(all(&mut tail), ["half and half"]);

        append(&path, "last of the first\n");
        fs::rename(&path, sibling(&path, 2)).unwrap();
        append(&sibling(&path, 1), "whole second\n");
        append(&path, "third\n");
        assert_eq!(all(&mut tail), ["last of the first", "whole second", "third"]);

        fs::write(&path, "cut\n").unwrap();
        assert_eq!(all(&mut tail), ["cut"]);

        fs::remove_file(&path).unwrap();
        assert_eq!(all(&mut tail), [""; 0]);
        append(&path, "again\n");
        assert_eq!(all(&mut tail), ["again"]);
    }

    #[test]
    fn a_file_that_is_created_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        let entries = file_reader::open(std::slice::from_ref(&path), Selection::default()).unwrap();
        let mut tail = entries.followers().unwrap().remove(0);
        assert_eq!(all(&mut tail), [""; 0]);
        append(&path, "first\n");
        assert_eq!(all(&mut tail), ["first"]);
    }
}
