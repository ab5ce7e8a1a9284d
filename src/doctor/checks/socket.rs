//! Whether a socket unit of an earlier version holds the hub's port. Pure.

use super::unit::WOULD;
use crate::doctor::check::{Check, Id, Mend};
use crate::install::facts::Facts;
use crate::install::socket_unit::{self, SocketUnit};

/// `None`: this manager holds no sockets.
pub(super) fn check(install: &Facts) -> Option<Check> {
    const ID: Id = Id::UnitSocket;
    let socket = socket_unit::of(install)?;
    let (manager, path) = (install.manager.words(), socket.path.display());
    let holds = format!("{manager} holds the port by {path}, a socket unit of an earlier version");
    Some(match socket_unit::judge(socket) {
        SocketUnit::Absent => Check::ok(ID, "the hub opens its port itself"),
        SocketUnit::Ours => Check::warn(ID, holds, "parachute init").mended_by(Mend::Install),
        SocketUnit::FileGone => {
            let text = format!("{holds}, whose file is gone");
            Check::warn(ID, text, "parachute init").mended_by(Mend::Install)
        }
        SocketUnit::Changed => match &socket.written {
            Some(_) => Check::warn(ID, format!("{holds}, which was changed since"), WOULD),
            None => Check::warn(ID, format!("{holds}, which no receipt mentions"), WOULD),
        },
        // `serve` takes a socket that it is handed: that is its user's choice.
        SocketUnit::Foreign => Check::ok(ID, format!("{path} is not of this program, and is left alone")),
    })
}
