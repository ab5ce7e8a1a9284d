//! Which files of the home's root are leftovers, where they are moved, and how they are restored. Pure.
//!
//! Only names that an older version is known to have used are moved. Files of this version are never
//! listed, and all others are shown and left: they may belong to the user.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::module::known;
use crate::plan::observed::Kind;
use crate::plan::step::Step;
use crate::plan::{Plan, Verb};

/// The start of the name of an archive; its day follows.
const ARCHIVE: &str = ".archive-";

/// Separates a name and a number, if the archive already has that name.
const DUP: &str = ".dup-";

/// Mode of an archive.
const MODE: u32 = 0o700;

/// Exact names of leftovers.
const NAMES: [&str; 8] = [
    "channel.err",
    "channel.log",
    "channel.start.sh",
    "daily.db",
    "lens",
    "logs",
    "server.yaml",
    "tokens.db",
];

/// Prefixes of other names of leftovers.
const PREFIXES: [&str; 2] = ["daily.db-", "tokens.db-"];

/// Names that this version, or the one before it, uses at the root of a home. The directories of modules are added.
const OURS: [&str; 23] = [
    ".parachute-home",
    "bin",
    "cloudflared",
    "cloudflared-state.json",
    "expose-last-provider.json",
    "expose-state.json",
    "hub",
    "hub-upgrade-status.json",
    "hub.db",
    "hub.db-shm",
    "hub.db-wal",
    "hub.env",
    "hub.toml",
    "install",
    "modules",
    "operator.token",
    "run",
    "runner",
    "services.json",
    "services.json.lock",
    "surface",
    "tmp",
    "well-known",
];

/// What may be done with a file at the root of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Label {
    /// It can be moved.
    Safe,
    /// It can be moved with its related files, once no process uses them.
    LiveDb,
    /// It is left.
    Unknown,
}

/// A file at the root of the home that this version does not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Leftover {
    /// Its name; of an unknown one, its printable form.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What may be done with it.
    pub label: Label,
    /// Bytes, links not followed; 0 for what is left.
    pub bytes: u64,
    /// Why a file with a known name is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

/// One move of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ArchiveMove {
    /// Its current path.
    pub from: PathBuf,
    /// Its new path.
    pub to: PathBuf,
}

/// A file that is not restored from an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stay {
    /// Its name in the archive, in printable form.
    pub name: String,
    /// Why it stays.
    pub because: &'static str,
}

/// What may be done with a file of this name; `None`: this version uses it. `modules` are the names that modules have
/// at the root; `None`: unknown.
#[must_use]
pub(crate) fn label(name: &OsStr, kind: Kind, modules: Option<&BTreeSet<String>>) -> Option<Label> {
    // No version used a name that is not UTF-8.
    let Some(name) = name.to_str() else {
        let hidden = name.as_encoded_bytes().starts_with(b".");
        return (!hidden).then_some(Label::Unknown);
    };
    let is_module = known::by_short(name).is_some() || modules.is_some_and(|names| names.contains(name));
    if name.starts_with('.') || OURS.contains(&name) || is_module {
        return None;
    }
    let is_dir = kind == Kind::Dir;
    // A directory may belong to a module whose row cannot be read.
    if !is_left(name, is_dir) || (is_dir && modules.is_none()) {
        return Some(Label::Unknown);
    }
    Some(if [".db", ".db-wal", ".db-shm"].iter().any(|end| name.ends_with(end)) {
        Label::LiveDb
    } else {
        Label::Safe
    })
}

/// Whether an older version used this name.
fn is_left(name: &str, is_dir: bool) -> bool {
    let exact = NAMES.contains(&name) && (name != "lens" || is_dir);
    exact || PREFIXES.iter().any(|start| name.len() > start.len() && name.starts_with(start))
}

/// Sorts for the screen: movable files by name, then the rest by name.
pub(crate) fn sort(leftovers: &mut [Leftover]) {
    leftovers.sort_by(|a, b| (a.label == Label::Unknown, &a.name).cmp(&(b.label == Label::Unknown, &b.name)));
}

/// The movable files.
pub(crate) fn movable(leftovers: &[Leftover]) -> impl Iterator<Item = &Leftover> {
    leftovers.iter().filter(|leftover| leftover.label != Label::Unknown)
}

/// The archive of a day.
#[must_use]
pub(crate) fn dir(root: &Path, day: &str) -> PathBuf {
    root.join(format!("{ARCHIVE}{day}"))
}

/// The day of an archive, by its name.
#[must_use]
pub(crate) fn day(name: &OsStr) -> Option<&str> {
    name.to_str()?.strip_prefix(ARCHIVE).filter(|day| is_day(day))
}

/// Whether this is a day: `2026-03-01`.
#[must_use]
pub(crate) fn is_day(text: &str) -> bool {
    let shape =
        |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(shape)
}

/// Moves leftovers into the archive, where `taken` names exist already. A database and its related files
/// are moved one after the other, and get the same number if one of their names is taken.
#[must_use]
pub(crate) fn away(
    root: &Path,
    archive: &Path,
    leftovers: &[Leftover],
    taken: &BTreeSet<String>,
) -> Vec<ArchiveMove> {
    let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for leftover in movable(leftovers) {
        sets.entry(set_of(&leftover.name)).or_default().push(&leftover.name);
    }
    let mut moves = Vec::new();
    for (set, names) in &sets {
        let all = whole(set);
        let free = |end: &str| all.iter().all(|name| !taken.contains(&format!("{name}{end}")));
        let numbered = (1_u32..).map(|n| format!("{DUP}{n}"));
        let end = std::iter::once(String::new()).chain(numbered).find(|end| free(end)).unwrap_or_default();
        moves.extend(
            names
                .iter()
                .map(|name| ArchiveMove { from: root.join(name), to: archive.join(format!("{name}{end}")) }),
        );
    }
    moves
}

/// Restores files from the archive, if their names at the root are free: a database with its related files,
/// or none of them; of several with one name the first one. `taken` are the names at the root.
#[must_use]
pub(crate) fn back(
    root: &Path,
    archive: &Path,
    names: &[(std::ffi::OsString, Kind)],
    taken: &BTreeSet<String>,
) -> (Vec<ArchiveMove>, Vec<Stay>) {
    let mut sets: BTreeMap<(&str, u32), Vec<(&str, &str)>> = BTreeMap::new();
    let mut stays = Vec::new();
    for (name, kind) in names {
        let known = name.to_str().map(|name| (name, original(name)));
        match known.filter(|(_, (name, _))| is_left(name, *kind == Kind::Dir)) {
            Some((name, (was, n))) => sets.entry((set_of(was), n)).or_default().push((name, was)),
            None => stays.push(Stay {
                name: name.to_string_lossy().into_owned(),
                because: "it is not known to come from the home",
            }),
        }
    }
    let mut taken = taken.clone();
    let mut moves = Vec::new();
    for ((stem, _), set) in &sets {
        let all = whole(stem);
        if all.iter().any(|name| taken.contains(name)) {
            let because = "its name, or that of a file that belongs to it, is taken in the home";
            stays.extend(set.iter().map(|(name, _)| Stay { name: (*name).to_owned(), because }));
            continue;
        }
        taken.extend(all);
        moves.extend(
            set.iter().map(|(name, was)| ArchiveMove { from: archive.join(name), to: root.join(was) }),
        );
    }
    stays.sort_by(|a, b| a.name.cmp(&b.name));
    (moves, stays)
}

/// The steps of [`away`].
#[must_use]
pub(crate) fn plan_away(archive: &Path, moves: &[ArchiveMove]) -> Plan {
    let mut plan = Plan::new(Verb::Sweep);
    plan.steps.push(Step::MakeDir { path: archive.to_owned(), mode: MODE });
    plan.steps.extend(steps(moves));
    plan
}

/// The steps of [`back`]. An empty archive is removed.
#[must_use]
pub(crate) fn plan_back(archive: &Path, moves: &[ArchiveMove]) -> Plan {
    let mut plan = Plan::new(Verb::Sweep);
    plan.steps.extend(steps(moves));
    plan.steps.push(Step::RemoveDir { path: archive.to_owned() });
    plan
}

fn steps(moves: &[ArchiveMove]) -> impl Iterator<Item = Step> {
    moves.iter().map(|ArchiveMove { from, to }| Step::Move { from: from.clone(), to: to.clone() })
}

/// A database file and its write-ahead log and index belong together (<https://sqlite.org/wal.html>).
fn set_of(name: &str) -> &str {
    ["-wal", "-shm"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .filter(|base| base.ends_with(".db"))
        .unwrap_or(name)
}

/// All names of a set, existing or not: a database must not be placed beside the write-ahead log of another.
fn whole(set: &str) -> Vec<String> {
    let ends: &[&str] = if set.ends_with(".db") { &["", "-wal", "-shm"] } else { &[""] };
    ends.iter().map(|end| format!("{set}{end}")).collect()
}

/// A name in the archive without its number, and that number.
fn original(name: &str) -> (&str, u32) {
    name.rsplit_once(DUP)
        .and_then(|(was, n)| Some((was, n.parse().ok().filter(|n| *n > 0)?)))
        .unwrap_or((name, 0))
}

#[cfg(test)]
mod tests;
