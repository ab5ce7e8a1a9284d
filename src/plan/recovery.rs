//! What to do with a step of an interrupted plan. Pure.
//!
//! Three facts decide: the journal's record of the step ([`Recorded`]), the machine's state compared with
//! the state before the step (`StepState`), and whether the plan is finished or undone.
//!
//! | journal | machine | to finish | to undo |
//! |---|---|---|---|
//! | nothing, undone | – | begin | nothing |
//! | skipped | done | continue | nothing |
//! | skipped | anything else | start it again if it is a service, else leave it | nothing |
//! | started | unchanged | perform | nothing |
//! | started | partial | perform | inverse |
//! | started | done | note that it is done | inverse |
//! | started | diverged | stop and ask the user | leave it, report it, continue with the others |
//! | done | unchanged | perform | nothing |
//! | done | partial | perform | inverse |
//! | done | done | continue | inverse |
//! | done | diverged | leave it and report it | leave it, report it, continue with the others |
//!
//! "Done, and the machine unchanged" is the state after a power cut of a service that was started, and of anything else
//! that a manager forgets at a boot. If a later step with the same key was started, a step is finished, whatever is
//! found.
//!
//! Nothing is overwritten that is neither the state before the step nor the result of one of our steps: that is
//! `Diverged`, and it protects changes that a user or another program made.

use super::content::Fingerprint;
use super::observed::{Dir, Entry, FileIdentity, Observed, UnitRead};
use super::step::{Step, UNIT_MODE};
use crate::manager::state::Active;

/// The journal's record of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Recorded {
    /// Nothing.
    #[default]
    Untouched,
    /// Its goal was reached already, or it is optional and failed: there is nothing to undo.
    Skipped,
    /// It was about to be performed.
    Started {
        /// The observation before it.
        before: Observed,
    },
    /// It was performed, and its goal was found to be reached.
    Done {
        /// The observation before it.
        before: Observed,
    },
    /// It was undone, or left as it was.
    Undone,
}

/// How far a step got, according to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepState {
    /// The machine is in the state before the step.
    Unchanged,
    /// The step was started, and the state can only be its work: a file that the manager has not read yet, one of two
    /// directories, a unit that is starting.
    Partial,
    /// Its goal is reached.
    Done,
    /// The state is another one: a user or another program changed it.
    Diverged,
}

/// What to do with a step to finish its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum FinishAction {
    /// Observe and continue as for a step that was never started.
    Begin,
    /// Perform it: the observation before it is in the journal.
    Perform,
    /// Write into the journal that it is done.
    NoteDone,
    /// Continue with the next step.
    Continue,
    /// It was changed after it was done: report that, and continue with the next step.
    Leave,
    /// Its goal was reached before the plan, and no longer is. A boot changes which units run, so a service is started
    /// again; anything else is left. It is not undone in either case.
    Renew,
    /// It was changed while it was performed: the user must decide.
    Stop,
}

/// What to do with a step to undo its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum UndoAction {
    Nothing,
    /// Perform its inverse.
    Inverse,
    /// It was changed after it was done: report that, and continue with the other steps.
    Leave,
}

impl Recorded {
    /// The observation before the step, if the step may have had an effect.
    #[must_use]
    pub fn before(&self) -> Option<&Observed> {
        match self {
            Self::Started { before } | Self::Done { before } => Some(before),
            Self::Untouched | Self::Skipped | Self::Undone => None,
        }
    }

    pub(super) fn to_finish(&self, state: StepState) -> FinishAction {
        use StepState::{Diverged, Done, Partial, Unchanged};
        match (self, state) {
            (Self::Untouched | Self::Undone, _) => FinishAction::Begin,
            (Self::Skipped, Done) => FinishAction::Continue,
            (Self::Skipped, Unchanged | Partial | Diverged) => FinishAction::Renew,
            (Self::Started { .. } | Self::Done { .. }, Unchanged | Partial) => FinishAction::Perform,
            (Self::Started { .. }, Done) => FinishAction::NoteDone,
            (Self::Started { .. }, Diverged) => FinishAction::Stop,
            (Self::Done { .. }, Done) => FinishAction::Continue,
            (Self::Done { .. }, Diverged) => FinishAction::Leave,
        }
    }

    pub(super) fn to_undo(&self, state: StepState) -> UndoAction {
        use StepState::{Diverged, Done, Partial, Unchanged};
        match (self, state) {
            (Self::Untouched | Self::Skipped | Self::Undone, _) => UndoAction::Nothing,
            (Self::Started { .. } | Self::Done { .. }, Unchanged) => UndoAction::Nothing,
            (Self::Started { .. } | Self::Done { .. }, Partial | Done) => UndoAction::Inverse,
            (Self::Started { .. } | Self::Done { .. }, Diverged) => UndoAction::Leave,
        }
    }
}

impl Step {
    /// Whether its goal is reached, by any cause.
    #[must_use]
    pub(crate) fn is_reached(&self, now: &Observed) -> bool {
        match (self, now) {
            (Self::MakeDir { .. }, Observed::Dir { dir }) => {
                matches!(dir, Dir::Empty { .. } | Dir::Occupied { .. })
            }
            // A directory with other files in it stays: there is nothing more to do.
            (Self::RemoveDir { .. }, Observed::Dir { dir }) => {
                matches!(dir, Dir::Absent { .. } | Dir::Occupied { .. })
            }
            (_, Observed::File { entry }) => self.wants(entry),
            (_, Observed::Unit { entry, read, .. }) => self.wants(entry) && is_read(entry, read.as_ref()),
            // A missing file needs no permission bits.
            (Self::SetMode { mode, .. }, Observed::Mode { mode: now }) => now.is_none_or(|now| now == *mode),
            (Self::Move { from, .. }, Observed::Names { at }) => !at.contains_key(from),
            (Self::SetEnabled { enabled, .. }, Observed::Enabled { enabled: now, .. }) => enabled == now,
            (Self::SetRunning { running: true, .. }, Observed::Running { active, .. }) => {
                *active == Active::Running
            }
            (Self::SetRunning { running: false, .. }, Observed::Running { active, .. }) => is_down(*active),
            (Self::SetLinger { on, .. }, Observed::Linger { on: now }) => now.known() == Some(on),
            (Self::StopDaemons { .. } | Self::EndStarted { .. }, Observed::Daemons { running }) => {
                running.is_empty()
            }
            (Self::StartDaemons { daemons }, Observed::Daemons { running }) => running.len() == daemons.len(),
            // A step that only waits must be tried; any other pair is a mismatch.
            _ => false,
        }
    }

    /// Whether this entry is the step's result for its name.
    #[must_use]
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        match self {
            Self::PutFile { mode, content, .. } => entry.holds(*mode, &content.fingerprint()),
            Self::PutUnit { text, .. } => entry.holds(UNIT_MODE, &Fingerprint::of(text.as_bytes())),
            Self::RemoveFile { .. } | Self::RemoveUnit { .. } => *entry == Entry::Absent,
            Self::Restore { was, .. } => entry.same(was),
            Self::MakeDir { .. }
            | Self::RemoveDir { .. }
            | Self::SetMode { .. }
            | Self::Move { .. }
            | Self::SetEnabled { .. }
            | Self::SetRunning { .. }
            | Self::SetLinger { .. }
            | Self::StopDaemons { .. }
            | Self::StartDaemons { .. }
            | Self::EndStarted { .. }
            | Self::AwaitPortsFree { .. }
            | Self::AwaitReady { .. }
            | Self::AwaitHealthy { .. }
            | Self::AwaitModules { .. } => false,
        }
    }

    /// How far it got: compares the observation before it, its goal, and the observation now.
    #[must_use]
    pub(super) fn state(&self, before: &Observed, now: &Observed) -> StepState {
        if let (Self::Move { from, to }, Observed::Names { at: was }, Observed::Names { at }) =
            (self, before, now)
            && let (Some(was), None) = (was.get(from), was.get(to))
        {
            return moved(was, at.get(from), at.get(to));
        }
        if self.is_reached(now) {
            return if self.lacks_its_mode(before, now) { StepState::Partial } else { StepState::Done };
        }
        match (before, now) {
            (Observed::File { entry: before }, Observed::File { entry: now }) if now.same(before) => {
                StepState::Unchanged
            }
            (Observed::Unit { entry: was, read: had, .. }, Observed::Unit { entry, read, .. }) => {
                if entry.same(was) {
                    let unread = read != had && !is_read(entry, read.as_ref());
                    if unread { StepState::Partial } else { StepState::Unchanged }
                } else if self.wants(entry) {
                    StepState::Partial
                } else {
                    StepState::Diverged
                }
            }
            (Observed::Dir { dir: was }, Observed::Dir { dir }) => state_of_dir(was, dir),
            (Observed::Mode { mode: was }, Observed::Mode { mode }) if was == mode => StepState::Unchanged,
            (Observed::Enabled { .. }, Observed::Enabled { .. }) => StepState::Unchanged,
            (Observed::Running { .. }, Observed::Running { .. }) => self.state_of_unit(before, now),
            (Observed::Linger { on: before }, Observed::Linger { on: now }) => {
                if now.known().is_some() || now == before {
                    StepState::Unchanged
                } else {
                    StepState::Diverged
                }
            }
            // A daemon that still runs may have been asked to end a moment ago, which cannot be observed.
            (Observed::Daemons { .. }, Observed::Daemons { .. }) => StepState::Partial,
            (Observed::Nothing, _) => StepState::Unchanged,
            _ => StepState::Diverged,
        }
    }

    /// Whether this program was killed between mkdir(2), where the umask may clear bits, and chmod(2).
    fn lacks_its_mode(&self, before: &Observed, now: &Observed) -> bool {
        match (self, before, now) {
            (
                Self::MakeDir { mode, .. },
                Observed::Dir { dir: Dir::Absent { .. } },
                Observed::Dir { dir: Dir::Empty { mode: now } | Dir::Occupied { mode: now } },
            ) => mode != now,
            _ => false,
        }
    }

    fn state_of_unit(&self, before: &Observed, now: &Observed) -> StepState {
        let (
            Observed::Running { active: was, process: old_process, service: old_service },
            Observed::Running { active, process, service },
        ) = (before, now)
        else {
            return StepState::Diverged;
        };
        let same = match self {
            // Another process than before: it was stopped and started again, perhaps from another definition. Only
            // stopping and starting it once more undoes that.
            Self::SetRunning { running: false, .. } => active == was && process == old_process,
            _ => active == was || (*active == Active::Stopped && is_down(*was)),
        };
        let same_service = old_service.zip(*service).is_none_or(|(was, is)| is_down(was) == is_down(is));
        if same && same_service { StepState::Unchanged } else { StepState::Partial }
    }
}

impl Observed {
    /// The same, and complete: a journal of an earlier version does not say whether the service of a socket ran. It ran
    /// as it does `now`, since the steps about the service itself are undone on their own.
    #[must_use]
    pub(super) fn with_service_of(&self, now: &Self) -> Self {
        match (self, now) {
            (Self::Running { active, process, service: None }, Self::Running { service, .. }) => {
                Self::Running { active: *active, process: process.clone(), service: *service }
            }
            _ => self.clone(),
        }
    }
}

/// Whether a unit does not run and is not going to.
#[must_use]
pub(super) fn is_down(active: Active) -> bool {
    match active {
        Active::Stopped | Active::Failed => true,
        Active::Running
        | Active::Starting
        | Active::Stopping
        | Active::Restarting
        // launchd starts a job again that is still loaded.
        | Active::Idle => false,
    }
}

/// How far a move got. Both names may exist: between file systems the copy is made before the original is removed.
fn moved(was: &FileIdentity, from: Option<&FileIdentity>, to: Option<&FileIdentity>) -> StepState {
    let is_it = |found: &FileIdentity| found.same(was);
    match (from.map(is_it), to.map(is_it)) {
        (Some(true), None) => StepState::Unchanged,
        (Some(true), Some(true)) => StepState::Partial,
        (None, Some(true)) => StepState::Done,
        (Some(false), _) | (_, Some(false)) | (None, None) => StepState::Diverged,
    }
}

/// Whether the manager does not have to read the unit again.
fn is_read(entry: &Entry, read: Option<&UnitRead>) -> bool {
    match read {
        None | Some(UnitRead::Current) => true,
        Some(UnitRead::Stale) => false,
        // A link may be an alias or a mask, and a unit whose file is missing may have another file.
        Some(UnitRead::Nothing | UnitRead::Elsewhere(_)) => !matches!(entry, Entry::File { .. }),
    }
}

fn state_of_dir(before: &Dir, now: &Dir) -> StepState {
    match (before, now) {
        (Dir::Absent { missing: before }, Dir::Absent { missing: now }) => {
            if now.len() < before.len() {
                StepState::Partial
            } else {
                StepState::Unchanged
            }
        }
        _ if before == now => StepState::Unchanged,
        _ => StepState::Diverged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cell. A new variant of [`Recorded`] or [`StepState`] does not compile in the matches above.
    #[test]
    fn each_cell_of_the_table_has_its_action() {
        use StepState::{Diverged, Done, Partial, Unchanged};
        let before = || Observed::Nothing;
        let states = [Unchanged, Partial, Done, Diverged];
        let begin = [FinishAction::Begin; 4];
        let nothing = [UndoAction::Nothing; 4];
        let back = [UndoAction::Nothing, UndoAction::Inverse, UndoAction::Inverse, UndoAction::Leave];
        let table = [
            (Recorded::Untouched, begin, nothing),
            (
                Recorded::Skipped,
                [FinishAction::Renew, FinishAction::Renew, FinishAction::Continue, FinishAction::Renew],
                nothing,
            ),
            (Recorded::Undone, begin, nothing),
            (
                Recorded::Started { before: before() },
                [FinishAction::Perform, FinishAction::Perform, FinishAction::NoteDone, FinishAction::Stop],
                back,
            ),
            (
                Recorded::Done { before: before() },
                [FinishAction::Perform, FinishAction::Perform, FinishAction::Continue, FinishAction::Leave],
                back,
            ),
        ];
        for (recorded, finish, undo) in table {
            assert_eq!(states.map(|state| recorded.to_finish(state)), finish, "{recorded:?}");
            assert_eq!(states.map(|state| recorded.to_undo(state)), undo, "{recorded:?}");
        }
    }
}
