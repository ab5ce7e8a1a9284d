//! services.json on disk: pure reads, and edits under a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::document::{Document, DocumentError};
use super::fs::{self, FsError, Staged};
use super::lock::{Lock, LockError};
use super::mark;
use super::paths::Home;
use crate::module::name::Short;
use crate::module::row::{Row, short_of};
use crate::module::rows::admit;

pub(crate) use crate::module::rows::FileIssue;

pub(crate) use super::document::LIMIT;

/// How often an edit restarts because another process wrote without the lock.
const TRIES: u32 = 20;

/// The content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Services {
    /// Modules to supervise, in file order; short names and ports are unique.
    pub rows: Vec<(Short, Row)>,
    /// Valid rows that get no process of their own; the notes or problems give the reason.
    pub others: Vec<Row>,
    /// Modules with an unusable row and none from an earlier read.
    pub unread: BTreeSet<Short>,
    /// What the user should repair. The rest of the file is valid.
    pub problems: Vec<FileIssue>,
    /// Information for the user; nothing is wrong.
    pub notes: Vec<FileIssue>,
}

/// Why the file cannot be used. Never the same as "no modules".
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServicesError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// It is truncated or is something else.
    #[error("{} cannot be used: {because}", path.display())]
    Corrupt {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        because: DocumentError,
    },
    /// Another process edits it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A program that takes no lock keeps rewriting it.
    #[error("{} keeps being changed by another program", .0.display())]
    Restless(PathBuf),
}

impl Services {
    /// The row of a module.
    #[must_use]
    pub(crate) fn row(&self, short: &Short) -> Option<&Row> {
        self.rows.iter().find(|(s, _)| s == short).map(|(_, row)| row)
    }
}

/// Reads the file and never writes it. No file: no modules.
///
/// # Errors
/// [`ServicesError`] if the file as a whole cannot be used; a bad row is a problem, not an error.
pub(crate) fn read(home: &Home) -> Result<Services, ServicesError> {
    read_after(home, &[])
}

/// The same with an earlier read: of the modules `before`, which may be running, each whose name is still in the file
/// stays, unchanged if its row cannot be used now.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_after(home: &Home, before: &[(Short, Row)]) -> Result<Services, ServicesError> {
    let document = document(home, fs::read_if_there(&home.services(), LIMIT)?)?;
    let mut services = Services::default();
    let read: Vec<_> = document.rows().collect();
    let mut stays: BTreeMap<&Short, &Row> = before.iter().map(|(short, row)| (short, row)).collect();
    for short in read.iter().flatten().filter_map(|row| short_of(&row.name).ok()) {
        stays.remove(&short);
    }
    let mut rows = Vec::with_capacity(read.len());
    for row in read {
        match row {
            Ok(row) => rows.push(row),
            Err((name, error)) => {
                let short = short_of(&name).ok();
                let old = short.as_ref().and_then(|short| stays.remove(short));
                if old.is_none() {
                    services.unread.extend(short.clone());
                }
                let then =
                    if old.is_some() { "the module stays as it was" } else { "the row is not started" };
                services.problems.push(FileIssue {
                    message: format!("{name}: {error}; {then}"),
                    row: Some(name),
                    next: Some(format!("correct the row in {}", home.services().display())),
                });
                rows.extend(old.cloned());
            }
        }
    }
    let admitted = admit(rows, before);
    services.rows = admitted.modules;
    services.others = admitted.others;
    services.problems.extend(admitted.problems);
    services.notes = admitted.notes;
    Ok(services)
}

/// The name of the row that the user means, see [`Document::named`].
///
/// # Errors
/// [`ServicesError`].
pub(crate) fn named(home: &Home, typed: &str) -> Result<Option<String>, ServicesError> {
    Ok(document(home, fs::read_if_there(&home.services(), LIMIT)?)?.named(typed))
}

fn document(home: &Home, bytes: Option<Vec<u8>>) -> Result<Document, ServicesError> {
    match bytes {
        None => Ok(Document::default()),
        Some(bytes) => Document::parse(&bytes)
            .map_err(|because| ServicesError::Corrupt { path: home.services(), because }),
    }
}

/// How long a verb waits for one other writer of services.json. A disk that is busy with large copies takes tens of
/// seconds to sync a few small files (seen).
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The lock around every read-modify-write. Waits up to `within`.
///
/// # Errors
/// [`ServicesError::Lock`].
pub(crate) fn lock(home: &Home, within: Duration) -> Result<Lock, ServicesError> {
    mark::ensure(home)?;
    Ok(Lock::wait(&home.services_lock(), within)?)
}

/// Edits the file: takes the lock, reads, lets `change` edit, and replaces the file. If `change` returns `Err`,
/// nothing is written. `change` may be called again on a newer file, because modules write it without taking the lock.
///
/// # Errors
/// Those of `change`, and [`ServicesError`]; a corrupt file is never replaced.
pub(crate) fn edit<T, E: From<ServicesError>>(
    home: &Home,
    within: Duration,
    change: impl FnMut(&mut Document) -> Result<T, E>,
) -> Result<T, E> {
    let held = lock(home, within)?;
    edit_locked(home, &held, change)
}

/// The same for a caller that already holds the lock.
///
/// # Errors
/// As [`edit`].
pub(crate) fn edit_locked<T, E: From<ServicesError>>(
    home: &Home,
    _held: &Lock,
    mut change: impl FnMut(&mut Document) -> Result<T, E>,
) -> Result<T, E> {
    let path = home.services();
    fs::sweep(&path);
    for _ in 0..TRIES {
        let before = fs::read_if_there(&path, LIMIT).map_err(ServicesError::from)?;
        let mut document = document(home, before.clone())?;
        let done = change(&mut document)?;
        let text = document.text();
        let changed = before.as_deref() != Some(text.as_bytes());
        // A new file is private; an existing one keeps its mode, because modules of other users may read it.
        let mode = fs::mode(&path).unwrap_or(fs::PRIVATE);
        let staged = changed.then(|| fs::stage(&path, mode, text.as_bytes())).transpose();
        let staged = staged.map_err(ServicesError::from)?;
        if fs::read_if_there(&path, LIMIT).map_err(ServicesError::from)? == before {
            staged.map_or(Ok(()), Staged::commit).map_err(ServicesError::from)?;
            return Ok(done);
        }
    }
    Err(ServicesError::Restless(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    const WITHIN: Duration = Duration::from_secs(60);

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("h"));
        (dir, home)
    }

    fn write(home: &Home, text: &[u8]) {
        fs::make_dir(home.root(), fs::PRIVATE_DIR).unwrap();
        fs::put(&home.services(), 0o644, text).unwrap();
    }

    fn fields(port: u16) -> Map<String, Value> {
        json!({"port": port, "paths": [], "health": "/h", "version": ""}).as_object().unwrap().clone()
    }

    fn upsert(home: &Home, name: &str, port: u16) -> Result<(), ServicesError> {
        edit(home, WITHIN, |document| {
            document.upsert(name, &fields(port)).unwrap();
            Ok(())
        })
    }

    #[test]
    fn no_file_is_no_modules_and_reading_writes_nothing() {
        let (_dir, home) = home();
        assert_eq!(read(&home).unwrap(), Services::default());
        assert!(!fs::exists(home.root()));
    }

    #[test]
    fn a_home_of_the_original_is_read_unchanged() {
        let (_dir, home) = home();
        let text = br#"{"services":[
            {"name":"parachute-vault","port":1940,"paths":["/vault/default"],"health":"/vault/default/health",
             "version":"0.3.6-rc.30","installDir":"/srv/op/vault-run"},
            {"name":"parachute-scribe","port":0,"paths":["/scribe"],"health":"/scribe/health","version":""},
            {"name":"wrapper","port":1951,"paths":["/wrapper"],"health":"/wrapper/health","version":"0.1.0"}]}"#;
        write(&home, text);
        let services = read(&home).unwrap();
        let shorts: Vec<_> = services.rows.iter().map(|(s, _)| s.as_str()).collect();
        assert_eq!(shorts, ["vault", "wrapper"]);
        assert_eq!(services.problems[0].row.as_deref(), Some("parachute-scribe"));
        assert_eq!(
            services.problems[0].message,
            "parachute-scribe: `port` must be an integer from 1 to 65535, found 0; the row is not started"
        );
        assert_eq!(fs::read(&home.services(), LIMIT).unwrap(), text);
    }

    #[test]
    fn a_module_stays_as_it_was_while_its_name_is_in_the_file() {
        let (_dir, home) = home();
        let good = |name: &str, port: u16| {
            let mut row = fields(port);
            row.insert("name".to_owned(), name.into());
            Value::from(row)
        };
        let put = |rows: &[Value]| write(&home, json!({ "services": rows }).to_string().as_bytes());
        put(&[good("parachute-vault", 1940), good("b", 1945)]);
        let before = read(&home).unwrap().rows;
        let after = |rows: &[Value]| {
            put(rows);
            let services = read_after(&home, &before).unwrap();
            let rows: Vec<_> = services.rows.iter().map(|(s, r)| format!("{s} {}", r.port)).collect();
            (rows.join(", "), services.problems.into_iter().map(|p| p.message).collect::<Vec<_>>())
        };
        let bad = json!({"name": "parachute-vault", "port": "1940"});
        let (rows, told) = after(&[bad.clone(), good("new", 1940), good("b", 1946)]);
        assert_eq!(rows, "vault 1940, b 1946");
        assert_eq!(
            told,
            [
                "parachute-vault: `port` must be an integer from 1 to 65535, found \"1940\"; the module stays as it was",
                "port 1940 is taken by row `parachute-vault`; `new` is not started",
            ]
        );
        // Any row with the name counts; one bad row is enough to keep a module, and not enough to add one.
        assert_eq!(after(&[bad.clone(), good("parachute-vault", 1950)]).0, "vault 1950");
        assert_eq!(after(&[bad.clone(), bad.clone()]).0, "vault 1940");
        assert_eq!(after(&[json!({"name": "c", "port": 1}), json!({"port": 1945})]).0, "");
        let unread = |before| read_after(&home, before).unwrap().unread.into_iter().collect::<Vec<_>>();
        assert_eq!(unread(&before), [Short::new("c").unwrap()]);
        put(&[bad, good("b", 1945)]);
        assert_eq!((unread(&before), unread(&[])), (vec![], vec![Short::new("vault").unwrap()]));
    }

    #[test]
    fn an_unusable_file_is_an_error_and_never_edited() {
        let (_dir, home) = home();
        for text in ["", "{\"services\":[{\"name\":\"a\"", "null", "[]", "{}", "\0\0", "{\"services\":7}"] {
            write(&home, text.as_bytes());
            let error = read(&home).unwrap_err().to_string();
            assert!(error.contains("services.json cannot be used: it is not"), "{text:?}: {error}");
            assert!(matches!(upsert(&home, "x", 1944), Err(ServicesError::Corrupt { .. })));
            assert_eq!(fs::read(&home.services(), LIMIT).unwrap(), text.as_bytes());
        }
        write(&home, &vec![b' '; usize::try_from(LIMIT).unwrap() + 1]);
        assert!(matches!(read(&home), Err(ServicesError::File(FsError::TooLarge { .. }))));
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode_and_its_bad_rows() {
        let (_dir, home) = home();
        upsert(&home, "a", 1944).unwrap();
        assert_eq!(fs::mode(&home.services()), Some(0o600));
        write(&home, br#"{"services":[{"name":"bad","port":0},{"name":"a","port":"x","mine":1}],"root":2}"#);
        upsert(&home, "a", 1944).unwrap();
        edit(&home, WITHIN, |d| Ok::<_, ServicesError>(d.remove("none"))).unwrap();
        assert_eq!(fs::mode(&home.services()), Some(0o644));
        let text: Value = serde_json::from_slice(&fs::read(&home.services(), LIMIT).unwrap()).unwrap();
        assert_eq!(text["services"][0], json!({"name": "bad", "port": 0}));
        assert_eq!((&text["services"][1]["mine"], &text["root"]), (&json!(1), &json!(2)));
    }

    #[test]
    fn a_linked_file_stays_a_link() {
        let (dir, home) = home();
        write(&home, b"");
        let elsewhere = dir.path().join("dotfiles.json");
        fs::put(&elsewhere, 0o600, br#"{"services":[]}"#).unwrap();
        fs::remove(&home.services()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, home.services()).unwrap();
        upsert(&home, "a", 1944).unwrap();
        assert_eq!(fs::read_link(&home.services()).unwrap(), elsewhere);
        assert_eq!(read(&home).unwrap().rows.len(), 1);
    }

    #[test]
    fn fifty_writers_lose_nothing() {
        let (_dir, home) = home();
        std::thread::scope(|scope| {
            for i in 0..50 {
                let home = &home;
                scope.spawn(move || upsert(home, &format!("m{i}"), 2000 + i).unwrap());
            }
        });
        assert_eq!(read(&home).unwrap().rows.len(), 50);
        assert_eq!(fs::list(home.root()).unwrap(), [mark::NAME, "services.json", "services.json.lock"]);
    }

    #[test]
    fn a_writer_that_takes_no_lock_is_not_overwritten() {
        let (_dir, home) = home();
        write(&home, br#"{"services":[]}"#);
        let mut calls = 0;
        edit(&home, WITHIN, |document| {
            calls += 1;
            if calls == 1 {
                let row =
                    r#"{"services":[{"name":"theirs","port":1,"paths":[],"health":"/h","version":""}]}"#;
                write(&home, row.as_bytes());
            }
            document.upsert("ours", &fields(2)).unwrap();
            Ok::<_, ServicesError>(())
        })
        .unwrap();
        assert_eq!((calls, read(&home).unwrap().rows.len()), (2, 2));
        let error = edit(&home, WITHIN, |document| {
            calls += 1;
            write(&home, format!("{{\"services\":[],\"n\":{calls}}}").as_bytes());
            document.remove("x");
            document.upsert("ours", &fields(2)).unwrap();
            Ok::<_, ServicesError>(())
        });
        assert!(matches!(error, Err(ServicesError::Restless(_))));
    }
}
