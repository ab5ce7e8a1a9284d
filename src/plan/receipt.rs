//! The receipt: everything of ours that is on this machine, with what was there before. Pure; the file is read and
//! written by [`super::journal`].
//!
//! Plans add up: of each thing the first `before` and the last step count, so that taking the receipt back takes all
//! plans back at once. A thing that is again as it was before us is not in it.
//!
//! A plan that takes over another installation begins a layer: its receipt has that of the other one beneath it. Only the
//! upper one is taken back, which brings the other installation back, and then its receipt counts again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::before::{Before, Dir, Entry, Kept};
use super::content::{Content, Print};
use super::log::Log;
use super::matrix::Mark;
use super::step::{Key, Step};
use super::whole::Verb;
use crate::unit::name::UnitName;

/// The newest version of the format that this program reads: 2 is that of a receipt with another one beneath it.
pub const VERSION: u32 = 2;

/// What was done to this machine, and not taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The oldest version of the format that can hold it.
    pub version: u32,
    /// Version of the program that wrote it last.
    pub program: String,
    /// The plan that was taken in last; a crash between that and the end of its journal is seen by it.
    #[serde(default)]
    pub last: String,
    /// Directories that were made to keep it in, topmost first.
    #[serde(default)]
    pub made: Vec<PathBuf>,
    /// In the order in which they were first done.
    pub records: Vec<Record>,
    /// What was installed before it was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneath: Option<Box<Receipt>>,
}

/// One thing of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was done to it last.
    pub step: Step,
    /// What was there before us.
    pub before: Before,
}

/// Why a receipt cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a later version.
    #[error(
        "it has version {found} of the format (written by parachute {program}), and this program knows {VERSION}"
    )]
    Newer {
        /// Its version.
        found: u32,
        /// Who wrote it.
        program: String,
    },
    /// Not what we write.
    #[error("it is damaged: {because}")]
    Damaged {
        /// What is wrong with it.
        because: String,
    },
}

impl Default for Receipt {
    fn default() -> Self {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let (made, records) = (Vec::new(), Vec::new());
        Self { version: 1, program, last: String::new(), made, records, beneath: None }
    }
}

impl Receipt {
    /// Reads one.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            #[serde(default)]
            program: String,
        }
        let damaged = |error: serde_json::Error| Unreadable::Damaged { because: error.to_string() };
        let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
        if head.version > VERSION {
            return Err(Unreadable::Newer { found: head.version, program: head.program });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// Whether nothing of ours is on this machine.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers().all(|layer| layer.records.is_empty())
    }

    /// It, and those beneath it.
    fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |layer| layer.beneath.as_deref())
    }

    /// What was done to this thing last.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Record> {
        let mut all = self.layers().flat_map(|layer| &layer.records);
        all.find(|record| record.step.key().as_ref() == Some(key))
    }

    /// What we wrote last to this file: whoever finds another print there finds somebody else's work.
    #[must_use]
    pub fn wrote(&self, path: &Path) -> Option<Print> {
        match &self.get(&Key::File(path.to_owned()))?.step {
            Step::PutFile { content, .. } => Some(content.print()),
            Step::PutUnit { text, .. } => Some(Print::of(text.as_bytes())),
            Step::Restore { was: Entry::File { print, .. }, .. } => Some(print.clone()),
            _ => None,
        }
    }

    /// The text we wrote last to this file.
    #[must_use]
    pub fn text(&self, path: &Path) -> Option<&str> {
        match &self.get(&Key::File(path.to_owned()))?.step {
            Step::PutFile { content: Content::Text(text), .. } | Step::PutUnit { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Every step of it, in order, and of none beneath: what to observe before [`super::inverse::inverse_of`].
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.records.iter().map(|record| record.step.clone()).collect()
    }

    /// The copies of previous bytes that it needs.
    #[must_use]
    pub fn saved(&self) -> BTreeSet<PathBuf> {
        self.layers().flat_map(Self::saved_here).collect()
    }

    fn saved_here(&self) -> BTreeSet<PathBuf> {
        let kept = |entry: &Entry| match entry {
            Entry::File { kept: Kept::Saved(path), .. } => Some(path.clone()),
            _ => None,
        };
        let before = self.records.iter().filter_map(|record| record.before.entry().and_then(kept));
        let put_back = self.records.iter().filter_map(|record| match &record.step {
            Step::Restore { was, .. } => kept(was),
            _ => None,
        });
        before.chain(put_back).collect()
    }

    /// Takes in one step; `before` only if it changed something.
    fn take_in(&mut self, step: &Step, before: Option<&Before>) {
        let Some(key) = step.key() else { return };
        match (self.records.iter().position(|record| record.step.key().as_ref() == Some(&key)), before) {
            (Some(at), before) => {
                if let (Step::StopDaemons { .. }, Some(before)) = (step, before) {
                    add_daemons(&mut self.records[at].before, before);
                }
                self.records[at].step = step.clone();
                if !step.owes(&self.records[at].before) {
                    self.records.remove(at);
                }
            }
            (None, Some(before)) if step.owes(before) => {
                self.records.push(Record { step: step.clone(), before: before.clone() });
            }
            (None, _) => {}
        }
    }

    /// Whether something of ours lies below this directory.
    fn has_below(&self, dir: &Path) -> bool {
        self.records.iter().any(|record| match record.step.key() {
            Some(Key::Dir(path) | Key::File(path)) => path.starts_with(dir) && path != dir,
            Some(Key::Names(one, other)) => one.starts_with(dir) || other.starts_with(dir),
            Some(Key::Mode(_) | Key::Enabled(_) | Key::Running(_) | Key::Linger(_) | Key::Daemons) | None => {
                false
            }
        })
    }

    /// What ran before us and runs again is owed only as long as it runs from a file of ours.
    fn drop_unowed_lives(&mut self) {
        let files: BTreeSet<UnitName> = self
            .records
            .iter()
            .filter_map(|record| match &record.step {
                Step::PutUnit { unit, .. }
                | Step::RemoveUnit { unit, .. }
                | Step::Restore { unit: Some(unit), .. } => Some(unit.clone()),
                _ => None,
            })
            .collect();
        self.records.retain(|record| match &record.step {
            Step::SetRunning { unit, running } => {
                files.contains(unit) || !record.step.inverse(&record.before).is_empty() || !running
            }
            _ => true,
        });
    }

    /// Takes in a plan that is through. Taking it in twice is taking it in once.
    #[must_use]
    pub fn with(&self, log: &Log) -> Self {
        let mut sum = self.clone();
        if self.last == log.id {
            return sum;
        }
        if !log.plan.verb.is_owed() {
            sum.last.clone_from(&log.id);
            return sum;
        }
        if log.plan.covers {
            let beneath = (!self.is_empty()).then(|| Box::new(self.clone()));
            sum = Self { beneath, ..Self::default() };
        }
        for (step, mark) in log.plan.steps.iter().zip(&log.marks) {
            match mark {
                // What was mended stays so.
                Mark::Done { .. } if log.plan.verb == Verb::Fix && matches!(step, Step::SetMode { .. }) => {}
                Mark::Done { before } => {
                    for (step, before) in levels(step, before) {
                        sum.take_in(&step, Some(&before));
                    }
                }
                // It stays for what is in it: ours, and then it is still ours, or somebody else's.
                Mark::Skipped if matches!(step, Step::RemoveDir { path } if sum.has_below(path)) => {}
                // What was so before us is not ours.
                Mark::Skipped => sum.take_in(step, None),
                Mark::Untouched | Mark::Started { .. } | Mark::Undone => {}
            }
        }
        sum.drop_unowed_lives();
        if log.plan.verb == Verb::Uninstall {
            // Whoever uninstalls does not want back what the hub replaced; what is known of it would be all that is left.
            sum.records.retain(|record| !record.step.makes_room());
        }
        // Nothing of this layer is left.
        if sum.records.is_empty()
            && let Some(beneath) = sum.beneath.take()
        {
            sum = *beneath;
        }
        let new: Vec<PathBuf> = log.made.iter().filter(|dir| !sum.made.contains(dir)).cloned().collect();
        sum.made.extend(new);
        sum.version = if sum.beneath.is_some() { VERSION } else { 1 };
        env!("CARGO_PKG_VERSION").clone_into(&mut sum.program);
        sum.last.clone_from(&log.id);
        sum
    }
}

/// Daemons that were stopped later than others are owed as well: of two with one name the later one.
fn add_daemons(known: &mut Before, later: &Before) {
    if let (Before::Daemons { up: known }, Before::Daemons { up: later }) = (known, later) {
        known.retain(|up| !later.iter().any(|later| later.name == up.name));
        known.extend(later.iter().cloned());
    }
}

/// Of several directories made at once each is a thing of its own, since each may be removed alone.
fn levels(step: &Step, before: &Before) -> Vec<(Step, Before)> {
    match (step, before) {
        (Step::MakeDir { mode, .. }, Before::Dir { dir: Dir::Absent { missing } }) => missing
            .iter()
            .map(|path| {
                let dir = Dir::Absent { missing: vec![path.clone()] };
                (Step::MakeDir { path: path.clone(), mode: *mode }, Before::Dir { dir })
            })
            .collect(),
        _ => vec![(step.clone(), before.clone())],
    }
}
