//! Which process holds a port, and which command to suggest: the only place of this program that prints `kill`. Pure.
//!
//! ```text
//!   look (reads /proc) ──► Scene ──judge (pure)──► Occupant ──► words, hints
//! ```
//!
//! A hint must be safe to type, so it never names a process whose end stops more than the listener: process 1, a user's
//! service manager, a hub, a hub's module, or an ancestor of this command. A process under a supervisor is restarted
//! when it is killed: there the hint names the supervisor's own command.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error_chain::Hints;
use crate::module::problem::Holder;
use crate::module::shell::quote as quoted;

pub(crate) mod judge;
mod keepers;
pub(crate) mod look;
mod manager;
mod unit_file;

pub(crate) use manager::ServiceManager;

/// The holder of a port, as shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupant {
    /// Port, process and command line.
    pub holder: Holder,
    /// What kind of process it is.
    pub kind: Kind,
    /// It is a process of the asking user.
    pub own: bool,
    /// The asking user has root's rights.
    pub root: bool,
}

/// What kind of process has the port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Kind {
    /// A process that this user may not inspect, one of another container, or the kernel itself.
    Unseen,
    Hub(Of),
    /// A process of a module.
    Module {
        /// Its short name; `None`: the hub started it, but its module is unknown.
        short: Option<String>,
        /// The hub it belongs to.
        of: Of,
    },
    /// The detached hub of the home.
    Detached,
    /// A service manager that holds the port for a hub: [`UnitName::socket`](crate::unit::name::UnitName::socket).
    Socket(Of),
    /// A service manager that holds the port for another unit.
    Manager(ServiceManager),
    /// An ancestor of this command: a terminal, an editor, an ssh server.
    Above,
    /// The main process of a service.
    Service {
        /// Its name in systemd.
        unit: String,
        manager: ServiceManager,
    },
    /// A process in the control group of a service, which may be restarted with it.
    Within {
        /// Its name in systemd.
        unit: String,
        manager: ServiceManager,
    },
    /// A supervisor, or a process of one.
    Kept {
        /// The supervisor's name.
        by: String,
        /// The supervisor's command that stops the process or shows what to stop.
        tell: String,
    },
    /// A user's session: forwarded ports and windows end with it.
    Session,
    /// A kernel thread.
    Kernel,
    /// It is unknown whether this command runs under it.
    Unknown,
    /// Any other process.
    Stranger,
}

/// To which hub it belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    /// Its home, if known.
    pub home: Option<PathBuf>,
    /// It is the hub that the caller asks about.
    pub ours: bool,
    /// Its service manager; `None`: it runs in the foreground.
    pub manager: Option<ServiceManager>,
}

impl Occupant {
    /// `pid 812 (node server.js)`, with its kind where that adds something.
    #[must_use]
    pub fn words(&self) -> String {
        let process = self.holder.phrase();
        match &self.kind {
            Kind::Hub(of) => format!("{process}, the hub{}", of.words()),
            Kind::Module { short: Some(short), of } => format!("{process}, module {short}{}", of.words()),
            Kind::Module { short: None, of } => format!("{process}, started by the hub{}", of.words()),
            Kind::Socket(of) => {
                let socket = manager::hub_socket();
                let manager = of.manager.as_ref().map_or_else(String::new, ServiceManager::words);
                format!("{socket}, the socket of the hub{}, in {manager} ({process})", of.words())
            }
            Kind::Manager(manager) if !manager.has_units() => format!("{process}, process 1"),
            Kind::Manager(manager) => format!("{process}, {}, for one of its units", manager.words()),
            Kind::Above => format!("{process}, which this command runs under"),
            Kind::Service { unit, .. } | Kind::Within { unit, .. } => format!("{process}, of {unit}"),
            Kind::Kept { by, .. } => format!("{process}, managed by {by}"),
            Kind::Detached => format!("{process}, the detached hub of this home"),
            Kind::Kernel => format!("{process}, a kernel thread"),
            Kind::Unseen | Kind::Session | Kind::Unknown | Kind::Stranger => process,
        }
    }

    /// The command about the port of a module. It never stops the hub that asks, or that hub's own socket.
    #[must_use]
    pub fn hint_for(&self, module: &str) -> String {
        let other = || format!("give {module} another port in services.json");
        match (&self.kind, self.holder.pid) {
            (Kind::Hub(of) | Kind::Socket(of), _) if of.ours => other(),
            // The hub has ended it, and it was started again.
            (Kind::Module { short: Some(short), of }, Some(pid)) if of.ours && short == module => {
                format!("ps -fp {pid}     (its parent, PPID, starts it again)")
            }
            _ => self.hint().unwrap_or_else(other),
        }
    }

    /// The same for a caller that only wants to look: a process that may be stopped is shown first.
    #[must_use]
    pub fn look(&self) -> Option<String> {
        match (&self.kind, self.holder.pid) {
            (Kind::Stranger, Some(pid)) => Some(format!("ps -fp {pid}")),
            _ => self.hint(),
        }
    }

    /// The commands that can be typed about a process.
    fn about(&self, kind: &Kind, pid: u32) -> Vec<String> {
        let sudo = if self.root { "" } else { "sudo " };
        let one = |text: String| vec![text];
        match kind {
            Kind::Module { short: Some(short), of } => {
                self.verb(of, &format!("stop {}", quoted(short))).into_iter().collect()
            }
            Kind::Module { short: None, of } => self
                .verb(of, "stop")
                .map(|stop| format!("{stop}     (the hub, and all that it started)"))
                .into_iter()
                .collect(),
            Kind::Manager(manager) => {
                let list = manager.systemctl(self.root, true).map(|systemctl| {
                    let port = self.holder.port;
                    format!("{systemctl} list-sockets     (the unit to stop is in the row of port {port})")
                });
                list.into_iter().collect()
            }
            Kind::Service { unit, manager } => {
                let stop = manager.systemctl(self.root, false);
                stop.map(|systemctl| format!("{systemctl} stop {}", quoted(unit))).into_iter().collect()
            }
            Kind::Within { manager, .. } => {
                let show = manager.systemctl(self.root, true);
                show.map(|systemctl| format!("{systemctl} status {pid}     (the service that it belongs to)"))
                    .into_iter()
                    .collect()
            }
            Kind::Kept { tell, .. } => one(tell.clone()),
            Kind::Detached => one("parachute migrate --to-supervised".to_owned()),
            Kind::Above | Kind::Kernel | Kind::Hub(_) | Kind::Socket(_) => Vec::new(),
            Kind::Session | Kind::Unknown | Kind::Unseen => one(format!("ps -fp {pid}")),
            Kind::Stranger if self.own => one(format!("kill {pid}")),
            Kind::Stranger => one(format!("{sudo}kill {pid}")),
        }
    }

    /// A verb of this program for that hub, if the asking user may use it.
    fn verb(&self, of: &Of, verb: &str) -> Option<String> {
        let home = match &of.home {
            _ if of.ours => String::new(),
            Some(home) => format!("--home {} ", quoted(&home.to_string_lossy())),
            None => return None,
        };
        let command = format!("parachute {home}{verb}");
        let manager = of.manager.as_ref();
        if let Some(person) = manager.and_then(ServiceManager::other_person) {
            let name = person.as_ref().filter(|_| self.root)?;
            return Some(format!("su - {} -c {}", quoted(name), quoted(&command)));
        }
        if manager.is_some_and(ServiceManager::takes_root) && (of.ours || self.own) {
            return Some(format!("{}{command}", if self.root { "" } else { "sudo " }));
        }
        (self.own || self.root).then_some(command)
    }

    fn about_socket(&self, of: &Of) -> Vec<String> {
        let start = self.verb(of, "start").filter(|_| of.ours);
        let start = start.map(|start| format!("{start}     (the hub that it is kept for)"));
        let free = self.verb(of, "stop").or_else(|| {
            // If the home is unknown, by the unit itself; never another user's unit.
            let may = self.root || of.manager.as_ref().is_some_and(ServiceManager::is_own);
            let systemctl = of.manager.as_ref().filter(|_| may)?.systemctl(self.root, false)?;
            Some(format!("{systemctl} stop {}", manager::hub_socket()))
        });
        start.into_iter().chain(free.map(|free| format!("{free}     (frees the port)"))).collect()
    }
}

impl Hints for Occupant {
    fn hints(&self) -> Vec<String> {
        let sudo = if self.root { "" } else { "sudo " };
        let one = |text: String| vec![text];
        let unseen = || one(format!("{sudo}ss -ltnp 'sport = :{}'", self.holder.port));
        match (&self.kind, self.holder.pid) {
            (Kind::Socket(of), _) => self.about_socket(of),
            (Kind::Hub(of), _) => self.verb(of, "stop").into_iter().collect(),
            (_, None) => unseen(),
            (kind, Some(pid)) => self.about(kind, pid),
        }
    }
}

impl Of {
    fn words(&self) -> String {
        match (&self.home, self.ours) {
            (_, true) | (None, false) => String::new(),
            (Some(home), false) => format!(" of {}", home.display()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
