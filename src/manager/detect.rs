//! Which service manager this host has for us, and why not another. Pure: [`gather`](super::gather) looks,
//! [`detect`] decides.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::backend::{Domain, Launchd, Manager, Systemd};
use super::state::Told;
use super::systemd::parse::{self, About};
use crate::unit::target::Scope;

/// What decides. Plain data: a report can carry it, a test is a literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// `linux`, `macos`, …
    pub os: String,
    /// `PARACHUTE_MANAGER`: what a person insists on.
    pub asked: Option<String>,
    /// Who we act as.
    pub uid: u32,
    /// Their name, if the password database has one.
    pub name: Option<String>,
    /// Their homes: `$HOME`, and that of the password database.
    pub homes: Vec<PathBuf>,
    /// Who became root with sudo.
    pub sudo_by: Option<String>,
    /// This is an SSH session.
    pub ssh: bool,
    /// What kind of container this is, if it is one.
    pub container: Option<String>,
    /// This is the Windows Subsystem for Linux.
    pub wsl: bool,
    /// Name of process 1.
    pub init: Option<String>,
    /// What systemd says; `None`: it was not asked.
    pub systemd: Option<SystemdFacts>,
    /// What launchd says; `None`: it was not asked.
    pub launchd: Option<LaunchdFacts>,
}

/// What systemd says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemdFacts {
    /// There is a `systemctl`.
    pub systemctl: bool,
    /// The system's manager.
    pub system: Told<About>,
    /// Where the person's manager is looked for.
    pub runtime_dir: Option<PathBuf>,
    /// The person's manager.
    pub user: Told<About>,
}

/// What launchd says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchdFacts {
    /// There is a `launchctl`.
    pub launchctl: bool,
    /// `gui/<uid>` is there.
    pub gui: Told<bool>,
    /// `user/<uid>` is there.
    pub user: Told<bool>,
    /// Whose the screen is.
    pub console_uid: Option<u32>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// Managers that are there and answer, the fittest first. A system's manager is listed for everybody, though only
    /// root can change it.
    pub candidates: Vec<Manager>,
    /// The one to use, unless a person asks for another.
    pub chosen: Option<Manager>,
    /// Why not the others.
    pub why_not: Vec<Why>,
}

/// Why a manager is none for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Which: `systemd (user)`.
    pub manager: String,
    /// Why not.
    pub because: String,
    /// What to type, if something helps.
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

/// Which managers these are whose facts are worth gathering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// systemd.
    Systemd,
    /// launchd.
    Launchd,
}

/// The family that is meant: what was asked for, else what this system has.
///
/// # Errors
/// None is: why.
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

/// What can always be done.
const SERVE: &str = "parachute serve";

/// What a Mac without anybody's session can do.
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
            // Without a system's manager there is none for a person either; one reason is enough.
            (Told::Unknown(_), _) if systemd.system.known().is_none() => {}
            // root has the system's manager.
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
    // The second is what systemd.unit(5) calls the user's own, where a manager did not say.
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
