//! `<HOME>/<short>/.env` on disk. It holds secrets: mode 0600, and no value appears in an error or a log.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::fs::{self, FsError};
use crate::module::env::{self, Env, EnvError};

/// Largest file that is read.
pub(crate) const LIMIT: u64 = 1024 * 1024;

/// Why an environment file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvFileError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// The value contains NUL, which no program can receive; usually the result of a power cut.
    #[error("{} contains NUL bytes", .0.display())]
    Nul(PathBuf),
    /// The line cannot be written.
    #[error("cannot write to {}: {because}", path.display())]
    Line {
        /// File.
        path: PathBuf,
        /// Reason.
        because: EnvError,
    },
}

/// The same, looked at in this way.
///
/// # Errors
/// [`EnvFileError`], which names the file.
pub(crate) fn read_by(files: &dyn Files, path: &Path) -> Result<Env, EnvFileError> {
    let bytes = files.read_if_there(path, LIMIT)?.unwrap_or_default();
    if bytes.contains(&0) {
        return Err(EnvFileError::Nul(path.to_owned()));
    }
    Ok(env::parse(&bytes))
}

/// Sets variables, each in place of the existing line or at the end. The file gets mode 0600.
///
/// # Errors
/// [`EnvFileError`]; then nothing is written.
pub(crate) fn upsert(path: &Path, variables: &[(String, String)]) -> Result<(), EnvFileError> {
    let mut bytes = fs::read_if_there(path, LIMIT)?.unwrap_or_default();
    for (key, value) in variables {
        bytes = env::upsert(&bytes, key, value.as_bytes())
            .map_err(|because| EnvFileError::Line { path: path.to_owned(), because })?;
    }
    put(path, &bytes)
}

/// Writes the whole file, 0600.
///
/// # Errors
/// [`EnvFileError`].
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), EnvFileError> {
    if let Some(dir) = path.parent() {
        fs::make_dir(dir, fs::PRIVATE_DIR)?;
    }
    Ok(fs::put(path, fs::PRIVATE, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::files::Direct;
    use std::ffi::OsStr;

    #[test]
    fn secrets_are_private_and_never_in_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m/.env");
        assert_eq!(read_by(&Direct, &path).unwrap(), Env::new());
        upsert(&path, &[("KEY".to_owned(), "s3cret".to_owned())]).unwrap();
        assert_eq!(fs::mode(&path), Some(0o600));
        assert_eq!(read_by(&Direct, &path).unwrap().get(OsStr::new("KEY")).unwrap(), "s3cret");
        let error = upsert(&path, &[("KEY".to_owned(), "s3cret\n2".to_owned())]).unwrap_err();
        assert!(error.to_string().contains("/m/.env: the value of `KEY`"), "{error}");
        assert!(!format!("{error:?} {error}").contains("s3cret"));
        put(&path, b"A=1\0").unwrap();
        assert!(matches!(read_by(&Direct, &path), Err(EnvFileError::Nul(p)) if p == path));
    }
}
