//! What decides about a host, whichever managers it has, and what became of looking for one. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What decides. Plain data: a report can carry it, a test is a literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
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
}

/// Why a manager is none for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unavailable {
    /// Which: `systemd (user)`.
    pub manager: String,
    /// Why not.
    pub because: String,
    /// What to type, if something helps.
    pub next: Option<String>,
}

/// The managers of one kind that are there, the fittest first, and why not the others.
#[derive(Debug)]
pub(super) struct Candidates<M> {
    pub(super) candidates: Vec<M>,
    pub(super) why_not: Vec<Unavailable>,
}

impl<M> Candidates<M> {
    /// None so far.
    pub(super) fn none() -> Self {
        Self { candidates: Vec::new(), why_not: Vec::new() }
    }

    /// None of this kind, because.
    pub(super) fn only_not(manager: &str, because: impl Into<String>, next: Option<&str>) -> Self {
        let mut found = Self::none();
        found.not(manager, because, next);
        found
    }

    pub(super) fn not(&mut self, manager: &str, because: impl Into<String>, next: Option<&str>) {
        let (manager, next) = (manager.to_owned(), next.map(ToOwned::to_owned));
        self.why_not.push(Unavailable { manager, because: because.into(), next });
    }

    /// The same as managers of any kind.
    pub(super) fn map<N>(self, f: impl FnMut(M) -> N) -> Candidates<N> {
        Candidates { candidates: self.candidates.into_iter().map(f).collect(), why_not: self.why_not }
    }
}

/// What can always be done.
pub(super) const SERVE: &str = "parachute serve";

impl Host {
    /// The person we act as, for people.
    pub(super) fn who(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("user {}", self.uid))
    }

    /// Their home.
    pub(super) fn home(&self) -> PathBuf {
        self.homes.first().cloned().unwrap_or_else(|| PathBuf::from("/"))
    }
}
