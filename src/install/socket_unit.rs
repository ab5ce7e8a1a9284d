//! The socket unit that an earlier version installed beside the service, so that systemd held the hub's port. `init`
//! removes it; one that another program or its user wrote is left alone. Pure.

use super::facts::{Facts, OnDisk, UnitFacts};
use super::refusal::InstallRefusal;
use crate::plan::Note;
use crate::plan::step::Step;
use crate::unit::name::Part;

/// How every unit that this program has written begins.
const WRITTEN_BY_US: &str = "# Written by parachute.";

/// Whose the socket unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketUnit {
    /// There is none.
    Absent,
    /// An earlier version wrote it, and it is unchanged.
    Ours,
    /// It is ours and its file was deleted, but the manager still holds the port by it.
    FileGone,
    /// It was changed after an earlier version wrote it, or no receipt says what that version wrote.
    Changed,
    /// Another program, or its user, wrote it.
    Foreign,
}

/// The socket's facts, where the manager can have sockets.
#[must_use]
pub(crate) fn of(facts: &Facts) -> Option<&UnitFacts> {
    facts.units.iter().find(|unit| unit.unit.part() == Part::Socket)
}

/// Whose it is, as far as that can be proven.
#[must_use]
pub(crate) fn judge(socket: &UnitFacts) -> SocketUnit {
    let listens = socket.state.running().is_true();
    match (&socket.on_disk, &socket.written) {
        (OnDisk::Nothing, Some(_)) if listens && socket.state.shadow_of(&socket.path).is_none() => {
            SocketUnit::FileGone
        }
        (OnDisk::Nothing, _) if listens => SocketUnit::Foreign,
        (OnDisk::Nothing, _) => SocketUnit::Absent,
        (OnDisk::Text(text), Some(written)) if text == written => SocketUnit::Ours,
        (OnDisk::Text(_), Some(_)) => SocketUnit::Changed,
        (OnDisk::Text(text), None) if text.starts_with(WRITTEN_BY_US) => SocketUnit::Changed,
        // A link may be a mask, which its user made.
        (OnDisk::Text(_) | OnDisk::Other(_), _) => SocketUnit::Foreign,
    }
}

/// What a plan does about it.
#[derive(Debug, Default)]
pub(super) struct Removal<'a> {
    /// The socket that the plan removes.
    pub(super) of: Option<&'a UnitFacts>,
    /// What changed it and has no effect without it; or that it is kept.
    pub(super) notes: Vec<Note>,
}

/// What an installation does about it; `replace`: what was changed may be replaced.
///
/// # Errors
/// [`InstallRefusal::Edited`], [`InstallRefusal::Foreign`].
pub(super) fn removal(facts: &Facts, replace: bool) -> Result<Removal<'_>, InstallRefusal> {
    let Some(socket) = of(facts) else { return Ok(Removal::default()) };
    let path = || socket.path.clone();
    match judge(socket) {
        SocketUnit::Absent => Ok(Removal::default()),
        SocketUnit::Changed if !replace => Err(match &socket.written {
            Some(_) => InstallRefusal::Edited { path: path() },
            None => InstallRefusal::Foreign { path: path() },
        }),
        SocketUnit::Ours | SocketUnit::FileGone | SocketUnit::Changed => {
            let drop_ins = socket.state.drop_ins.iter();
            let unused = drop_ins.map(|file| {
                Note::new(format!("{} changed {}, and is kept unused", file.display(), socket.unit))
            });
            Ok(Removal { of: Some(socket), notes: unused.collect() })
        }
        SocketUnit::Foreign => {
            let file = socket.state.shadow_of(&socket.path).unwrap_or(&socket.path).display();
            let text = format!("{file} was not written by this program and is kept: it may hold the port");
            Ok(Removal { of: None, notes: vec![Note::new(text)] })
        }
    }
}

impl Removal<'_> {
    /// Stops it. To come before the stop of the service: a client in between would start the service again.
    pub(super) fn stops(&self) -> Vec<Step> {
        let Some(UnitFacts { unit, path, on_disk, written, .. }) = self.of else { return Vec::new() };
        let stop = Step::SetRunning { unit: unit.clone(), running: false };
        match (on_disk, written) {
            // Without its file it could be stopped, but not started again by an undo.
            (OnDisk::Nothing, Some(text)) => {
                vec![Step::PutUnit { unit: unit.clone(), path: path.clone(), text: text.clone() }, stop]
            }
            _ => vec![stop],
        }
    }

    /// Removes it, once it is stopped.
    pub(super) fn removes(&self) -> Vec<Step> {
        let Some(UnitFacts { unit, path, .. }) = self.of else { return Vec::new() };
        vec![
            Step::SetEnabled { unit: unit.clone(), enabled: false },
            Step::RemoveUnit { unit: unit.clone(), path: path.clone() },
        ]
    }
}
