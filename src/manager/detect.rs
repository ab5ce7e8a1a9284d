//! Which service manager this host offers us, and why not another. Pure: [`gather`](super::gather) reads the facts,
//! [`detect`] decides.

use serde::{Deserialize, Serialize};

use super::backend::Manager;
use super::host::{Candidates, Host, SERVE, Unavailable};
use super::launchd::detect::LaunchdFacts;
use super::systemd::detect::SystemdFacts;
use super::{launchd, systemd};

/// The facts for the decision. Plain data: a report can contain it, a test is a literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostFacts {
    /// Whichever managers it has.
    #[serde(flatten)]
    pub host: Host,
    /// What systemd says; `None`: it was not asked.
    pub systemd: Option<SystemdFacts>,
    /// Facts about launchd; `None`: not asked.
    pub launchd: Option<LaunchdFacts>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Detected {
    /// Managers that run and answer, the most suitable first. The system manager is listed for every user, though only
    /// root can change it.
    pub candidates: Vec<Manager>,
    /// The one to use, unless the user asks for another.
    pub chosen: Option<Manager>,
    /// Why not the others.
    pub why_not: Vec<Unavailable>,
}

/// A kind of manager, before one of it is found.
#[derive(Debug)]
pub(crate) struct Family {
    /// As a person asks for it with `PARACHUTE_MANAGER`.
    pub name: &'static str,
    /// The system on which it is the default: [`std::env::consts::OS`].
    pub os: &'static str,
    detect: fn(&HostFacts) -> Candidates<Manager>,
}

/// Every kind, in the order in which they are preferred.
pub(crate) static FAMILIES: [Family; 2] = [
    Family {
        name: "systemd",
        os: "linux",
        detect: |facts| systemd::detect::detect(&facts.host, facts.systemd.as_ref()).map(Manager::Systemd),
    },
    Family {
        name: "launchd",
        os: "macos",
        detect: |facts| launchd::detect::detect(&facts.host, facts.launchd.as_ref()).map(Manager::Launchd),
    },
];

/// The kinds that are meant: the one that was asked for, else those of this system.
///
/// # Errors
/// None is: why.
pub(crate) fn families(os: &str, asked: Option<&str>) -> Result<Vec<&'static Family>, Unavailable> {
    let why = |manager: &str, because: String, next: &str| Unavailable {
        manager: manager.to_owned(),
        because,
        next: Some(next.to_owned()),
    };
    let names = |between: &str| FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join(between);
    let meant = |family: &&Family| asked.map_or(family.os == os, |asked| family.name == asked);
    let meant: Vec<&Family> = FAMILIES.iter().filter(meant).collect();
    match asked {
        _ if !meant.is_empty() => Ok(meant),
        Some("none") => Err(why(
            "any",
            "PARACHUTE_MANAGER=none: no service manager is used".to_owned(),
            "unset PARACHUTE_MANAGER",
        )),
        Some(other) => {
            let because = format!("PARACHUTE_MANAGER takes {} or none", names(", "));
            Err(why(other, because, "unset PARACHUTE_MANAGER"))
        }
        None => Err(why("any", format!("{os} has neither {}", names(" nor ")), SERVE)),
    }
}

/// Decides.
#[must_use]
pub(crate) fn detect(facts: &HostFacts) -> Detected {
    let Host { os, asked, uid, .. } = &facts.host;
    let mut found = Detected { candidates: Vec::new(), chosen: None, why_not: Vec::new() };
    match families(os, asked.as_deref()) {
        Ok(families) => {
            for of_family in families.iter().map(|family| (family.detect)(facts)) {
                found.candidates.extend(of_family.candidates);
                found.why_not.extend(of_family.why_not);
            }
        }
        Err(why) => found.why_not.push(why),
    }
    let root = *uid == 0;
    found.chosen = found.candidates.iter().find(|manager| manager.is_system() == root).cloned();
    found
}

#[cfg(test)]
mod tests;
