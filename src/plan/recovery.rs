//! Where a step stands: compares what was found before it, what it wants, and what is found now. Pure.
//!
//! Nothing is ever overwritten that is neither what was there before nor what we put there: that is what `Neither`
//! says, and it is what keeps a change by somebody else.

use super::observed::{Before, Dir, Entry, Read, Thing};
use super::step::{Step, UNIT_MODE};
use crate::manager::state::Active;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The world is as it was before it.
    NotYet,
    /// It was begun, and what is there can only be its work: a file the manager has not read yet, one of two
    /// directories, a unit on its way up.
    Partly,
    /// What it wants is so.
    Done,
    /// Something else: somebody was here.
    Neither,
}

impl Step {
    /// Whether what it wants is so, whoever did it.
    #[must_use]
    pub fn reached(&self, now: &Before) -> bool {
        match (self, now) {
            (Self::MakeDir { .. }, Before::Dir { dir }) => {
                matches!(dir, Dir::Empty { .. } | Dir::Occupied { .. })
            }
            // With something of somebody else in it, it stays: there is nothing more to do.
            (Self::RemoveDir { .. }, Before::Dir { dir }) => {
                matches!(dir, Dir::Absent { .. } | Dir::Occupied { .. })
            }
            (_, Before::File { entry }) => self.wants(entry),
            (_, Before::Unit { entry, read, .. }) => self.wants(entry) && settled(entry, read.as_ref()),
            // What is gone lets nobody in.
            (Self::SetMode { mode, .. }, Before::Mode { mode: now }) => now.is_none_or(|now| now == *mode),
            (Self::Move { from, .. }, Before::Names { at }) => !at.contains_key(from),
            (Self::SetEnabled { enabled, .. }, Before::Enabled { enabled: now, .. }) => enabled == now,
            (Self::SetRunning { running: true, .. }, Before::Running { active, .. }) => {
                *active == Active::Running
            }
            (Self::SetRunning { running: false, .. }, Before::Running { active, .. }) => is_down(*active),
            (Self::SetLinger { on, .. }, Before::Linger { on: now }) => now.known() == Some(on),
            (Self::StopDaemons { .. } | Self::EndStarted { .. }, Before::Daemons { up }) => up.is_empty(),
            (Self::StartDaemons { daemons }, Before::Daemons { up }) => up.len() == daemons.len(),
            // A step that only waits is never over before it was tried; a mismatch is no fact about this step.
            _ => false,
        }
    }

    /// Whether this is what it wants to have its name.
    #[must_use]
    pub fn wants(&self, entry: &Entry) -> bool {
        match self {
            Self::PutFile { mode, content, .. } => entry.holds(*mode, &content.print()),
            Self::PutUnit { text, .. } => entry.holds(UNIT_MODE, &super::content::Print::of(text.as_bytes())),
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

    /// Where it stands.
    #[must_use]
    pub fn standing(&self, before: &Before, now: &Before) -> Standing {
        if let (Self::Move { from, to }, Before::Names { at: was }, Before::Names { at }) =
            (self, before, now)
            && let (Some(was), None) = (was.get(from), was.get(to))
        {
            return moved(was, at.get(from), at.get(to));
        }
        if self.reached(now) {
            return if self.lacks_its_mode(before, now) { Standing::Partly } else { Standing::Done };
        }
        match (before, now) {
            (Before::File { entry: before }, Before::File { entry: now }) if now.same(before) => {
                Standing::NotYet
            }
            (Before::Unit { entry: was, read: had, .. }, Before::Unit { entry, read, .. }) => {
                if entry.same(was) {
                    let unread = read != had && !settled(entry, read.as_ref());
                    if unread { Standing::Partly } else { Standing::NotYet }
                } else if self.wants(entry) {
                    Standing::Partly
                } else {
                    Standing::Neither
                }
            }
            (Before::Dir { dir: was }, Before::Dir { dir }) => dirs(was, dir),
            (Before::Mode { mode: was }, Before::Mode { mode }) if was == mode => Standing::NotYet,
            (Before::Enabled { .. }, Before::Enabled { .. }) => Standing::NotYet,
            (Before::Running { .. }, Before::Running { .. }) => self.runs(before, now),
            (Before::Linger { on: before }, Before::Linger { on: now }) => {
                if now.known().is_some() || now == before { Standing::NotYet } else { Standing::Neither }
            }
            // One that still lives may have been asked to end a moment ago, and nobody can see that.
            (Before::Daemons { .. }, Before::Daemons { .. }) => Standing::Partly,
            (Before::Nothing, _) => Standing::NotYet,
            _ => Standing::Neither,
        }
    }

    /// Killed between making a directory and giving it its mode, which the umask may have cut.
    fn lacks_its_mode(&self, before: &Before, now: &Before) -> bool {
        match (self, before, now) {
            (
                Self::MakeDir { mode, .. },
                Before::Dir { dir: Dir::Absent { .. } },
                Before::Dir { dir: Dir::Empty { mode: now } | Dir::Occupied { mode: now } },
            ) => mode != now,
            _ => false,
        }
    }

    fn runs(&self, before: &Before, now: &Before) -> Standing {
        let (Before::Running { active: was, life: had }, Before::Running { active, life }) = (before, now)
        else {
            return Standing::Neither;
        };
        let same = match self {
            // Another life than before: it went down and something brought it up again, perhaps with another
            // definition. Only stopping and starting it puts that back.
            Self::SetRunning { running: false, .. } => active == was && life == had,
            _ => active == was || (*active == Active::Stopped && is_down(*was)),
        };
        if same { Standing::NotYet } else { Standing::Partly }
    }
}

/// Whether it does not run and is not about to.
#[must_use]
pub fn is_down(active: Active) -> bool {
    match active {
        Active::Stopped | Active::Failed => true,
        Active::Running
        | Active::Starting
        | Active::Stopping
        | Active::Restarting
        // A label that stays loaded would bring back what was taken away.
        | Active::Idle => false,
    }
}

/// Where something is that was to be moved. At both places: across file systems the copy comes before the end of what
/// was copied.
fn moved(was: &Thing, from: Option<&Thing>, to: Option<&Thing>) -> Standing {
    let is_it = |thing: &Thing| thing.same(was);
    match (from.map(is_it), to.map(is_it)) {
        (Some(true), None) => Standing::NotYet,
        (Some(true), Some(true)) => Standing::Partly,
        (None, Some(true)) => Standing::Done,
        (Some(false), _) | (_, Some(false)) | (None, None) => Standing::Neither,
    }
}

/// Whether the manager has nothing left to read.
fn settled(entry: &Entry, read: Option<&Read>) -> bool {
    match read {
        None | Some(Read::Current) => true,
        Some(Read::Stale) => false,
        // Of a link it may make an alias or a mask, and of what is gone it may know another file.
        Some(Read::Nothing | Read::Elsewhere(_)) => !entry.is_file(),
    }
}

fn dirs(before: &Dir, now: &Dir) -> Standing {
    match (before, now) {
        (Dir::Absent { missing: before }, Dir::Absent { missing: now }) => {
            if now.len() < before.len() {
                Standing::Partly
            } else {
                Standing::NotYet
            }
        }
        _ if before == now => Standing::NotYet,
        _ => Standing::Neither,
    }
}
