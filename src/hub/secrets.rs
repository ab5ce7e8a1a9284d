//! `hub.env`, the environment that a manager gives the hub from a file. systemd reads it (`EnvironmentFile=`); launchd
//! has no such key, and what its property list holds anybody can read, so under launchd the hub reads it itself.
//!
//! The file wins over what launchd gave, as it does under systemd (systemd.exec(5), EnvironmentFile=).

use std::path::{Path, PathBuf};

use crate::home::env_file::{self, EnvFileError};
use crate::home::fs;
use crate::process::person;

use super::keeper::Keeper;
use super::options::ServeOptions;

/// Why the file cannot be used. Starting without it would be a hub of which half is missing.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// It cannot be read.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: EnvFileError,
    },
    /// Its variables could be those of somebody else, and modules run with them.
    #[error("{} is not used: {why}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
        /// What makes it safe.
        next: String,
    },
}

impl SecretsError {
    /// What to type next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::File { path, .. } => format!("ls -l {}", path.display()),
            Self::Unsafe { next, .. } => next.clone(),
        }
    }
}

/// The options with the variables of the file, where nobody else reads it. What is not as it should be and hinders
/// nothing is noted.
///
/// # Errors
/// [`SecretsError`].
pub fn add(mut options: ServeOptions, notes: &mut Vec<String>) -> Result<ServeOptions, SecretsError> {
    match options.keeper() {
        Keeper::Launchd => {}
        // A person in a terminal gives the hub an environment of their own.
        Keeper::Nobody | Keeper::Systemd => return Ok(options),
    }
    let path = options.home.hub_env();
    let variables =
        env_file::read(&path).map_err(|source| SecretsError::File { path: path.clone(), source })?;
    if let Some((owner, mode)) = fs::owner(&path).zip(fs::mode(&path)) {
        notes.extend(judge(&path, owner, mode, person::effective_uid())?);
    }
    options.env.extend(variables);
    Ok(options)
}

/// Whether a file of this owner and mode is used, and what is to be said about it.
fn judge(path: &Path, owner: u32, mode: u32, me: u32) -> Result<Option<String>, SecretsError> {
    let refused = |why: String, next: String| Err(SecretsError::Unsafe { path: path.to_owned(), why, next });
    let repair = format!("chmod 600 {}", path.display());
    if owner != me && owner != 0 {
        return refused(format!("it belongs to user {owner}"), format!("ls -l {}", path.display()));
    }
    if mode & 0o022 != 0 {
        return refused(format!("others can write it (mode {mode:04o})"), repair);
    }
    let readable = mode & 0o044 != 0;
    Ok(readable.then(|| format!("{} can be read by others (mode {mode:04o}): {repair}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_file_is_used() {
        let path = Path::new("/h/hub.env");
        let judged =
            |owner, mode| judge(path, owner, mode, 501).map_err(|error| (error.to_string(), error.next()));
        assert_eq!(judged(501, 0o600), Ok(None));
        assert_eq!(judged(0, 0o600), Ok(None), "what root gave");
        let note = judged(501, 0o640).unwrap().unwrap();
        assert_eq!(note, "/h/hub.env can be read by others (mode 0640): chmod 600 /h/hub.env");
        let (why, next) = judged(501, 0o620).unwrap_err();
        assert_eq!(why, "/h/hub.env is not used: others can write it (mode 0620)");
        assert_eq!(next, "chmod 600 /h/hub.env");
        assert!(judged(502, 0o600).unwrap_err().0.contains("belongs to user 502"));
    }

    #[test]
    fn only_a_hub_that_launchd_started_reads_it_and_the_file_wins() {
        let dir = tempfile::tempdir().unwrap();
        env_file::put(&dir.path().join("hub.env"), b"KEY=file\nMORE='x y'\n# no line\n").unwrap();
        let added = |env: &[(&str, &str)]| {
            let home = crate::home::paths::Home::at(dir.path().to_owned());
            add(ServeOptions { home, ..ServeOptions::bare(env) }, &mut Vec::new()).unwrap().env
        };
        let launchd_set = ("XPC_SERVICE_NAME", "computer.parachute.hub");
        let launchd = added(&[launchd_set, ("KEY", "plist"), ("OLD", "1")]);
        let text = |name: &str| launchd[std::ffi::OsStr::new(name)].to_str().unwrap();
        assert_eq!([text("KEY"), text("MORE"), text("OLD")], ["file", "x y", "1"]);
        let person = added(&[("KEY", "mine")]);
        assert_eq!(person.len(), 1);
        assert_eq!(added(&[("NOTIFY_SOCKET", "/n")]).len(), 1, "systemd has read it");
        assert!(fs::remove(&dir.path().join("hub.env")).unwrap());
        assert_eq!(added(&[launchd_set]).len(), 1, "it is optional");
        env_file::put(&dir.path().join("hub.env"), b"KEY=file\0").unwrap();
        let home = crate::home::paths::Home::at(dir.path().to_owned());
        let error =
            add(ServeOptions { home, ..ServeOptions::bare(&[launchd_set]) }, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().ends_with("/hub.env cannot be used") && error.next().starts_with("ls -l "));
    }
}
