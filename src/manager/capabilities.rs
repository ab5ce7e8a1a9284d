//! What the rest of this program asks of a service manager. Each manager answers in its own folder, and
//! [`Manager`](super::backend::Manager) leads there: nothing else asks which manager it is. Pure.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use super::autostart::Autostart;
use super::invocation::Invocation;
use super::state::{Told, UnitState};
use crate::unit::name::UnitName;
use crate::unit::target::Target;

/// What a manager can do, how it is asked, and what follows from how it works. Pure.
pub trait Capabilities: Debug {
    /// The format of its units.
    fn target(&self) -> Target;

    /// The directory of our units.
    fn dir(&self) -> &Path;

    /// For people: `systemd (user)`, `launchd (gui/501)`.
    fn words(&self) -> String;

    /// Whether changing it takes root.
    fn is_system(&self) -> bool {
        self.target().is_system()
    }

    /// As the manager calls the unit.
    fn name_of(&self, unit: &UnitName) -> String {
        self.target().name_of(unit)
    }

    fn file(&self, unit: &UnitName) -> PathBuf {
        self.dir().join(self.target().file_name(unit))
    }

    /// Whether it can hold a listening socket for a unit, as an object of its own: an earlier version installed one.
    fn holds_sockets(&self) -> bool {
        self.target().holds_sockets()
    }

    /// Whether this cgroup is that of its unit, and not that of a unit with the same name in another manager.
    fn runs_in(&self, _unit: &UnitName, _cgroup: &Path) -> bool {
        false
    }

    /// The hub's objects in it, the service first; then the socket, which an earlier version may have installed.
    fn units(&self) -> Vec<UnitName> {
        let hub = UnitName::hub();
        let socket = self.holds_sockets().then(|| hub.socket());
        std::iter::once(hub).chain(socket).collect()
    }

    /// Whether it keeps what a unit prints, and shows it with the unit's state.
    fn keeps_log(&self) -> bool;

    /// Whether it knows a unit from its file alone, when it does not run too. One that does not reads the file at each
    /// start, and forgets a unit that is stopped.
    fn keeps_definitions(&self) -> bool;

    /// Whether its units can outlive their person's logins by a switch of that person: linger.
    fn lingers(&self) -> bool;

    /// Whether its units end with their person's login, whatever is set.
    fn ends_with_login(&self) -> bool;

    /// Whether another manager of the same person reads the same files, and may have the unit instead.
    fn shares_files(&self) -> bool;

    /// Whether a service comes back by itself, by its state and its person's linger.
    fn autostart(&self, service: &UnitState, linger: &Told<bool>) -> Autostart;

    /// Makes it read its unit files again; empty: there is no such command.
    fn reload_commands(&self) -> Vec<Invocation>;

    /// Sets whether a unit is enabled.
    fn enable_commands(&self, unit: &UnitName, enabled: bool) -> Vec<Invocation>;

    /// Starts a unit, whatever its earlier failures. The last of them does it.
    fn start_commands(&self, unit: &UnitName) -> Vec<Invocation>;

    fn stop_commands(&self, unit: &UnitName) -> Vec<Invocation>;

    /// Sets linger of a person; empty: there is none.
    fn linger_commands(&self, person: &str, on: bool) -> Vec<Invocation>;

    /// Turns linger of a person on, as that person types it; `None`: there is none.
    fn linger_hint(&self, person: &str) -> Option<String>;

    /// Shows the state of a unit, as a person types it.
    fn status_command(&self, unit: &UnitName) -> String;

    /// Shows the text of a unit and of what changes it, as a person types it.
    fn definition_command(&self, unit: &UnitName) -> String;

    /// Makes it forget that a unit has failed, if it would keep that in its lists.
    fn forget_failure(&self, unit: &UnitName) -> Option<Invocation>;
}
