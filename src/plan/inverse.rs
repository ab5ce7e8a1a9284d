//! Taking back: what undoes one step, and the plan that undoes an installation. Pure.

use super::before::{Before, Dir, Entry};
use super::receipt::Receipt;
use super::standing::{Standing, is_down};
use super::step::Step;
use super::whole::{Note, Plan, Verb};
use crate::unit::name::UnitName;

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
                Before::Unit { entry, .. },
            ) => back(path, entry, Some(unit)),
            (Self::SetEnabled { unit, enabled }, Before::Enabled { enabled: was }) if enabled != was => {
                vec![Self::SetEnabled { unit: unit.clone(), enabled: *was }]
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
            _ => Vec::new(),
        }
    }

    /// Whether there is something to take back: the step has not itself brought back what was there before.
    #[must_use]
    pub fn owes(&self, before: &Before) -> bool {
        let is_back = before.entry().map_or_else(|| self.reached(before), |entry| self.wants(entry));
        !is_back && !self.inverse(before).is_empty()
    }
}

fn back(path: &std::path::Path, entry: &Entry, unit: Option<&UnitName>) -> Vec<Step> {
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

/// The plan that takes back everything a receipt tells of, newest first. `now` is what is found for each of
/// [`Receipt::steps`]. What somebody changed after us is left, with a note that names it, unless `force`.
#[must_use]
pub fn inverse_of(receipt: &Receipt, now: &[Before], force: bool) -> Plan {
    let mut plan = Plan::new(Verb::Uninstall);
    for (record, now) in receipt.records.iter().zip(now).rev() {
        let theirs = record.step.standing(&record.before, now) == Standing::Neither;
        if theirs && !force {
            plan.notes.push(Note {
                text: format!(
                    "{} was changed after it was installed and is left as it is",
                    record.step.subject()
                ),
                next: Some("parachute uninstall --force".to_owned()),
            });
        } else {
            plan.steps.extend(record.step.inverse(&record.before));
        }
    }
    plan
}
