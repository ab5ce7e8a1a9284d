//! Taking back: what undoes one step, and the plan that undoes an installation. Pure.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::commands::look;
use super::observed::{Before, Dir, Entry};
use super::plan::{Note, Plan, Verb};
use super::receipt::Receipt;
use super::recovery::{Standing, is_down};
use super::step::Step;
use crate::unit::name::{Part, UnitName};

impl Step {
    /// What takes it back, in order; nothing if there is nothing to take back. Each of these is skipped where it is
    /// so already.
    #[must_use]
    pub fn inverse(&self, before: &Before) -> Vec<Self> {
        match (self, before) {
            (Self::MakeDir { .. }, Before::Dir { dir: Dir::Absent { missing } }) => {
                missing.iter().rev().map(|path| Self::RemoveDir { path: path.clone() }).collect()
            }
            (Self::RemoveDir { path }, Before::Dir { dir: Dir::Empty { mode } }) => {
                vec![Self::MakeDir { path: path.clone(), mode: *mode }]
            }
            (Self::Move { from, to }, Before::Names { at })
                if at.contains_key(from) && !at.contains_key(to) =>
            {
                vec![Self::Move { from: to.clone(), to: from.clone() }]
            }
            (
                Self::PutFile { path, .. }
                | Self::RemoveFile { path }
                | Self::Restore { path, unit: None, .. },
                Before::File { entry },
            ) => back(path, entry, None),
            (
                Self::PutUnit { path, unit, .. }
                | Self::RemoveUnit { path, unit }
                | Self::Restore { path, unit: Some(unit), .. },
                Before::Unit { entry, active, .. },
            ) => {
                // It may run by now although no step of ours started it: a boot does that to what is enabled.
                let down = Self::SetRunning { unit: unit.clone(), running: false };
                let mut steps = back(path, entry, Some(unit));
                if is_down(*active) && !steps.is_empty() {
                    steps.insert(0, down);
                }
                steps
            }
            (Self::SetMode { path, .. }, Before::Mode { mode: Some(mode) }) => {
                vec![Self::SetMode { path: path.clone(), mode: *mode }]
            }
            (Self::SetEnabled { unit, enabled }, Before::Enabled { enabled: was, active })
                if enabled != was =>
            {
                // A boot in between has started what we enabled, and not what we disabled.
                let mut steps = vec![Self::SetEnabled { unit: unit.clone(), enabled: *was }];
                if is_down(*active) == *enabled {
                    steps.push(Self::SetRunning { unit: unit.clone(), running: !enabled });
                }
                steps
            }
            (Self::SetRunning { unit, running }, Before::Running { active, .. }) => {
                let set = |running| Self::SetRunning { unit: unit.clone(), running };
                match (running, is_down(*active)) {
                    (true, true) => vec![set(false)],
                    // What runs by now may have been started from what has just been taken back.
                    (false, false) => vec![set(false), set(true)],
                    (true, false) | (false, true) => Vec::new(),
                }
            }
            (Self::SetLinger { user, on }, Before::Linger { on: was }) => match was.known() {
                Some(was) if was != on => vec![Self::SetLinger { user: user.clone(), on: *was }],
                _ => Vec::new(),
            },
            (Self::StopDaemons { heirs, .. }, Before::Daemons { up }) if !up.is_empty() => {
                let down = heirs.iter().map(|unit| Self::SetRunning { unit: unit.clone(), running: false });
                down.chain([Self::StartDaemons { daemons: up.clone() }]).collect()
            }
            // Those that it has started, whether they listen by now or not: they hold what the hub needs.
            (Self::StartDaemons { daemons }, Before::Daemons { up }) => {
                let started: Vec<_> = daemons.iter().filter(|daemon| !up.contains(daemon)).cloned().collect();
                if started.is_empty() { Vec::new() } else { vec![Self::EndStarted { daemons: started }] }
            }
            _ => Vec::new(),
        }
    }

    /// Whether it only takes away what was in our place, and puts nothing of ours there.
    #[must_use]
    pub fn makes_room(&self) -> bool {
        match self {
            Self::StopDaemons { .. } | Self::RemoveFile { .. } => true,
            Self::SetEnabled { unit, enabled: false } | Self::SetRunning { unit, running: false } => {
                unit.plain() != UnitName::hub().plain()
            }
            _ => false,
        }
    }

    /// Whether there is something to take back: the step has not itself brought back what was there before. What ran
    /// before us always is: it may run from what we wrote.
    #[must_use]
    pub fn owes(&self, before: &Before) -> bool {
        if let (Self::SetRunning { .. }, Before::Running { active, .. }) = (self, before) {
            return !is_down(*active) || !self.reached(before);
        }
        if let Self::StartDaemons { .. } = self {
            // They are back, and nobody's but their person's.
            return false;
        }
        let is_back = before.entry().map_or_else(|| self.reached(before), |entry| self.wants(entry));
        !is_back && !self.inverse(before).is_empty()
    }
}

fn back(path: &Path, entry: &Entry, unit: Option<&UnitName>) -> Vec<Step> {
    let path = path.to_owned();
    match (entry, unit) {
        (Entry::Absent, None) => vec![Step::RemoveFile { path }],
        (Entry::Absent, Some(unit)) => vec![Step::RemoveUnit { unit: unit.clone(), path }],
        (Entry::File { .. } | Entry::Link { .. }, unit) => {
            vec![Step::Restore { path, was: entry.clone(), unit: unit.cloned() }]
        }
        // Nothing was done to it.
        (Entry::Other { .. }, _) => Vec::new(),
    }
}

/// How much is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// What we put there.
    Ours,
    /// Everything, down to the daemons from before.
    Everything,
}

/// The plan that takes back everything a receipt tells of. `now` is what is found for each of [`Receipt::steps`].
/// What somebody changed after us is left, with a note that names it, unless `force`.
///
/// With [`Take::Ours`] what was there before us and had to make room stays away: daemons without a manager, and the units
/// that revived them.
///
/// A receipt is a sum of plans and keeps no order between its things, so the order is the natural one: down, then
/// files, then up.
#[must_use]
pub fn inverse_of(receipt: &Receipt, now: &[Before], take: Take, force: bool) -> Plan {
    let mut plan = Plan::new(Verb::Uninstall);
    let mut ran = Vec::new();
    for (record, now) in receipt.records.iter().zip(now).rev() {
        if take == Take::Ours && record.step.makes_room() {
            continue;
        }
        let theirs = record.step.standing(&record.before, now) == Standing::Neither;
        if theirs && !force {
            plan.notes.push(Note {
                text: format!(
                    "{} was changed after it was installed and is left as it is",
                    record.step.subject()
                ),
                next: Some(look(
                    &record.step,
                    record.before.entry().and_then(Entry::saved).map(|(copy, _)| copy.as_path()),
                )),
            });
            continue;
        }
        match (&record.step, &record.before) {
            (Step::SetRunning { unit, running }, Before::Running { active, .. }) if !is_down(*active) => {
                ran.push((unit.clone(), *running));
            }
            // Whether it runs has a record of its own, if we had a part in it.
            (Step::SetEnabled { .. }, before) => {
                plan.steps.extend(record.step.inverse(before).into_iter().take(1))
            }
            (step, before) => plan.steps.extend(step.inverse(before)),
        }
    }
    for (unit, running) in ran {
        // It ran before us. It was stopped by us, or has to be to get its file back.
        let stop = Step::SetRunning { unit: unit.clone(), running: false };
        if !running || plan.steps.contains(&stop) {
            plan.steps.push(Step::SetRunning { unit, running: true });
        }
    }
    plan.steps.sort_by_key(natural);
    plan.steps.dedup();
    plan
}

/// The natural order of taking back. A socket starts what it is for, so it goes down first; and it cannot begin to
/// listen for what runs already, so it comes up first (systemd.socket(5)).
fn natural(step: &Step) -> (u8, Option<Part>, Option<PathBuf>, Reverse<Option<PathBuf>>) {
    let socket_first = |unit: &UnitName| match unit.part() {
        Part::Socket => None,
        Part::Service => Some(Part::Service),
    };
    let (phase, part, down, up) = match step {
        Step::SetRunning { unit, running: false } => (0, socket_first(unit), None, None),
        Step::SetEnabled { enabled: false, .. } => (1, None, None, None),
        Step::SetLinger { .. } => (2, None, None, None),
        Step::MakeDir { path, .. } => (3, None, Some(path.clone()), None),
        Step::PutFile { .. }
        | Step::RemoveFile { .. }
        | Step::PutUnit { .. }
        | Step::RemoveUnit { .. }
        | Step::Move { .. }
        | Step::Restore { .. }
        | Step::SetMode { .. } => (4, None, None, None),
        Step::RemoveDir { path } => (5, None, None, Some(path.clone())),
        Step::SetEnabled { enabled: true, .. } => (6, None, None, None),
        Step::SetRunning { unit, running: true } => (7, socket_first(unit), None, None),
        Step::StopDaemons { .. } | Step::EndStarted { .. } => (0, None, None, None),
        Step::StartDaemons { .. } => (8, None, None, None),
        Step::AwaitPortsFree { .. }
        | Step::AwaitReady { .. }
        | Step::AwaitHealthy { .. }
        | Step::AwaitModules { .. } => (9, None, None, None),
    };
    (phase, part, down, Reverse(up))
}
