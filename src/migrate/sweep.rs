//! The files at the root of the home, and in its archives. Only metadata is read, and no link is followed: a dangling
//! link, a loop or a link out of the tree is a link of zero bytes. A file that vanishes meanwhile is left out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;

use super::archive::{self, Label, Leftover};
use crate::home::fs::{self, FsError};
use crate::home::paths::Home;
use crate::home::rename::{self, Glimpse};
use crate::home::services;
use crate::module::row::Row;
use crate::plan::observed::Kind;

/// An archive of an earlier day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Archive {
    /// Its day.
    pub day: String,
    /// Number of entries.
    pub things: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Every file at the root that this version does not use, sorted for the screen.
///
/// # Errors
/// The root cannot be listed. If there is no home, there are no leftovers.
pub(crate) fn leftovers(home: &Home) -> Result<Vec<Leftover>, FsError> {
    let root = home.root();
    let modules = modules(home);
    let own = rename::glimpse(&fs::resolved(root))?.map(|seen| seen.dev);
    let mut found = Vec::new();
    for (name, seen) in entries(root)? {
        let kind = Kind::from(seen.kind);
        let Some(mut label) = archive::label(&name, kind, modules.as_ref()) else { continue };
        let mut because = None;
        if label != Label::Unknown && kind == Kind::Dir && Some(seen.dev) != own {
            (label, because) = (Label::Unknown, Some("another file system is mounted there"));
        }
        let bytes = if label == Label::Unknown { 0 } else { size(&root.join(&name), &seen) };
        found.push(Leftover { name: name.to_string_lossy().into_owned(), kind, label, bytes, because });
    }
    archive::sort(&mut found);
    Ok(found)
}

/// The line shown after an installation of this version; `None` if there are no leftovers, or they cannot be read.
#[must_use]
pub(crate) fn notice(home: &Home) -> Option<String> {
    let found = leftovers(home).ok()?;
    match archive::movable(&found).count() {
        0 => None,
        1 => Some("1 file of an older version: parachute migrate --list".to_owned()),
        count => Some(format!("{count} files of an older version: parachute migrate --list")),
    }
}

/// The archives of this home, by day.
///
/// # Errors
/// The root cannot be listed.
pub(crate) fn archives(home: &Home) -> Result<Vec<Archive>, FsError> {
    let mut found = Vec::new();
    for (name, seen) in entries(home.root())? {
        let Some(day) = archive::day(&name) else { continue };
        let path = home.root().join(&name);
        let inside = entries(&path).unwrap_or_default();
        let bytes = if seen.kind == rename::FileKind::Dir { size(&path, &seen) } else { 0 };
        found.push(Archive { day: day.to_owned(), things: inside.len(), bytes });
    }
    Ok(found)
}

/// The printable names in a directory, with their kinds.
///
/// # Errors
/// It cannot be listed.
pub(crate) fn names(dir: &Path) -> Result<Vec<(OsString, Kind)>, FsError> {
    Ok(entries(dir)?.into_iter().map(|(name, seen)| (name, seen.kind.into())).collect())
}

/// The existing names in a directory, which no new file may use.
///
/// # Errors
/// It cannot be listed.
pub(crate) fn taken(dir: &Path) -> Result<BTreeSet<String>, FsError> {
    Ok(fs::list(dir)?.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

fn entries(dir: &Path) -> Result<Vec<(OsString, Glimpse)>, FsError> {
    let mut found = Vec::new();
    for name in fs::list(dir)? {
        if let Some(seen) = rename::glimpse(&dir.join(&name))? {
            found.push((name, seen));
        }
    }
    Ok(found)
}

/// Bytes of a file or of all files in a directory, on its own file system. Unreadable files count 0.
fn size(path: &Path, seen: &Glimpse) -> u64 {
    let mut bytes = 0_u64;
    let mut left = vec![(path.to_owned(), *seen)];
    while let Some((path, seen)) = left.pop() {
        match seen.kind {
            rename::FileKind::File => bytes = bytes.saturating_add(seen.len),
            rename::FileKind::Dir => {
                let inside = fs::list(&path).unwrap_or_default().into_iter().map(|name| path.join(name));
                let inside = inside.filter_map(|path| Some((rename::glimpse(&path).ok()??, path)));
                left.extend(inside.filter(|(new, _)| new.dev == seen.dev).map(|(seen, path)| (path, seen)));
            }
            rename::FileKind::Link | rename::FileKind::Special => {}
        }
    }
    bytes
}

/// The names at the root that belong to modules. `None`: the rows cannot be read, so any directory may.
fn modules(home: &Home) -> Option<BTreeSet<String>> {
    let services = services::read(home).ok()?;
    let mut names = BTreeSet::new();
    for (short, row) in &services.rows {
        names.insert(short.to_string());
        names.extend(installed_in(home, row));
    }
    for row in &services.others {
        names.insert(row.name.clone());
        names.extend(installed_in(home, row));
    }
    // A row with an error still names a module.
    names.extend(services.problems.into_iter().filter_map(|problem| problem.row));
    Some(names)
}

fn installed_in(home: &Home, row: &Row) -> Option<String> {
    let below = row.install_dir.as_ref()?.strip_prefix(home.root()).ok()?;
    below.components().next()?.as_os_str().to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
