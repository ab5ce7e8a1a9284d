//! Following a log file as it grows, is rotated, removed or made anew, for when there is no hub to ask.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::file_ops::{self, FileId, Seen};
use super::line_splitter::LineSplitter;
use super::log_entry::{LogEntry, MAX_RAW, ReadError, block_size, stored};
use super::rotate::sibling;

/// One file that is followed. Ask it again and again; the caller chooses the pace.
#[derive(Debug)]
pub struct FileFollower {
    source: usize,
    path: PathBuf,
    held: Option<Held>,
    cutter: LineSplitter,
}

/// The file that is being read, whatever its name is by now.
#[derive(Debug)]
struct Held {
    file: File,
    id: FileId,
    at: u64,
}

/// What to do next, from what is known of the file that is held and of the one that bears the name.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
enum Step {
    /// Nothing new.
    Wait,
    /// Read this many bytes more of the held file.
    Read(u64),
    /// It was cut short in place: read it from the beginning.
    Rewind,
    /// Its name went to another file, and it is read to its end: go on with the one that came after it.
    Next,
}

fn step(held: Option<(FileId, u64)>, held_len: u64, place: Option<Seen>) -> Step {
    match (held, place) {
        (Some((_, at)), _) if held_len > at => Step::Read(held_len - at),
        (Some((_, at)), _) if held_len < at => Step::Rewind,
        (Some((id, _)), Some(seen)) if seen.id != id => Step::Next,
        (None, Some(_)) => Step::Next,
        (_, None) | (Some(_), Some(_)) => Step::Wait,
    }
}

impl FileFollower {
    /// Goes on after `held`, or from the beginning of a file that is not there yet.
    pub(crate) fn new(source: usize, path: PathBuf, held: Option<(File, Seen)>) -> Self {
        let held = held.map(|(file, seen)| Held { file, id: seen.id, at: seen.len });
        Self { source, path, held, cutter: LineSplitter::new(MAX_RAW) }
    }

    /// Lines that came since the last call, about a block of them. Empty: nothing new for now.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn poll(&mut self) -> Result<Vec<LogEntry>, ReadError> {
        self.advance().map_err(|source| ReadError { path: self.path.clone(), source })
    }

    fn advance(&mut self) -> io::Result<Vec<LogEntry>> {
        let mut entries = Vec::new();
        while entries.is_empty() {
            // The name first: a file that lost its name gets no more lines, so its length is final then.
            let place = file_ops::look(&self.path)?;
            let held_len = match &self.held {
                Some(held) => file_ops::look_at(&held.file)?.len,
                None => 0,
            };
            match step(self.held.as_ref().map(|held| (held.id, held.at)), held_len, place) {
                Step::Wait => break,
                Step::Read(more) => {
                    if !self.read(more, &mut entries)? {
                        break;
                    }
                }
                Step::Rewind => {
                    self.flush(&mut entries);
                    if let Some(held) = &mut self.held {
                        held.at = 0;
                    }
                }
                Step::Next => {
                    self.flush(&mut entries);
                    let file = self.after_held()?;
                    let Some(file) = file else { break };
                    let id = file_ops::look_at(&file)?.id;
                    self.held = Some(Held { file, id, at: 0 });
                }
            }
        }
        Ok(entries)
    }

    /// The file that was begun after the held one: its neighbour, or the live one if it is gone altogether.
    fn after_held(&self) -> io::Result<Option<File>> {
        let mut n = 1;
        while let (Some(held), Some(seen)) = (&self.held, file_ops::look(&sibling(&self.path, n))?) {
            if seen.id == held.id {
                return file_ops::open_read(&sibling(&self.path, n - 1));
            }
            n += 1;
        }
        file_ops::open_read(&self.path)
    }

    /// `false`: there was nothing to read after all.
    fn read(&mut self, more: u64, entries: &mut Vec<LogEntry>) -> io::Result<bool> {
        let Some(held) = &mut self.held else { return Ok(false) };
        let mut block = vec![0; block_size(more)];
        let read = file_ops::read_at(&held.file, &mut block, held.at)?;
        held.at += read as u64;
        let source = self.source;
        self.cutter.feed(&block[..read], |raw, continued| {
            entries.push(LogEntry::of(source, &stored(raw, continued)));
            ControlFlow::Continue(())
        });
        Ok(read > 0)
    }

    fn flush(&mut self, entries: &mut Vec<LogEntry>) {
        let source = self.source;
        self.cutter.finish(|raw, continued| entries.push(LogEntry::of(source, &stored(raw, continued))));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test: grows, rotates and removes the file it follows")]
mod tests {
    use super::*;
    use crate::logs::file_reader::{Selection, open};
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
        let entries = open(std::slice::from_ref(&path), Selection::default()).unwrap();
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
        append(&path, "anew\n");
        assert_eq!(all(&mut tail), ["anew"]);
    }

    #[test]
    fn a_file_that_comes_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        let entries = open(std::slice::from_ref(&path), Selection::default()).unwrap();
        let mut tail = entries.followers().unwrap().remove(0);
        assert_eq!(all(&mut tail), [""; 0]);
        append(&path, "first\n");
        assert_eq!(all(&mut tail), ["first"]);
    }
}
