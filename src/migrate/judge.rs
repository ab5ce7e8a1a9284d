//! Decides whether a process is a daemon of the detached model, and which. Pure.
//!
//! Only [`Ownership::Ours`] may lead to a signal. One clue never does: a pidfile may name a process that reused the
//! pid, a port may be held by a foreign process, command lines look alike, a log may be open in an editor. It takes two
//! independent clues, and none against it:
//!
//! | the pidfile names it | it listens on the port | its output goes to the log | it runs the command | in its
//! directory or home | | |---|---|---|---|---|---|
//! | yes | one of these three | | | – | ours |
//! | – | yes | yes | – | – | ours |
//! | – | – | yes | yes | yes | ours |
//! | – | – | yes | – | – | ours, if it started one that is ours |
//! | anything else | | | | | cannot tell |

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::facts::{Legacy, Role, Seen};
use super::pidfile::Worth;
use crate::process::attribution;

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(crate) enum Ownership {
    /// It is this role's daemon, and may be stopped.
    Ours { proofs: Vec<Evidence> },
    /// It is proven to be another process.
    NotOurs {
        /// The proof.
        against: Objection,
    },
    /// Some clues, but not enough: it is treated as not ours.
    CannotTell { clues: Vec<Evidence> },
}

/// A clue for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// Its pidfile names it, and it ran when the pidfile was written.
    Recorded,
    /// It listens on a port of its own.
    Listens,
    /// Its output goes to the end of its log.
    Log,
    /// It runs its start command.
    Command,
    /// It works in its directory.
    Directory,
    /// Its environment names this home.
    Home,
    /// It started one that is ours.
    Parent,
}

/// A proof against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Objection {
    /// It is this command, or an ancestor of it.
    Ourselves,
    /// It belongs to another user.
    OtherUser(u32),
    /// It belongs to another home.
    OtherHome(PathBuf),
    /// A supervisor already runs it, as this module.
    Supervised(String),
}

/// Decides about one process as the daemon of one role.
#[must_use]
pub(crate) fn judge(legacy: &Legacy, role: &Role, seen: &Seen) -> Ownership {
    if let Some(against) = excluded(legacy, seen) {
        return Ownership::NotOurs { against };
    }
    let clues = clues(legacy, role, seen);
    let has = |proof| clues.contains(&proof);
    let proven = if has(Evidence::Recorded) {
        has(Evidence::Listens) || has(Evidence::Log) || has(Evidence::Command)
    } else {
        has(Evidence::Log)
            && (has(Evidence::Listens)
                || (has(Evidence::Command) && (has(Evidence::Directory) || has(Evidence::Home))))
    };
    if proven { Ownership::Ours { proofs: clues } } else { Ownership::CannotTell { clues } }
}

/// Decides about every process: the role that fits best, and the decision. In the order of [`Legacy::seen`].
#[must_use]
pub(crate) fn judge_all(legacy: &Legacy) -> Vec<(Option<&Role>, Ownership)> {
    let mut all: Vec<(Option<&Role>, Ownership)> =
        legacy.seen.iter().map(|seen| best(legacy, seen)).collect();
    // A process that started one of ours in the same session, and writes to its log, is its wrapper.
    for at in 0..all.len() {
        let (Some(role), Ownership::CannotTell { clues }) = &all[at] else { continue };
        let seen = &legacy.seen[at];
        let wraps = |other: &Seen, verdict: &(Option<&Role>, Ownership)| {
            other.above.contains(&seen.id.pid)
                && other.session == seen.session
                && verdict.0.is_some_and(|other| other.name == role.name)
                && matches!(verdict.1, Ownership::Ours { .. })
        };
        if clues.contains(&Evidence::Log) && legacy.seen.iter().zip(&all).any(|(other, v)| wraps(other, v)) {
            let mut proofs = clues.clone();
            proofs.push(Evidence::Parent);
            all[at].1 = Ownership::Ours { proofs };
        }
    }
    all
}

fn best<'a>(legacy: &'a Legacy, seen: &Seen) -> (Option<&'a Role>, Ownership) {
    let weight = |verdict: &Ownership| match verdict {
        Ownership::Ours { proofs } => 100 + proofs.len(),
        Ownership::CannotTell { clues } => clues.len(),
        Ownership::NotOurs { .. } => 0,
    };
    let mut judged: Vec<(Option<&Role>, Ownership)> =
        legacy.roles.iter().map(|role| (Some(role), judge(legacy, role, seen))).collect();
    // Stable: of equal ones the first counts.
    judged.sort_by_key(|(_, verdict)| std::cmp::Reverse(weight(verdict)));
    match judged.into_iter().next() {
        Some((_, verdict @ Ownership::NotOurs { .. })) => (None, verdict),
        Some((role, verdict)) if weight(&verdict) > 0 => (role, verdict),
        _ => (None, Ownership::CannotTell { clues: Vec::new() }),
    }
}

fn excluded(legacy: &Legacy, seen: &Seen) -> Option<Objection> {
    if seen.ourselves || seen.id.pid <= 1 {
        return Some(Objection::Ourselves);
    }
    if seen.uid != legacy.uid {
        return Some(Objection::OtherUser(seen.uid));
    }
    if let Some(home) = seen.home.as_ref().filter(|home| **home != legacy.home) {
        return Some(Objection::OtherHome(home.clone()));
    }
    seen.mark.clone().map(Objection::Supervised)
}

fn clues(legacy: &Legacy, role: &Role, seen: &Seen) -> Vec<Evidence> {
    let recorded = legacy.pidfiles.iter().any(|pidfile| {
        pidfile.of == role.name && matches!(&pidfile.worth, Worth::Names { id } if *id == seen.id)
    });
    let listens = role.ports.iter().any(|port| seen.listens.contains(port));
    // Standard streams only: an editor has a log open too, but on another descriptor, and does not append to it.
    let log = seen.streams[1..].iter().flatten().any(|stream| stream.append && stream.path == role.log);
    let command = role.start.as_ref().is_some_and(|start| runs(start, seen));
    let dir = role.start.as_ref().and_then(|start| start.cwd.as_ref());
    let directory = dir.is_some_and(|dir| {
        dir.parent().is_some() && seen.cwd.as_ref().is_some_and(|cwd| cwd.starts_with(dir))
    });
    let home = seen.home.as_ref() == Some(&legacy.home);
    [
        (Evidence::Recorded, recorded),
        (Evidence::Listens, listens),
        (Evidence::Log, log),
        (Evidence::Command, command),
        (Evidence::Directory, directory),
        (Evidence::Home, home),
    ]
    .into_iter()
    .filter_map(|(proof, holds)| holds.then_some(proof))
    .collect()
}

/// Whether a process runs this start command.
#[must_use]
pub(crate) fn runs(start: &super::facts::Start, seen: &Seen) -> bool {
    let words = |argv: &[crate::process::os_bytes::OsBytes]| {
        argv.iter().map(|word| word.0.clone()).collect::<Vec<_>>()
    };
    let Some(argv) = seen.argv.as_deref() else { return false };
    attribution::runs(
        &attribution::Looks { command: &words(argv), exe: seen.exe.as_deref(), cwd: seen.cwd.as_deref() },
        &attribution::Command {
            argv: &words(&start.argv),
            program: start.program.as_deref(),
            cwd: start.cwd.as_deref(),
        },
    )
    .is_some()
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recorded => "its pidfile names it",
            Self::Listens => "it listens on its port",
            Self::Log => "its output goes to its log",
            Self::Command => "it runs its start command",
            Self::Directory => "it works in its directory",
            Self::Home => "its environment names this home",
            Self::Parent => "it started one that is",
        })
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |proofs: &[Evidence]| {
            let words: Vec<String> = proofs.iter().map(ToString::to_string).collect();
            words.join(", ")
        };
        match self {
            Self::Ours { proofs } => f.write_str(&list(proofs)),
            Self::NotOurs { against: Objection::Ourselves } => {
                f.write_str("it is this command or one of its parents")
            }
            Self::NotOurs { against: Objection::OtherUser(uid) } => write!(f, "it belongs to user {uid}"),
            Self::NotOurs { against: Objection::OtherHome(home) } => {
                write!(f, "it belongs to the home {}", home.display())
            }
            Self::NotOurs { against: Objection::Supervised(module) } => {
                write!(f, "it is supervised already, as {module}")
            }
            Self::CannotTell { clues } if clues.is_empty() => f.write_str("no evidence of its owner"),
            Self::CannotTell { clues } => write!(f, "cannot prove that it is: {}", list(clues)),
        }
    }
}
