//! Gathers the facts for [`judge`](super::judge). An edge: it reads, and changes nothing.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::facts::{Facts, InUse};
use super::tree::{HubLock, Tree};
use crate::home::fs;
use crate::process::group;
use crate::process::user::{self, User};

/// Directories that contain login directories: of Linux and of macOS.
const LOGINS: [&str; 2] = ["/home", "/Users"];
/// A larger password database is read only up to this size, in bytes.
const MAX_PASSWD: u64 = 16 * 1024 * 1024;

/// The directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot look through {}", path.display())]
pub(crate) struct GatherError {
    /// The directory.
    pub path: PathBuf,
    /// The system's error.
    #[source]
    source: io::Error,
}

/// All facts about the directory that `named` leads to, except its user; see [`user()`]. `None`: it does not exist.
///
/// # Errors
/// [`GatherError`].
pub(crate) fn gather(named: &Path, person: &User) -> Result<Option<(Tree, Facts)>, GatherError> {
    let path = fs::resolved(named);
    let failed = |source| GatherError { path: path.clone(), source };
    let Some(tree) = Tree::open(&path).map_err(failed)? else { return Ok(None) };
    // `a/` and `a/.` are the link `a` too.
    let plain: PathBuf = named.components().collect();
    let facts = Facts {
        named: named.to_owned(),
        is_link: fs::read_link(&plain).is_ok(),
        is_mount: Some(tree.is_mount()),
        owner: tree.owner().map_err(failed)?,
        person: person.clone(),
        logins: logins(person).into_iter().filter(|login| login.starts_with(&path)).collect(),
        mark: tree.mark(),
        used_before: tree.used_before(),
        user: None,
        survey: Default::default(),
        path: path.clone(),
    };
    Ok(Some((tree, facts)))
}

/// The user of the home. The lock, if it could be taken, is held until the caller drops the file.
#[must_use]
pub(crate) fn user(tree: &Tree, root: &Path) -> (Option<InUse>, Option<std::fs::File>) {
    let lock = match tree.hub_lock() {
        Ok(HubLock::Held(pid)) => return (Some(InUse::Hub(pid)), None),
        Ok(HubLock::Taken(lock)) => Some(lock),
        Ok(HubLock::Absent) => None,
        Err(error) => return (Some(InUse::Unknown(format!("its lock cannot be taken: {error}"))), None),
    };
    let user = match group::marked(root) {
        Ok(marked) => {
            let names: BTreeSet<String> = marked
                .iter()
                .map(|(process, marks)| format!("{} (pid {})", marks.module, process.id.pid))
                .collect();
            let names: Vec<String> = names.into_iter().collect();
            (!names.is_empty())
                .then(|| InUse::Modules(format!("its modules still run: {}", names.join(", "))))
        }
        Err(unsure) => Some(InUse::Unknown(unsure.to_string())),
    };
    (user, lock)
}

/// Every known login directory, without links.
fn logins(person: &User) -> BTreeSet<PathBuf> {
    let passwd = fs::read(Path::new("/etc/passwd"), MAX_PASSWD).unwrap_or_default();
    let mut logins = login_directories(&String::from_utf8_lossy(&passwd));
    logins.insert(person.home.clone());
    // Those of a directory service are not in the file.
    for uid in [0, user::effective_uid()] {
        logins.extend(user::by_uid(uid).ok().map(|known| known.home));
    }
    for above in LOGINS.map(Path::new) {
        logins.insert(above.to_owned());
        logins.extend(fs::list(above).unwrap_or_default().into_iter().map(|name| above.join(name)));
    }
    logins.iter().map(|login| fs::resolved(login)).collect()
}

/// The sixth field of passwd(5).
fn login_directories(passwd: &str) -> BTreeSet<PathBuf> {
    let field = |line: &str| line.split(':').nth(5).map(PathBuf::from);
    passwd.lines().filter_map(field).filter(|path| path.is_absolute()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_directories_are_the_sixth_field() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\n\n# no\nann:x:1:1:A,,:/srv/ann:/bin/sh\nodd:x:2:2::rel:/\nx:\n";
        let paths: Vec<PathBuf> = login_directories(passwd).into_iter().collect();
        assert_eq!(paths, [Path::new("/root"), Path::new("/srv/ann")]);
    }
}
