//! A log file that is limited by rotation, and survives a failing disk and a removed file.
//!
//! `x.log` is the current file; before a write would exceed the limit it becomes `x.log.1`, that one `x.log.2`,
//! and so on; the last one is removed. Only the logs thread runs this code.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file_ops::{self, FileId};
use crate::module::launch::LogLimits;

/// How often the path is checked: the file may have been moved or removed.
const LOOK: Duration = Duration::from_secs(1);

/// Pause between two attempts after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The current file `x.log` and its rotated files.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    slot: Slot,
}

#[derive(Debug)]
enum Slot {
    Closed,
    Open(Open),
    /// A write failed: this many lines are missing since, and the next attempt is at `retry`.
    Failing {
        retry: Instant,
        missing: u64,
    },
}

#[derive(Debug)]
struct Open {
    file: File,
    id: FileId,
    len: u64,
    /// When its path was last checked.
    looked: Instant,
    /// Its last line was incomplete when it was opened, because of an interrupted write: a newline comes first.
    torn: bool,
}

/// What the caller must report about a write.
#[derive(Debug)]
#[must_use]
pub(crate) enum AppendOutcome {
    /// Nothing new.
    Quiet,
    /// From now on the file cannot be written; reported once.
    Failed(io::Error),
    /// It can be written again; this many lines are missing in it.
    Recovered(u64),
}

impl LogFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, slot: Slot::Closed }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends complete lines. Never fails: lines that cannot be written are counted, and the failure reported once.
    pub(crate) fn append(&mut self, lines: &[u8], limits: LogLimits, now: Instant) -> AppendOutcome {
        let missing = match self.slot {
            Slot::Failing { retry, ref mut missing } if now < retry => {
                *missing += count(lines);
                return AppendOutcome::Quiet;
            }
            Slot::Failing { missing, .. } => Some(missing),
            Slot::Closed | Slot::Open(_) => None,
        };
        let mut rest = lines;
        match (self.write(&mut rest, limits, now), missing) {
            (Ok(()), None) => AppendOutcome::Quiet,
            (Ok(()), Some(missing)) => AppendOutcome::Recovered(missing),
            (Err(error), before) => {
                let missing = before.unwrap_or(0) + count(rest);
                self.slot = Slot::Failing { retry: now + RETRY, missing };
                if before.is_none() { AppendOutcome::Failed(error) } else { AppendOutcome::Quiet }
            }
        }
    }

    fn write(&mut self, rest: &mut &[u8], limits: LogLimits, now: Instant) -> io::Result<()> {
        while !rest.is_empty() {
            let open = self.open(now)?;
            let room = limits.max_bytes.saturating_sub(open.len + u64::from(open.torn));
            let fits = whole_lines(rest, room);
            if fits == 0 && open.len > 0 {
                self.slot = Slot::Closed;
                rotate(&self.path, limits.keep)?;
                continue;
            }
            if open.torn {
                open.file.write_all(b"\n")?;
                open.len += 1;
            }
            // A line longer than a whole file gets its own file.
            let piece = if fits == 0 { one_line(rest) } else { fits };
            let (written, outcome) = put(&open.file, &rest[..piece]);
            open.len += written as u64;
            open.torn = false;
            *rest = &rest[written..];
            outcome?;
        }
        Ok(())
    }

    /// The current file, opened if necessary, and still at its path.
    fn open(&mut self, now: Instant) -> io::Result<&mut Open> {
        if let Slot::Open(open) = &mut self.slot
            && now.saturating_duration_since(open.looked) >= LOOK
        {
            match file_ops::look(&self.path)? {
                Some(seen) if seen.id == open.id => (open.looked, open.len) = (now, seen.len),
                _ => self.slot = Slot::Closed,
            }
        }
        if !matches!(self.slot, Slot::Open(_)) {
            let file = file_ops::open_append(&self.path)?;
            let seen = file_ops::look_at(&file)?;
            let mut last = [b'\n'];
            let torn =
                seen.len > 0 && file_ops::read_at(&file, &mut last, seen.len - 1)? == 1 && last != *b"\n";
            self.slot = Slot::Open(Open { file, id: seen.id, len: seen.len, looked: now, torn });
        }
        match &mut self.slot {
            Slot::Open(open) => Ok(open),
            Slot::Closed | Slot::Failing { .. } => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Writes all of `bytes`, or returns how many were written.
fn put(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match file.write(&bytes[done..]) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

/// How many bytes of complete lines fit into `room`.
fn whole_lines(lines: &[u8], room: u64) -> usize {
    match usize::try_from(room) {
        Ok(room) if room < lines.len() => memchr::memrchr(b'\n', &lines[..room]).map_or(0, |end| end + 1),
        _ => lines.len(),
    }
}

fn one_line(lines: &[u8]) -> usize {
    memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1)
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// `x.log` → `x.log.<n>`; 0 is the current file.
pub(crate) fn sibling(path: &Path, n: u32) -> PathBuf {
    let mut name = OsString::from(path);
    if n > 0 {
        name.push(format!(".{n}"));
    }
    PathBuf::from(name)
}

/// Renames every file to the next number; files beyond `keep` (the current file included) are removed.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    let last = keep.max(1) - 1;
    // `keep` may have been larger before: the files beyond it have consecutive numbers.
    let mut surplus = last.max(1);
    while file_ops::remove(&sibling(path, surplus))? {
        surplus += 1;
    }
    if last == 0 {
        file_ops::remove(path)?;
    }
    for n in (0..last).rev() {
        file_ops::rename(&sibling(path, n), &sibling(path, n + 1))?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test: looks at and disturbs real files in a temp directory")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    const ROOMY: LogLimits = LogLimits { max_bytes: 1 << 20, keep: 3 };

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn each_file_is_renamed_and_the_oldest_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs").join("v.log");
        let (mut log, now) = (LogFile::new(path.clone()), Instant::now());
        let limits = LogLimits { max_bytes: 8, keep: 3 };
        for line in ["aaaa\n", "bb\n", "c\n", "a line longer than a file\n", "d\ne\n", "ffffff\n"] {
            assert!(matches!(log.append(line.as_bytes(), limits, now), AppendOutcome::Quiet));
        }
        assert_eq!(text(&path), "ffffff\n");
        assert_eq!(text(&sibling(&path, 1)), "d\ne\n");
        assert_eq!(text(&sibling(&path, 2)), "a line longer than a file\n");
        assert!(!sibling(&path, 3).exists());

        // From now on fewer files are kept.
        assert!(matches!(
            log.append(b"ggg\n", LogLimits { max_bytes: 8, keep: 1 }, now),
            AppendOutcome::Quiet
        ));
        assert_eq!(text(&path), "ggg\n");
        assert!(!sibling(&path, 1).exists() && !sibling(&path, 2).exists());
    }

    #[test]
    fn a_removed_file_is_created_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs").join("v.log");
        let (mut log, now) = (LogFile::new(path.clone()), Instant::now());
        let _ = log.append(b"one\n", ROOMY, now);
        fs::remove_dir_all(dir.path().join("logs")).unwrap();
        let _ = log.append(b"gone\n", ROOMY, now);
        assert!(!path.exists(), "its path is checked once a second only");
        assert!(matches!(log.append(b"two\n", ROOMY, now + LOOK), AppendOutcome::Quiet));
        assert_eq!(text(&path), "two\n");
    }

    #[test]
    fn a_path_that_cannot_be_written_is_reported_once_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        fs::create_dir(&path).unwrap();
        let (mut log, now) = (LogFile::new(path.clone()), Instant::now());
        assert!(matches!(log.append(b"a\nb\n", ROOMY, now), AppendOutcome::Failed(_)));
        assert!(matches!(log.append(b"c\n", ROOMY, now), AppendOutcome::Quiet));
        assert!(matches!(log.append(b"d\n", ROOMY, now + RETRY), AppendOutcome::Quiet));
        fs::remove_dir(&path).unwrap();
        assert!(
            matches!(log.append(b"e\n", ROOMY, now + RETRY), AppendOutcome::Quiet),
            "not before its time"
        );
        assert!(matches!(log.append(b"f\n", ROOMY, now + 2 * RETRY), AppendOutcome::Recovered(5)));
        assert_eq!(text(&path), "f\n");
    }

    #[test]
    fn an_incomplete_last_line_is_ended_with_a_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.log");
        fs::write(&path, "half a li").unwrap();
        let mut log = LogFile::new(path.clone());
        let _ = log.append(b"whole\n", ROOMY, Instant::now());
        assert_eq!(text(&path), "half a li\nwhole\n");
    }

    proptest! {
        /// Read from the oldest to the newest, the files are the tail of the written lines; none exceeds the limit.
        #[test]
        fn rotation_keeps_a_tail(
            batches in proptest::collection::vec(proptest::collection::vec(0usize..10, 1..6), 1..12),
            max_bytes in 11u64..40,
            keep in 1u32..4,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("v.log");
            let (mut log, now) = (LogFile::new(path.clone()), Instant::now());
            let (mut all, mut n) = (String::new(), 0u8);
            for batch in batches {
                let mut lines = String::new();
                for len in batch {
                    lines.extend(std::iter::repeat_n(char::from(b'a' + n % 26), len));
                    lines.push('\n');
                    n += 1;
                }
                let report = log.append(lines.as_bytes(), LogLimits { max_bytes, keep }, now);
                prop_assert!(matches!(report, AppendOutcome::Quiet), "{report:?}");
                all.push_str(&lines);
            }
            let mut kept = String::new();
            for i in (0..keep).rev().map(|n| sibling(&path, n)).filter(|p| p.exists()) {
                prop_assert!(fs::metadata(&i).unwrap().len() <= max_bytes);
                kept.push_str(&text(&i));
            }
            prop_assert!(all.ends_with(&kept) && !kept.is_empty());
            prop_assert!(kept.len() == all.len() || sibling(&path, keep - 1).exists());
            prop_assert!(!sibling(&path, keep).exists());
        }
    }
}
