//! `module.json` on disk.

use std::path::{Path, PathBuf};

use super::files::{Direct, Files};
use super::fs::FsError;
use super::paths::Home;
use crate::module::manifest::{Manifest, ManifestError};

/// Largest file that is read.
pub(crate) const LIMIT: u64 = 1024 * 1024;

/// Why an existing `module.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleJsonError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// It breaks a rule.
    #[error("{} cannot be used: {because}", path.display())]
    Bad {
        /// File.
        path: PathBuf,
        /// The rule.
        because: ManifestError,
    },
}

/// Reads the `module.json` of an install directory on each call. `None`: it does not exist.
///
/// # Errors
/// [`ModuleJsonError`], which names the file.
pub(crate) fn read(install_dir: &Path) -> Result<Option<Manifest>, ModuleJsonError> {
    read_by(&Direct, install_dir)
}

/// The same, looked at in this way.
///
/// # Errors
/// [`ModuleJsonError`], which names the file.
pub(crate) fn read_by(files: &dyn Files, install_dir: &Path) -> Result<Option<Manifest>, ModuleJsonError> {
    let path = Home::manifest(install_dir);
    let Some(bytes) = files.read_if_there(&path, LIMIT)? else { return Ok(None) };
    Manifest::parse(&bytes).map(Some).map_err(|because| ModuleJsonError::Bad { path, because })
}

#[cfg(test)]
mod tests {
    use super::super::fs;
    use super::*;

    #[test]
    fn absent_is_none_and_bad_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        assert_eq!(read(&dir.path().join("nowhere")).unwrap(), None);
        let path = Home::manifest(dir.path());
        fs::make_dir(path.parent().unwrap(), 0o700).unwrap();
        fs::put(&path, 0o600, b"{\"name\":").unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} cannot be used: not valid JSON", path.display())), "{error}");
    }
}
