//! The receipt: every change of ours on this machine, with the state before it. Pure; [`super::journal`]
//! reads and writes the file.
//!
//! Plans are added up: for each [`Key`] the first `before` and the last step count, so that undoing the receipt undoes
//! all plans at once. A change whose result equals the state before the first plan is not in it.
//!
//! A plan that takes over another installation begins a layer: its receipt has that of the other one beneath it. Only
//! the upper one is undone, which restores the other installation, and then its receipt is valid again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::{Content, Fingerprint};
use super::events::UnfinishedPlan;
use super::observed::{Dir, Entry, Kept, Observed, UnitRead};
use super::plan::Verb;
use super::recovery::Recorded;
use super::step::{Key, Step};
use crate::unit::name::UnitName;

/// The newest version of the format that this program reads: 2 is that of a receipt with another one beneath it.
const VERSION: u32 = 2;

/// Every change that was made to this machine and not undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The oldest version of the format that can hold it.
    pub version: u32,
    /// Version of the program that wrote it last.
    pub program: String,
    /// The run of a plan that was added last. A journal with this id was interrupted after it was added.
    #[serde(default)]
    pub last: String,
    /// Directories that were created for the receipt, topmost first.
    #[serde(default)]
    pub made: Vec<PathBuf>,
    /// The changes, in the order in which they were first made.
    pub records: Vec<ReceiptEntry>,
    /// The receipt of the installation that was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneath: Option<Box<Receipt>>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptEntry {
    /// The last step with its key.
    pub step: Step,
    /// The state before the first step with its key.
    pub before: Observed,
}

/// Why a receipt cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A later version of the program wrote it.
    #[error(
        "it has version {found} of the format (written by parachute {program}), and this program knows {VERSION}"
    )]
    Newer {
        /// Version of its format.
        found: u32,
        /// Version of the program that wrote it.
        program: String,
    },
    /// It is not what any version of this program writes.
    #[error("it is damaged: {because}")]
    Damaged {
        /// What is wrong with it.
        because: String,
    },
}

impl ReceiptEntry {
    /// The unit, if this is about the file of one that its manager did not know before: it cannot have run then. A
    /// client of a socket unit of an earlier version could start the hub while it was being installed, and the receipt
    /// then says that the hub ran before.
    #[must_use]
    pub(super) fn new_unit(&self) -> Option<&UnitName> {
        let unit = match &self.step {
            Step::PutUnit { unit, .. }
            | Step::RemoveUnit { unit, .. }
            | Step::Restore { unit: Some(unit), .. } => unit,
            _ => return None,
        };
        let was_unknown = matches!(
            self.before,
            Observed::Unit { entry: Entry::Absent, read: None | Some(UnitRead::Nothing), .. }
        );
        was_unknown.then_some(unit)
    }
}

impl Default for Receipt {
    fn default() -> Self {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let (made, records) = (Vec::new(), Vec::new());
        Self { version: 1, program, last: String::new(), made, records, beneath: None }
    }
}

impl Receipt {
    /// Parses the bytes of a receipt.
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

    /// Whether nothing is installed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers().all(|layer| layer.records.is_empty())
    }

    /// This receipt, and those beneath it.
    fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |layer| layer.beneath.as_deref())
    }

    /// How many installations it records: this one, and those that were taken over.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers().filter(|layer| !layer.records.is_empty()).count()
    }

    /// The change with this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&ReceiptEntry> {
        let mut all = self.layers().flat_map(|layer| &layer.records);
        all.find(|record| record.step.key().as_ref() == Some(key))
    }

    /// Fingerprint of the content that a step last wrote to this file. If the file has another one, it was changed
    /// from outside.
    #[must_use]
    pub fn wrote(&self, path: &Path) -> Option<Fingerprint> {
        match &self.get(&Key::File(path.to_owned()))?.step {
            Step::PutFile { content, .. } => Some(content.fingerprint()),
            Step::PutUnit { text, .. } => Some(Fingerprint::of(text.as_bytes())),
            Step::Restore { was: Entry::File { fingerprint, .. }, .. } => Some(fingerprint.clone()),
            _ => None,
        }
    }

    /// The text that a step last wrote to this file.
    #[must_use]
    pub(crate) fn text(&self, path: &Path) -> Option<&str> {
        match &self.get(&Key::File(path.to_owned()))?.step {
            Step::PutFile { content: Content::Text(text), .. } | Step::PutUnit { text, .. } => Some(text),
            _ => None,
        }
    }

    /// All its steps, in order, without those beneath: to be observed before [`undo_plan`](super::undo_plan).
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.records.iter().map(|record| record.step.clone()).collect()
    }

    /// The copies of previous content that it needs.
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

    /// Adds one step; `before` only if it changed something.
    fn add(&mut self, step: &Step, before: Option<&Observed>) {
        let Some(key) = step.key() else { return };
        match (self.records.iter().position(|record| record.step.key().as_ref() == Some(&key)), before) {
            (Some(at), before) => {
                if let (Step::StopDaemons { .. }, Some(before)) = (step, before) {
                    add_daemons(&mut self.records[at].before, before);
                }
                self.records[at].step = step.clone();
                if !step.needs_undo(&self.records[at].before) {
                    let gone = self.records.remove(at);
                    // A unit that does not exist, as before, does not run.
                    if let Some(unit) = gone.new_unit() {
                        let runs = Some(Key::Running(unit.clone()));
                        self.records.retain(|record| record.step.key() != runs);
                    }
                }
            }
            (None, Some(before)) if step.needs_undo(before) => {
                // Whether the service of a socket ran is for a journal: a receipt has records of the service itself.
                let before = match before.clone() {
                    Observed::Running { active, process, .. } => {
                        Observed::Running { active, process, service: None }
                    }
                    other => other,
                };
                self.records.push(ReceiptEntry { step: step.clone(), before });
            }
            (None, _) => {}
        }
    }

    /// Whether a change is about something below this directory.
    fn has_below(&self, dir: &Path) -> bool {
        self.records.iter().any(|record| match record.step.key() {
            Some(Key::Dir(path) | Key::File(path)) => path.starts_with(dir) && path != dir,
            Some(Key::Names(one, other)) => one.starts_with(dir) || other.starts_with(dir),
            Some(Key::Mode(_) | Key::Enabled(_) | Key::Running(_) | Key::Linger(_) | Key::Daemons) | None => {
                false
            }
        })
    }

    /// Forgets units that ran before and run again, unless they run from a file of ours.
    fn forget_units_that_run_as_before(&mut self) {
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

    /// This receipt plus a plan of which every step is done. Adding a plan twice has the effect of adding it once.
    #[must_use]
    pub fn with(&self, done: &UnfinishedPlan) -> Self {
        let mut sum = self.clone();
        if self.last == done.id {
            return sum;
        }
        if !done.plan.verb.is_recorded() {
            sum.last.clone_from(&done.id);
            return sum;
        }
        if done.plan.covers {
            let beneath = (!self.is_empty()).then(|| Box::new(self.clone()));
            sum = Self { beneath, ..Self::default() };
        }
        for (step, recorded) in done.plan.steps.iter().zip(&done.recorded) {
            match recorded {
                // Repairs of `doctor --fix` are not undone.
                Recorded::Done { .. }
                    if done.plan.verb == Verb::Fix && matches!(step, Step::SetMode { .. }) => {}
                Recorded::Done { before } => {
                    for (step, before) in levels(step, before) {
                        sum.add(&step, Some(&before));
                    }
                }
                // The directory stays because it is not empty; if a change of ours is in it, it is still needed.
                Recorded::Skipped if matches!(step, Step::RemoveDir { path } if sum.has_below(path)) => {}
                // A state that was already reached is no change.
                Recorded::Skipped => sum.add(step, None),
                Recorded::Untouched | Recorded::Started { .. } | Recorded::Undone => {}
            }
        }
        sum.forget_units_that_run_as_before();
        if done.plan.verb == Verb::Uninstall {
            // An uninstallation does not restore what the hub replaced, and a record of it would be all that is
            // left.
            sum.records.retain(|record| !record.step.makes_room());
        }
        // This layer is empty.
        if sum.records.is_empty()
            && let Some(beneath) = sum.beneath.take()
        {
            sum = *beneath;
        }
        let new: Vec<PathBuf> = done.made.iter().filter(|dir| !sum.made.contains(dir)).cloned().collect();
        sum.made.extend(new);
        sum.version = if sum.beneath.is_some() { VERSION } else { 1 };
        env!("CARGO_PKG_VERSION").clone_into(&mut sum.program);
        sum.last.clone_from(&done.id);
        sum
    }
}

/// Adds daemons that were stopped later than others: of two with the same name the later one counts.
fn add_daemons(known: &mut Observed, later: &Observed) {
    if let (Observed::Daemons { running: known }, Observed::Daemons { running: later }) = (known, later) {
        known.retain(|daemon| !later.iter().any(|later| later.name == daemon.name));
        known.extend(later.iter().cloned());
    }
}

/// The step as its changes: several directories that are created at once are a change each, since each may be removed
/// alone.
fn levels(step: &Step, before: &Observed) -> Vec<(Step, Observed)> {
    match (step, before) {
        (Step::MakeDir { mode, .. }, Observed::Dir { dir: Dir::Absent { missing } }) => missing
            .iter()
            .map(|path| {
                let dir = Dir::Absent { missing: vec![path.clone()] };
                (Step::MakeDir { path: path.clone(), mode: *mode }, Observed::Dir { dir })
            })
            .collect(),
        _ => vec![(step.clone(), before.clone())],
    }
}
