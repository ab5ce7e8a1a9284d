//! Finds users of the home, so that no file in use is moved. Facts are read here; only proven users count.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::pidfile::{self, Bearer, Worth};
use crate::home::fs;
use crate::home::lock::{Lock, LockError};
use crate::home::paths::Home;
use crate::home::{services, settings};
use crate::module::port;
use crate::module::timestamp::Timestamp;
use crate::process::id::ProcessId;
use crate::process::{ports, table};

/// Largest pidfile that is read, bytes.
const PIDFILE: u64 = 64;

/// A process that uses the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HomeUser {
    /// One sentence.
    pub who: String,
    /// The command that ends it, or shows more.
    pub next: String,
}

/// The lock that a hub of this home would need, if there ever was one. While it is held, no hub starts on the home.
///
/// # Errors
/// The [`HomeUser`] that has it.
pub(crate) fn lock(home: &Home) -> Result<Option<Lock>, HomeUser> {
    let path = home.hub_lock();
    if !fs::exists(&path) {
        return Ok(None);
    }
    match Lock::try_take(&path) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { pid, .. }) => {
            let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            Err(HomeUser {
                who: format!("a hub runs from this home{pid}"),
                next: "parachute stop".to_owned(),
            })
        }
        // A lock that cannot be taken for another reason proves nothing.
        Err(LockError::File(_) | LockError::Flock { .. }) => Ok(None),
    }
}

/// The other users of the home: processes that wrote a pidfile in it, and listeners on its ports.
#[must_use]
pub(crate) fn users(home: &Home, now: Timestamp) -> Vec<HomeUser> {
    let mut pids = BTreeSet::new();
    let mut users = Vec::new();
    for file in pidfiles(home.root()) {
        if let Some((pid, user)) = by_pidfile(&file, now)
            && pids.insert(pid)
        {
            users.push(user);
        }
    }
    // One scan of all ports: there may be thousands of rows.
    let listening = ports::occupied().unwrap_or_default();
    for port in declared(home).intersection(&listening).copied() {
        for id in ports::holders(port).unwrap_or_default() {
            if works_in(&id, home) && pids.insert(id.pid) {
                let who = format!("pid {} listens on port {port} and uses this home", id.pid);
                users.push(HomeUser { who, next: WHO.to_owned() });
            }
        }
    }
    users
}

/// Shows each process, its owner and the reason: a pid alone is not enough to kill a process.
const WHO: &str = "parachute migrate --list";

/// `<home>/*/run/*.pid`.
fn pidfiles(root: &Path) -> Vec<PathBuf> {
    let below = |dir: PathBuf| {
        let names = fs::list(&dir).unwrap_or_default().into_iter();
        names.filter(|name| !name.as_encoded_bytes().starts_with(b".")).map(move |name| dir.join(name))
    };
    below(root.to_owned())
        .flat_map(|dir| below(dir.join("run")))
        .filter(|file| file.extension().is_some_and(|end| end == "pid"))
        .collect()
}

fn by_pidfile(file: &Path, now: Timestamp) -> Option<(u32, HomeUser)> {
    let content = fs::read(file, PIDFILE).ok()?;
    let age = now.since(fs::modified(file).ok()?);
    let mut name = None;
    let (pid, worth) = pidfile::judge(&content, age, table::uptime(), |pid| {
        let process = table::info(pid)?.filter(|process| !process.zombie);
        Ok(process.map(|process| {
            let age = table::age(&process.id);
            name = Some(process.name);
            Bearer { id: process.id, age, above: false }
        }))
    });
    let (pid, file) = (pid?, file.display());
    let who = match worth {
        Worth::Garbage { .. } => return None,
        Worth::Names { .. } => format!("pid {pid} ({}) runs, as {file} says", name.unwrap_or_default()),
        Worth::Unknown { because } => format!("pid {pid} may run, as {file} says: unknown ({because})"),
    };
    Some((pid, HomeUser { who, next: WHO.to_owned() }))
}

/// Ports that the home names, and the default one.
fn declared(home: &Home) -> BTreeSet<u16> {
    let mut ports = BTreeSet::from([port::HUB]);
    ports.extend(settings::read(home).ok().and_then(|settings| settings.hub.port).map(u16::from));
    if let Ok(services) = services::read(home) {
        ports.extend(services.rows.iter().map(|(_, row)| row.port));
        ports.extend(services.others.iter().map(|row| row.port));
    }
    ports
}

/// Whether it is proven to use this home: by its directory, its program, its environment, or an open file.
fn works_in(id: &ProcessId, home: &Home) -> bool {
    let root = fs::resolved(home.root());
    let below = |path: Option<PathBuf>| path.is_some_and(|path| path.starts_with(&root));
    let named = table::home(id.pid).ok().flatten().is_some_and(|named| fs::resolved(&named) == root);
    named || below(table::cwd(id.pid)) || below(table::exe(id.pid)) || table::has_open_below(id.pid, &root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pidfiles_count_only_if_the_process_uses_the_home() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        let put = |name: &str, text: &str| {
            fs::make_dir(&dir.path().join(name).join("run"), 0o700).unwrap();
            fs::put(&dir.path().join(name).join("run/x.pid"), 0o600, text.as_bytes()).unwrap();
        };
        for (name, text) in
            [("a", "1"), ("b", "0"), ("c", "-5"), ("d", "junk"), ("e", "4194304999"), ("f", "")]
        {
            put(name, text);
        }
        let now = Timestamp::parse("2099-01-01 00:00:00").unwrap();
        assert_eq!(users(&home, now), []);
        put("vault", &format!("{}\n", std::process::id()));
        // By the clock of the test this process is as old as the file.
        let live = users(&home, Timestamp(0));
        assert_eq!(live.len(), 1, "{live:?}");
        assert!(
            live[0].who.contains(&format!("pid {}", std::process::id()))
                && live[0].who.ends_with("vault/run/x.pid says")
        );
    }
}
