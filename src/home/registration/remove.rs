//! Removes a module.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::home::fs::{self, FsError};
use crate::home::module_json;
use crate::home::paths::Home;
use crate::home::services::{self, ServicesError};
use crate::module::name::Short;
use crate::module::row::short_of;

/// What [`remove`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    /// The row that was removed.
    pub row: String,
    /// Files that were deleted with it.
    pub deleted: Vec<PathBuf>,
    /// Files of the module that stay: `.env`, logs, a `module.json` of another program, its install directory.
    pub kept: Vec<PathBuf>,
}

/// Why [`remove`] failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoveError {
    /// services.json cannot be edited.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// The row was removed, but a file was not.
    #[error("the row is removed, but not every file")]
    Files(#[source] FsError),
    /// No such module.
    #[error("services.json has no module `{0}`")]
    Unknown(String),
}

/// Removes a module by row name or short name: its row, and `module.json` if [`add`](super::add()) wrote it. `.env` and
/// logs stay, unless `purge`. The caller stops the module.
///
/// # Errors
/// [`RemoveError`].
pub(crate) fn remove(home: &Home, name: &str, purge: bool, within: Duration) -> Result<Removed, RemoveError> {
    let unknown = || RemoveError::Unknown(name.to_owned());
    let short = &short_of(name).map_err(|_| unknown())?;
    let held = services::lock(home, within)?;
    let (row, install_dir, shared) = services::edit_locked(home, &held, |document| {
        let name = document.named(name).ok_or_else(unknown)?;
        let install_dir =
            document.rows().flatten().find(|row| row.name == name).and_then(|row| row.install_dir);
        document.remove(&name);
        Ok::<_, RemoveError>((name, install_dir, document.row_of(short).is_some()))
    })?;
    let mut deleted = Vec::new();
    // Another row with the same short name uses the same directory.
    if !shared {
        delete_files(home, short, purge, &mut deleted).map_err(RemoveError::Files)?;
    }
    let dir = home.module(short);
    let left = fs::list(&dir).map_err(RemoveError::Files)?.into_iter().map(|name| dir.join(name));
    let kept = left.chain(install_dir.filter(|d| *d != dir && fs::is_dir(d))).collect();
    Ok(Removed { row, deleted, kept })
}

fn delete_files(home: &Home, short: &Short, purge: bool, deleted: &mut Vec<PathBuf>) -> Result<(), FsError> {
    let dir = home.module(short);
    let mut files = Vec::new();
    if matches!(module_json::read(&dir), Ok(Some(manifest)) if manifest.added) {
        files.push(Home::manifest(&dir));
    }
    if purge {
        files.extend([home.env_file(short), home.last_failure(short)]);
        files.extend(logs(home, short)?);
    }
    for file in files {
        if fs::remove(&file)? {
            deleted.push(file);
        }
    }
    let inside = [Home::manifest(&dir), home.log_file(short), home.last_failure(short)];
    for empty in inside.iter().filter_map(|file| file.parent()).chain([dir.as_path()]) {
        fs::remove_empty_dir(empty)?;
    }
    Ok(())
}

/// The current log and its rotated files, and no other file in the directory.
fn logs(home: &Home, short: &Short) -> Result<Vec<PathBuf>, FsError> {
    let live = home.log_file(short);
    let (Some(dir), Some(name)) = (live.parent(), live.file_name()) else { return Ok(Vec::new()) };
    let ours = |entry: &OsString| entry.as_bytes().starts_with(name.as_bytes());
    Ok(fs::list(dir)?.into_iter().filter(ours).map(|entry| dir.join(entry)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::home::env_file;
    use crate::home::registration::add::Added;
    use crate::home::registration::{AddError, NewModule, Occupied, add};
    use crate::module::port::Source;

    const WITHIN: Duration = Duration::from_secs(60);

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("h"));
        (dir, home)
    }

    fn new(short: &str) -> NewModule {
        NewModule {
            short: Short::new(short).unwrap(),
            argv: vec!["prog".to_owned(), "--x".to_owned()],
            port: None,
            health: None,
            env: Vec::new(),
            cwd: None,
            listens: true,
            replace: false,
        }
    }

    fn put(home: &Home, new: &NewModule) -> Result<Added, AddError> {
        add(home, new, Occupied { listening: &BTreeSet::from([1944]), hub: 1947 }, WITHIN)
    }

    fn take(home: &Home, short: &str, purge: bool) -> Removed {
        remove(home, short, purge, WITHIN).unwrap()
    }

    fn rows(home: &Home, text: &str) {
        fs::make_dir(home.root(), 0o700).unwrap();
        fs::put(&home.services(), 0o600, text.as_bytes()).unwrap();
    }

    #[test]
    fn a_command_becomes_a_module_and_is_removed() {
        let (_dir, home) = home();
        let web = NewModule {
            health: Some("/up".to_owned()),
            env: vec![("KEY".to_owned(), "v".to_owned())],
            cwd: Some("/srv".into()),
            listens: false,
            ..new("Web_1")
        };
        let added = put(&home, &web).unwrap();
        assert_eq!((added.port, added.source), (1948, Some(Source::InRange)), "1944 and 1947 are taken");
        let services = services::read(&home).unwrap();
        let row = &services.rows[0].1;
        assert_eq!(
            (row.name.as_str(), row.health.as_str(), row.version.as_str()),
            ("Web_1", "/up", "0.0.0-linked")
        );
        let dir = home.module(&web.short);
        assert_eq!(row.install_dir.as_ref(), Some(&dir));
        let manifest = module_json::read(&dir).unwrap().unwrap();
        assert_eq!((manifest.name.as_str(), manifest.added), ("web-1", true));
        assert_eq!(manifest.start_cmd.unwrap(), web.argv);
        let supervise = manifest.supervise;
        assert_eq!((supervise.listen, supervise.cwd), (Some(false), Some("/srv".into())));
        assert!(supervise.liveness.is_some());
        assert_eq!(fs::mode(&home.env_file(&web.short)), Some(0o600));

        let removed = take(&home, "Web_1", false);
        assert_eq!(removed.deleted, [Home::manifest(&dir)]);
        assert_eq!(removed.kept, [home.env_file(&web.short)]);
        assert_eq!(services::read(&home).unwrap().rows, []);
        // The kept files serve the next module with this name; purge leaves none.
        assert!(!put(&home, &web).unwrap().replaced);
        fs::make_dir(&dir.join("logs"), 0o700).unwrap();
        drop(fs::open_append(&home.log_file(&web.short)).unwrap());
        assert_eq!(take(&home, "Web_1", true).kept, [""; 0].map(PathBuf::from));
        assert!(!fs::exists(&dir));
        assert!(matches!(remove(&home, "Web_1", false, WITHIN), Err(RemoveError::Unknown(_))));
    }

    #[test]
    fn removing_a_duplicate_row_keeps_the_files_of_the_other() {
        let (_dir, home) = home();
        rows(
            &home,
            r#"{"services":[{"name":"parachute-scribe","port":1943,"paths":[],"health":"/","version":""},
            {"name":"scribe","port":1943,"paths":[],"health":"/","version":""}]}"#,
        );
        let scribe = Short::new("scribe").unwrap();
        env_file::put(&home.env_file(&scribe), b"K=1\n").unwrap();
        assert_eq!(take(&home, "scribe", true).row, "scribe");
        assert!(fs::exists(&home.env_file(&scribe)));
        assert_eq!(take(&home, "scribe", true).row, "parachute-scribe");
        assert!(!fs::exists(&home.module(&scribe)));
        // Its row name removes the other row; the row with the plain name stays.
        rows(
            &home,
            r#"{"services":[{"name":"vault","port":1950,"paths":[],"health":"/","version":""},
            {"name":"parachute-vault","port":1940,"paths":[],"health":"/","version":""}]}"#,
        );
        assert_eq!(take(&home, "parachute-vault", false).row, "parachute-vault");
        assert_eq!(services::read(&home).unwrap().rows[0].1.name, "vault");
    }
}
