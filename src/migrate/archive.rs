//! What of the home's root is a leftover, where it goes, and how it comes back. Pure.
//!
//! Only names that an older version is known to have given are moved (contract B-131). What this version uses is never
//! listed, and everything else is shown and left: it is somebody's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::module::known;
use crate::plan::observed::Kind;
use crate::plan::step::Step;
use crate::plan::{Plan, Verb};

/// How the name of an archive begins; its day follows.
const ARCHIVE: &str = ".archive-";

/// Between a name and a number, where the archive has that name already.
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

/// How other names of leftovers begin.
const PREFIXES: [&str; 2] = ["daily.db-", "tokens.db-"];

/// What this version, or the one before it, has at the root of a home. The directories of modules come on top.
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

/// What may be done with something at the root of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// It can be moved.
    Safe,
    /// It can be moved with the files that belong to it, once nobody uses them.
    LiveDb,
    /// It is left.
    Unknown,
}

/// Something at the root of the home that this version does not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Its name; of an unknown one what can be shown of it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What may be done with it.
    pub label: Label,
    /// Bytes, links not followed; 0 for what is left.
    pub bytes: u64,
    /// Why something with a known name is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

/// One way of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Where it is.
    pub from: PathBuf,
    /// Where it shall be.
    pub to: PathBuf,
}

/// Something that does not come back from an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// Its name in the archive, as far as it can be shown.
    pub name: String,
    /// Why it stays.
    pub because: &'static str,
}

/// What may be done with what has this name; `None`: this version uses it. `modules` are the names that modules have at
/// the root; `None`: nobody knows.
#[must_use]
pub fn label(name: &OsStr, kind: Kind, modules: Option<&BTreeSet<String>>) -> Option<Label> {
    // A name that is not UTF-8 is none that any version gave.
    let Some(name) = name.to_str() else {
        let hidden = name.as_encoded_bytes().starts_with(b".");
        return (!hidden).then_some(Label::Unknown);
    };
    let is_module = known::by_short(name).is_some() || modules.is_some_and(|names| names.contains(name));
    if name.starts_with('.') || OURS.contains(&name) || is_module {
        return None;
    }
    let is_dir = kind == Kind::Dir;
    // A directory may be that of a module that cannot be read of.
    if !is_left(name, is_dir) || (is_dir && modules.is_none()) {
        return Some(Label::Unknown);
    }
    Some(if [".db", ".db-wal", ".db-shm"].iter().any(|end| name.ends_with(end)) {
        Label::LiveDb
    } else {
        Label::Safe
    })
}

/// Whether an older version gave this name.
fn is_left(name: &str, is_dir: bool) -> bool {
    let exact = NAMES.contains(&name) && (name != "lens" || is_dir);
    exact || PREFIXES.iter().any(|start| name.len() > start.len() && name.starts_with(start))
}

/// Sorts what is shown: what can be moved by name, then the rest by name.
pub fn sort(leftovers: &mut [Leftover]) {
    leftovers.sort_by(|a, b| (a.label == Label::Unknown, &a.name).cmp(&(b.label == Label::Unknown, &b.name)));
}

/// What can be moved.
pub fn movable(leftovers: &[Leftover]) -> impl Iterator<Item = &Leftover> {
    leftovers.iter().filter(|leftover| leftover.label != Label::Unknown)
}

/// The archive of a day.
#[must_use]
pub fn dir(root: &Path, day: &str) -> PathBuf {
    root.join(format!("{ARCHIVE}{day}"))
}

/// The day of an archive, by its name.
#[must_use]
pub fn day(name: &OsStr) -> Option<&str> {
    name.to_str()?.strip_prefix(ARCHIVE).filter(|day| is_day(day))
}

/// Whether this is a day: `2026-03-01`.
#[must_use]
pub fn is_day(text: &str) -> bool {
    let shape =
        |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(shape)
}

/// Moves leftovers into the archive, where `taken` names are given already. A database and the files that belong to
/// it go one after the other, and under the same number if one of their names is taken.
#[must_use]
pub fn away(root: &Path, archive: &Path, leftovers: &[Leftover], taken: &BTreeSet<String>) -> Vec<Move> {
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
            names.iter().map(|name| Move { from: root.join(name), to: archive.join(format!("{name}{end}")) }),
        );
    }
    moves
}

/// Brings back what is in the archive, as far as its names at the root are free: a database with the files that belong
/// to it, or none of them; of several with one name the first that came. `taken` are the names at the root.
#[must_use]
pub fn back(
    root: &Path,
    archive: &Path,
    names: &[(std::ffi::OsString, Kind)],
    taken: &BTreeSet<String>,
) -> (Vec<Move>, Vec<Stay>) {
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
        moves.extend(set.iter().map(|(name, was)| Move { from: archive.join(name), to: root.join(was) }));
    }
    stays.sort_by(|a, b| a.name.cmp(&b.name));
    (moves, stays)
}

/// The steps of [`away`].
#[must_use]
pub fn plan_away(archive: &Path, moves: &[Move]) -> Plan {
    let mut plan = Plan::new(Verb::Sweep);
    plan.steps.push(Step::MakeDir { path: archive.to_owned(), mode: MODE });
    plan.steps.extend(steps(moves));
    plan
}

/// The steps of [`back`]. An archive with nothing left in it goes.
#[must_use]
pub fn plan_back(archive: &Path, moves: &[Move]) -> Plan {
    let mut plan = Plan::new(Verb::Sweep);
    plan.steps.extend(steps(moves));
    plan.steps.push(Step::RemoveDir { path: archive.to_owned() });
    plan
}

fn steps(moves: &[Move]) -> impl Iterator<Item = Step> {
    moves.iter().map(|Move { from, to }| Step::Move { from: from.clone(), to: to.clone() })
}

/// A database file and its write-ahead log and index belong together (<https://sqlite.org/wal.html>).
fn set_of(name: &str) -> &str {
    ["-wal", "-shm"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .filter(|base| base.ends_with(".db"))
        .unwrap_or(name)
}

/// All names of a set, there or not: a database must not come to lie beside the write-ahead log of another.
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
