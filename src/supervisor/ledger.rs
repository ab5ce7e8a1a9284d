//! The running children of this hub, and the crashes that count, on disk for the next hub.
//!
//! JSON lines, appended with one `write` each and not synced: the ledger has to survive a killed hub, not a power
//! cut (after a reboot none of its processes can be alive). It is compacted at every start and when it grows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::home::fs;
use crate::module::name::Short;
use crate::module::timestamp::Timestamp;
use crate::process::id::ProcessId;

/// The file is compacted when it passes this many bytes.
const COMPACT_AT: u64 = 256 * 1024;
/// A file larger than this is not a ledger of ours.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(super) enum Entry {
    /// A run began.
    Born {
        short: Short,
        /// As in the environment mark.
        incarnation: String,
        /// Its leader, which is also its process group.
        leader: ProcessId,
        /// What the next hub needs to adopt it. Earlier versions recorded none.
        #[serde(flatten)]
        facts: RunFacts,
    },
    /// No process of that run is left.
    Gone { short: Short, incarnation: String },
    /// The crashes that count, oldest first. Replaces the entry before.
    Crashes { short: Short, at: Vec<Timestamp> },
}

/// Facts about a run by which the next hub decides whether to adopt it. Each may be missing: then it is not adopted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunFacts {
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    /// [`Launch::fingerprint`](crate::module::launch::Launch::fingerprint) of the start, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) definition: Option<String>,
    /// Inodes of the FIFOs that are its standard output and error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outputs: Option<[u64; 2]>,
    /// Inode of a pidfd of the leader, which no other process of this boot has (Linux 6.9 and newer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pidfd: Option<u64>,
    /// Whether it was born in a cgroup of its module.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) cgroup: bool,
}

/// A run whose end is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenRun {
    /// Its mark.
    pub(super) incarnation: String,
    pub(super) leader: ProcessId,
    pub(super) facts: RunFacts,
}

/// The sum of all lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    open: BTreeMap<Short, Vec<OpenRun>>,
    crashes: BTreeMap<Short, Vec<Timestamp>>,
    /// Lines that could not be read. An incomplete last line is one; more mean that another program wrote to this file.
    pub unreadable: usize,
}

impl Book {
    /// Adds up a file's bytes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut book = Self::default();
        for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(entry) => book.apply(&entry),
                Err(_) => book.unreadable += 1,
            }
        }
        book
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Born { short, incarnation, leader, facts } => {
                let (incarnation, leader, facts) = (incarnation.clone(), leader.clone(), facts.clone());
                let runs = self.open.entry(short.clone()).or_default();
                // A hub that adopts a run records it again.
                runs.retain(|run| run.incarnation != incarnation);
                runs.push(OpenRun { incarnation, leader, facts });
            }
            Entry::Gone { short, incarnation } => {
                if let Some(runs) = self.open.get_mut(short) {
                    runs.retain(|run| run.incarnation != *incarnation);
                    if runs.is_empty() {
                        self.open.remove(short);
                    }
                }
            }
            Entry::Crashes { short, at } if at.is_empty() => {
                self.crashes.remove(short);
            }
            Entry::Crashes { short, at } => {
                self.crashes.insert(short.clone(), at.clone());
            }
        }
    }

    /// Runs of a module whose end is not recorded.
    #[must_use]
    pub(super) fn open(&self, short: &Short) -> &[OpenRun] {
        self.open.get(short).map_or(&[], Vec::as_slice)
    }

    /// Modules with such runs.
    pub(super) fn open_modules(&self) -> impl Iterator<Item = &Short> {
        self.open.keys()
    }

    /// Crashes of a module that still counted.
    #[must_use]
    pub(super) fn crashes(&self, short: &Short) -> &[Timestamp] {
        self.crashes.get(short).map_or(&[], Vec::as_slice)
    }

    /// The fewest lines that add up to the same.
    #[must_use]
    pub fn lines(&self) -> Vec<u8> {
        let born = self.open.iter().flat_map(|(short, runs)| {
            runs.iter().map(|run| Entry::Born {
                short: short.clone(),
                incarnation: run.incarnation.clone(),
                leader: run.leader.clone(),
                facts: run.facts.clone(),
            })
        });
        let crashes =
            self.crashes.iter().map(|(short, at)| Entry::Crashes { short: short.clone(), at: at.clone() });
        born.chain(crashes).flat_map(|entry| line(&entry)).collect()
    }
}

fn line(entry: &Entry) -> Vec<u8> {
    // Entries hold only strings, numbers and lists of them: they always serialise.
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The open file and the sum of its lines.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
    bytes: u64,
    book: Book,
}

impl Ledger {
    /// Reads the last hub's ledger, compacts it and continues it.
    ///
    /// # Errors
    /// The file cannot be read or written: without it a killed hub would leave orphans, so the caller must not
    /// go on.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let bytes = fs::read_if_there(&path, MAX_BYTES).map_err(io::Error::other)?.unwrap_or_default();
        let book = Book::parse(&bytes);
        let lines = book.lines();
        fs::put_unsynced(&path, fs::PRIVATE, &lines).map_err(io::Error::other)?;
        let file = fs::open_append(&path).map_err(io::Error::other)?;
        Ok(Self { path, file, bytes: lines.len() as u64, book })
    }

    /// The sum of all entries so far.
    #[must_use]
    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// Appends one entry.
    ///
    /// # Errors
    /// The disk refuses. The sum in memory has the entry all the same.
    pub(super) fn record(&mut self, entry: &Entry) -> io::Result<()> {
        self.book.apply(entry);
        if self.bytes > COMPACT_AT {
            let lines = self.book.lines();
            fs::put_unsynced(&self.path, fs::PRIVATE, &lines).map_err(io::Error::other)?;
            self.file = fs::open_append(&self.path).map_err(io::Error::other)?;
            self.bytes = lines.len() as u64;
            return Ok(());
        }
        let line = line(entry);
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// A run that a hub began, and whose end no hub recorded. For the command line, while no hub runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The module.
    pub(crate) short: Short,
    /// Its mark.
    pub(crate) incarnation: String,
    /// Its leader, which may have ended since.
    pub(crate) leader: ProcessId,
}

/// Those of this ledger. It is not changed.
///
/// # Errors
/// It cannot be read.
pub(crate) fn recorded(path: &Path) -> io::Result<Vec<Recorded>> {
    let bytes = fs::read_if_there(path, MAX_BYTES).map_err(io::Error::other)?.unwrap_or_default();
    let book = Book::parse(&bytes);
    let all = book.open.into_iter().flat_map(|(short, runs)| {
        runs.into_iter().map(move |OpenRun { incarnation, leader, .. }| Recorded {
            short: short.clone(),
            incarnation,
            leader,
        })
    });
    Ok(all.collect())
}

/// Records that no process of these runs is left, as a hub would. The caller holds the lock of the hub.
///
/// # Errors
/// It cannot be written.
pub(crate) fn record_ends(path: &Path, ended: &[Recorded]) -> io::Result<()> {
    let gone = ended
        .iter()
        .map(|run| Entry::Gone { short: run.short.clone(), incarnation: run.incarnation.clone() });
    // The last line may be incomplete: a hub was killed while it wrote it.
    let lines: Vec<u8> = std::iter::once(b'\n').chain(gone.flat_map(|entry| line(&entry))).collect();
    fs::open_append(path).map_err(io::Error::other)?.write_all(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::{BootId, Started};

    fn born(short: &str, n: u32) -> Entry {
        let leader = ProcessId { pid: 100 + n, started: Started(7), boot: BootId("b".to_owned()) };
        let facts = RunFacts { at: Some(Timestamp(1)), outputs: Some([1, 2]), ..RunFacts::default() };
        Entry::Born { short: Short::new(short).unwrap(), incarnation: format!("hub:{n}"), leader, facts }
    }

    fn gone(short: &str, n: u32) -> Entry {
        Entry::Gone { short: Short::new(short).unwrap(), incarnation: format!("hub:{n}") }
    }

    #[test]
    fn open_runs_are_those_without_a_recorded_end() {
        let mut bytes = Vec::new();
        for entry in [born("vault", 1), born("notes", 2), gone("vault", 1), born("vault", 3)] {
            bytes.extend(line(&entry));
        }
        bytes.extend_from_slice(b"{\"entry\":\"born\",\"sho"); // cut short by a kill
        let book = Book::parse(&bytes);
        let vault = Short::new("vault").unwrap();
        assert_eq!(book.open(&vault).iter().map(|o| o.incarnation.as_str()).collect::<Vec<_>>(), ["hub:3"]);
        assert_eq!(book.open_modules().count(), 2);
        assert_eq!(book.unreadable, 1);
        let again = Book::parse(&book.lines());
        assert_eq!(again, Book { unreadable: 0, ..book }, "compaction loses nothing");
        let mut adopted = again.clone();
        adopted.apply(&born("vault", 3));
        assert_eq!(adopted, again, "recorded again it is the same run");
    }

    #[test]
    fn an_end_is_recorded_without_a_hub_after_a_line_that_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        let mut bytes: Vec<u8> =
            [born("vault", 1), born("vault", 2), born("notes", 3)].iter().flat_map(line).collect();
        bytes.extend_from_slice(b"{\"entry\":\"go");
        fs::put(&path, 0o600, &bytes).unwrap();
        let all = recorded(&path).unwrap();
        assert_eq!(all.len(), 3);
        let vault: Vec<Recorded> = all.into_iter().filter(|run| run.short.as_str() == "vault").collect();
        record_ends(&path, &vault).unwrap();
        let left = recorded(&path).unwrap();
        assert_eq!(left.iter().map(|run| run.incarnation.as_str()).collect::<Vec<_>>(), ["hub:3"]);
        assert_eq!(recorded(&dir.path().join("none")).unwrap(), []);
    }

    #[test]
    fn crashes_are_replaced_and_forgiven() {
        let short = Short::new("vault").unwrap();
        let mut book = Book::default();
        book.apply(&Entry::Crashes { short: short.clone(), at: vec![Timestamp(1), Timestamp(2)] });
        assert_eq!(book.crashes(&short), [Timestamp(1), Timestamp(2)]);
        book.apply(&Entry::Crashes { short: short.clone(), at: vec![] });
        assert_eq!(book, Book::default());
    }

    #[test]
    fn compatibility_with_lines_of_the_first_version() {
        let lines = br#"{"entry":"born","short":"vault","incarnation":"9f3c:1","leader":{"pid":4711,"started":123456,"boot":"5e0c"}}
{"entry":"crashes","short":"vault","at":["2026-03-01T10:04:09.120Z"]}
"#;
        let book = Book::parse(lines);
        assert_eq!(book.unreadable, 0);
        let vault = Short::new("vault").unwrap();
        assert_eq!(book.open(&vault)[0].leader.pid, 4711);
        assert_eq!(book.open(&vault)[0].facts, RunFacts::default());
        assert_eq!(book.crashes(&vault), [Timestamp(1_772_359_449_120)]);
    }
}
