//! Which service manager this host offers us, and why not another. Pure: [`gather`](super::gather) reads the facts,
//! [`detect`] decides.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::backend::{Domain, Launchd, Manager, Systemd};
use super::state::Told;
use super::systemd::parse::{self, About};
use crate::unit::target::Scope;

/// The facts for the decision. Plain data: a report can contain it, a test is a literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// `linux`, `macos`, …
    pub os: String,
    /// `PARACHUTE_MANAGER`: the user's choice.
    pub asked: Option<String>,
    /// The user we act as.
    pub uid: u32,
    /// The user's name, if the password database has one.
    pub name: Option<String>,
    /// The user's homes: `$HOME`, and that of the password database.
    pub homes: Vec<PathBuf>,
    /// The user who became root with sudo.
    pub sudo_by: Option<String>,
    /// This is an SSH session.
    pub ssh: bool,
    /// What kind of container this is, if it is one.
    pub container: Option<String>,
    /// This is the Windows Subsystem for Linux.
    pub wsl: bool,
    /// Name of process 1.
    pub init: Option<String>,
    /// Facts about systemd; `None`: not asked.
    pub systemd: Option<SystemdFacts>,
    /// Facts about launchd; `None`: not asked.
    pub launchd: Option<LaunchdFacts>,
}

/// Facts about systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemdFacts {
    /// Whether `systemctl` exists.
    pub systemctl: bool,
    /// The system's manager.
    pub system: Told<About>,
    /// The directory in which the user's manager is looked for.
    pub runtime_dir: Option<PathBuf>,
    /// The user's manager.
    pub user: Told<About>,
}

/// Facts about launchd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchdFacts {
    /// Whether `launchctl` exists.
    pub launchctl: bool,
    /// Whether `gui/<uid>` exists.
    pub gui: Told<bool>,
    /// Whether `user/<uid>` exists.
    pub user: Told<bool>,
    /// The user logged in at the screen.
    pub console_uid: Option<u32>,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// Managers that run and answer, the most suitable first. The system manager is listed for every user, though only
    /// root can change it.
    pub candidates: Vec<Manager>,
    /// The one to use, unless the user asks for another.
    pub chosen: Option<Manager>,
    /// Why not the others.
    pub why_not: Vec<Why>,
}

/// Why a manager cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Which: `systemd (user)`.
    pub manager: String,
    /// The reason.
    pub because: String,
    /// What to type, if a command helps.
    pub next: Option<String>,
}

impl Detected {
    fn none() -> Self {
        Self { candidates: Vec::new(), chosen: None, why_not: Vec::new() }
    }

    fn not(&mut self, manager: &str, because: impl Into<String>, next: Option<&str>) {
        let (manager, next) = (manager.to_owned(), next.map(ToOwned::to_owned));
        self.why_not.push(Why { manager, because: because.into(), next });
    }
}

/// Families of managers, whose facts are gathered separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// systemd.
    Systemd,
    /// launchd.
    Launchd,
}

/// The family to use: the requested one, else that of this system.
///
/// # Errors
/// The reason, if there is none.
pub fn family(os: &str, asked: Option<&str>) -> Result<Family, Why> {
    let why = |manager: &str, because: String, next: &str| Why {
        manager: manager.to_owned(),
        because,
        next: Some(next.to_owned()),
    };
    match (asked, os) {
        (Some("systemd"), _) | (None, "linux") => Ok(Family::Systemd),
        (Some("launchd"), _) | (None, "macos") => Ok(Family::Launchd),
        (Some("none"), _) => Err(why(
            "any",
            "PARACHUTE_MANAGER=none: no service manager is used".to_owned(),
            "unset PARACHUTE_MANAGER",
        )),
        (Some(other), _) => Err(why(
            other,
            "PARACHUTE_MANAGER takes systemd, launchd or none".to_owned(),
            "unset PARACHUTE_MANAGER",
        )),
        (None, os) => Err(why("any", format!("{os} has neither systemd nor launchd"), SERVE)),
    }
}

/// Works without a manager.
const SERVE: &str = "parachute serve";

/// The command for a Mac without a user session.
const DAEMON: &str = "sudo parachute init --scope system     (a daemon needs no session)";

/// Decides.
#[must_use]
pub fn detect(facts: &HostFacts) -> Detected {
    let mut found = Detected::none();
    match family(&facts.os, facts.asked.as_deref()) {
        Ok(Family::Systemd) => match &facts.systemd {
            Some(systemd) => under_systemd(facts, systemd, &mut found),
            None => found.not("systemd", "it was not asked", None),
        },
        Ok(Family::Launchd) => match &facts.launchd {
            Some(launchd) => under_launchd(facts, launchd, &mut found),
            None => found.not("launchd", "it was not asked", None),
        },
        Err(why) => found.why_not.push(why),
    }
    let root = facts.uid == 0;
    found.chosen = found.candidates.iter().find(|manager| manager.is_system() == root).cloned();
    found
}

fn under_systemd(facts: &HostFacts, systemd: &SystemdFacts, found: &mut Detected) {
    let (user, system) = ("systemd (user)", "systemd (system)");
    if !systemd.systemctl {
        let because = container(facts).unwrap_or("there is no `systemctl` on PATH".to_owned());
        return found.not("systemd", because, Some(SERVE));
    }
    if let Some(by) = &facts.sudo_by {
        let because = format!("this runs as root; the manager of {by} answers only to {by}");
        found.not(user, because, Some(&format!("parachute init   # as {by}, without sudo")));
    } else {
        match (&systemd.user, &systemd.runtime_dir) {
            (Told::Known(about), Some(dir)) => {
                found.candidates.push(Manager::Systemd(of_person(facts, about, dir.clone())));
            }
            // Without a system manager there is no user manager either; one reason is enough.
            (Told::Unknown(_), _) if systemd.system.known().is_none() => {}
            // Root uses the system manager.
            (Told::Unknown(_), _) if facts.uid == 0 => {}
            (_, None) => found.not(
                user,
                format!(
                    "no systemd user manager runs for {}: /run/user/{} does not exist",
                    who(facts),
                    facts.uid
                ),
                Some(&format!("sudo loginctl enable-linger {}", who(facts))),
            ),
            (Told::Unknown(because), Some(dir)) => found.not(
                user,
                format!("the manager of {} does not answer at {}: {because}", who(facts), dir.display()),
                Some(&format!("sudo systemctl restart user@{}.service", facts.uid)),
            ),
        }
    }
    match &systemd.system {
        Told::Known(about) => found.candidates.push(Manager::Systemd(Systemd {
            scope: Scope::System,
            version: about.version,
            // systemd.unit(5), UNIT FILE LOAD PATH: "System units created by the administrator".
            dir: PathBuf::from("/etc/systemd/system"),
            runtime_dir: None,
        })),
        Told::Unknown(because) => {
            let because = container(facts).unwrap_or_else(|| not_booted(facts, because));
            found.not(system, because, Some(SERVE));
        }
    }
}

fn of_person(facts: &HostFacts, about: &About, runtime_dir: PathBuf) -> Systemd {
    let homes: Vec<_> = facts.homes.iter().map(PathBuf::as_path).collect();
    // The second is the default of systemd.unit(5), if the manager did not report its path.
    let dir = parse::unit_dir(about, &homes).unwrap_or_else(|| home(facts).join(".config/systemd/user"));
    Systemd { scope: Scope::User, version: about.version, dir, runtime_dir: Some(runtime_dir) }
}

fn container(facts: &HostFacts) -> Option<String> {
    let init = facts.init.as_deref().filter(|init| *init != "systemd")?;
    if facts.wsl {
        return Some(
            "WSL runs without systemd here: set `systemd=true` under `[boot]` in /etc/wsl.conf".to_owned(),
        );
    }
    let kind = facts.container.as_deref()?;
    Some(format!("this is a container ({kind}) whose first process is `{init}`: it has no service manager"))
}

fn not_booted(facts: &HostFacts, because: &str) -> String {
    match facts.init.as_deref() {
        Some(init) if init != "systemd" => format!("process 1 is `{init}`, not systemd"),
        _ => format!("systemd does not answer: {because}"),
    }
}

fn under_launchd(facts: &HostFacts, launchd: &LaunchdFacts, found: &mut Detected) {
    if !launchd.launchctl {
        return found.not("launchd", "there is no `launchctl` on PATH", Some(SERVE));
    }
    let (gui, user) = (Domain::Gui(facts.uid), Domain::User(facts.uid));
    let words = |domain: Domain| format!("launchd ({})", domain.words());
    let agent = |domain| Manager::Launchd(Launchd { domain, dir: home(facts).join("Library/LaunchAgents") });
    if let Some(by) = &facts.sudo_by {
        let because = format!("this runs as root; an agent of {by} is loaded by {by}");
        found.not("launchd (gui)", because, Some(&format!("parachute init   # as {by}, without sudo")));
    } else if facts.uid != 0 {
        // Homebrew's rule (Library/Homebrew/services/system.rb): over SSH the screen's domain is ours only if the
        // screen is.
        let screen_is_ours = !facts.ssh || launchd.console_uid == Some(facts.uid);
        match (&launchd.gui, screen_is_ours) {
            (Told::Known(true), true) => found.candidates.push(agent(gui)),
            (Told::Known(true), false) => {
                found.not(&words(gui), "this is an SSH session, and another user is at the screen", None);
            }
            (Told::Known(false), _) => {
                let because = format!("{} is not logged in at the screen", who(facts));
                found.not(&words(gui), because, None);
            }
            (Told::Unknown(because), _) => found.not(&words(gui), because, None),
        }
        match &launchd.user {
            Told::Known(true) => found.candidates.push(agent(user)),
            Told::Known(false) => found.not(&words(user), "launchd has no such domain", Some(DAEMON)),
            Told::Unknown(because) => found.not(&words(user), because, Some(SERVE)),
        }
    }
    let dir = PathBuf::from("/Library/LaunchDaemons");
    found.candidates.push(Manager::Launchd(Launchd { domain: Domain::System, dir }));
}

fn who(facts: &HostFacts) -> String {
    facts.name.clone().unwrap_or_else(|| format!("user {}", facts.uid))
}

fn home(facts: &HostFacts) -> PathBuf {
    facts.homes.first().cloned().unwrap_or_else(|| PathBuf::from("/"))
}

#[cfg(test)]
mod tests;
