//! The steps that undo one step, and the plan that undoes an installation. Pure.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::commands::inspect;
use super::observed::{Dir, Entry, Observed};
use super::plan::{Note, Plan, Verb};
use super::receipt::Receipt;
use super::recovery::{StepState, is_down};
use super::step::Step;
use crate::manager::state::Active;
use crate::unit::name::{Part, UnitName};

impl Step {
    /// The steps that undo it, in order; none if there is nothing to undo. Each of them is skipped if its
    /// goal is reached already.
    #[must_use]
    pub fn inverse(&self, before: &Observed) -> Vec<Self> {
        match (self, before) {
            (Self::MakeDir { .. }, Observed::Dir { dir: Dir::Absent { missing } }) => {
                missing.iter().rev().map(|path| Self::RemoveDir { path: path.clone() }).collect()
            }
            (Self::RemoveDir { path }, Observed::Dir { dir: Dir::Empty { mode } }) => {
                vec![Self::MakeDir { path: path.clone(), mode: *mode }]
            }
            (Self::Move { from, to }, Observed::Names { at })
                if at.contains_key(from) && !at.contains_key(to) =>
            {
                vec![Self::Move { from: to.clone(), to: from.clone() }]
            }
            (
                Self::PutFile { path, .. }
                | Self::RemoveFile { path }
                | Self::Restore { path, unit: None, .. },
                Observed::File { entry },
            ) => back(path, entry, None),
            (
                Self::PutUnit { path, unit, .. }
                | Self::RemoveUnit { path, unit }
                | Self::Restore { path, unit: Some(unit), .. },
                Observed::Unit { entry, active, .. },
            ) => {
                // It may be running although no step started it: a boot starts enabled units.
                let down = Self::SetRunning { unit: unit.clone(), running: false };
                let mut steps = back(path, entry, Some(unit));
                if is_down(*active) && !steps.is_empty() {
                    steps.insert(0, down);
                }
                steps
            }
            (Self::SetMode { path, .. }, Observed::Mode { mode: Some(mode) }) => {
                vec![Self::SetMode { path: path.clone(), mode: *mode }]
            }
            (Self::SetEnabled { unit, enabled }, Observed::Enabled { enabled: was, active })
                if enabled != was =>
            {
                // A boot in between has started enabled units, and not disabled ones.
                let mut steps = vec![Self::SetEnabled { unit: unit.clone(), enabled: *was }];
                if is_down(*active) == *enabled {
                    steps.push(Self::SetRunning { unit: unit.clone(), running: !enabled });
                }
                steps
            }
            (Self::SetRunning { unit, running }, Observed::Running { active, service, .. }) => {
                if let Some(service) = service {
                    return socket_back(unit, *running, *active, *service);
                }
                let set = |running| Self::SetRunning { unit: unit.clone(), running };
                match (running, is_down(*active)) {
                    (true, true) => vec![set(false)],
                    // The current process may have been started from a file that was just restored.
                    (false, false) => vec![set(false), set(true)],
                    (true, false) | (false, true) => Vec::new(),
                }
            }
            (Self::SetLinger { user, on }, Observed::Linger { on: was }) => match was.known() {
                Some(was) if was != on => vec![Self::SetLinger { user: user.clone(), on: *was }],
                _ => Vec::new(),
            },
            (Self::StopDaemons { replaced_by, .. }, Observed::Daemons { running }) if !running.is_empty() => {
                let down =
                    replaced_by.iter().map(|unit| Self::SetRunning { unit: unit.clone(), running: false });
                down.chain([Self::StartDaemons { daemons: running.clone() }]).collect()
            }
            // The restarted ones, listening or not: they hold the ports that the hub needs.
            (Self::StartDaemons { daemons }, Observed::Daemons { running }) => {
                let started: Vec<_> =
                    daemons.iter().filter(|daemon| !running.contains(daemon)).cloned().collect();
                if started.is_empty() { Vec::new() } else { vec![Self::EndStarted { daemons: started }] }
            }
            _ => Vec::new(),
        }
    }

    /// Whether it only removes something from before, and adds nothing of ours.
    #[must_use]
    pub(super) fn makes_room(&self) -> bool {
        match self {
            Self::StopDaemons { .. } | Self::RemoveFile { .. } => true,
            Self::SetEnabled { unit, enabled: false } | Self::SetRunning { unit, running: false } => {
                unit.plain() != UnitName::hub().plain()
            }
            _ => false,
        }
    }

    /// Whether there is something to undo: the step has not itself restored the previous state. For a unit that
    /// ran before there always is: it may run from a file that we wrote.
    #[must_use]
    pub(super) fn needs_undo(&self, before: &Observed) -> bool {
        if let (Self::SetRunning { .. }, Observed::Running { active, .. }) = (self, before) {
            return !is_down(*active) || !self.is_reached(before);
        }
        if let Self::StartDaemons { .. } = self {
            // They run again as before, and are not part of the installation.
            return false;
        }
        let is_back = before.entry().map_or_else(|| self.is_reached(before), |entry| self.wants(entry));
        !is_back && !self.inverse(before).is_empty()
    }
}

/// Undoes a start or stop of a socket. systemd starts a socket only while its service is stopped, so the service is
/// stopped before and started again after it: systemd.socket(5). A client of a socket starts its service, so what a
/// client has started is stopped too.
fn socket_back(socket: &UnitName, running: bool, was: Active, service_was: Active) -> Vec<Step> {
    let set = |unit: &UnitName, running| Step::SetRunning { unit: unit.clone(), running };
    let service = socket.service();
    let service_back = set(&service, !is_down(service_was));
    match (running, is_down(was)) {
        (true, true) => vec![set(socket, false), service_back],
        (false, false) => {
            let mut steps = vec![set(socket, false), set(&service, false), set(socket, true)];
            // While the socket listens a client may start it at any time: it is not stopped again.
            steps.extend((!is_down(service_was)).then_some(service_back));
            steps
        }
        (true, false) | (false, true) => Vec::new(),
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
        // No step changes it.
        (Entry::Other { .. }, _) => Vec::new(),
    }
}

/// How much of an installation is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoScope {
    /// Only our additions.
    OnlyAdded,
    /// Everything: the detached daemons from before run again.
    Everything,
}

/// The plan that undoes the changes in a receipt. `now` is the observation for each of [`Receipt::steps`]. Files that
/// were changed after the installation are left, with a note that names them, unless `force`.
///
/// With [`UndoScope::OnlyAdded`] replaced things are not restored: detached daemons, and the units that started them.
///
/// A receipt is the sum of several plans and keeps no order between them. The plan first stops, then changes files,
/// then starts.
#[must_use]
pub fn undo_plan(receipt: &Receipt, now: &[Observed], scope: UndoScope, force: bool) -> Plan {
    let mut plan = Plan::new(Verb::Uninstall);
    let mut ran = Vec::new();
    for (record, now) in receipt.records.iter().zip(now).rev() {
        if scope == UndoScope::OnlyAdded && record.step.makes_room() {
            continue;
        }
        let diverged = record.step.state(&record.before, now) == StepState::Diverged;
        if diverged && !force {
            plan.notes.push(Note {
                text: format!(
                    "{} was changed after it was installed and is left as it is",
                    record.step.subject()
                ),
                hint: Some(inspect(
                    &record.step,
                    record.before.entry().and_then(Entry::saved).map(|(copy, _)| copy.as_path()),
                )),
            });
            continue;
        }
        match (&record.step, &record.before) {
            (Step::SetRunning { unit, running }, Observed::Running { active, .. }) if !is_down(*active) => {
                ran.push((unit.clone(), *running));
            }
            // Starting and stopping the unit has a record of its own.
            (Step::SetEnabled { .. }, before) => {
                plan.steps.extend(record.step.inverse(before).into_iter().take(1))
            }
            (step, before) => plan.steps.extend(step.inverse(before)),
        }
    }
    ran.retain(|(unit, _)| !receipt.records.iter().any(|record| record.new_unit() == Some(unit)));
    for (unit, running) in ran {
        // It ran before the installation. A step stopped it, or it must be stopped to restore its file.
        let stop = Step::SetRunning { unit: unit.clone(), running: false };
        if !running || plan.steps.contains(&stop) {
            plan.steps.push(Step::SetRunning { unit, running: true });
        }
    }
    plan.steps.sort_by_key(order);
    plan.steps.dedup();
    plan
}

/// The position of a step in the plan that undoes an installation. A socket unit starts its service, so the socket is
/// stopped first; and it cannot be started while its service runs, so it is also started first (systemd.socket(5)).
fn order(step: &Step) -> (u8, Option<Part>, Option<PathBuf>, Reverse<Option<PathBuf>>) {
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
