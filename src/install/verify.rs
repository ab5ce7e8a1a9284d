//! Checks unit files with the manager's own checker, before they are installed.

use std::path::{Path, PathBuf};

use crate::error_chain;
use crate::home::fs::{self, FsError, PRIVATE, PRIVATE_DIR};
use crate::manager::driver::{Driver, FailureKind, ManagerError};
use crate::manager::explain::Cause;
use crate::manager::invocation::Runner;

/// The checker's complaints about these texts, each under the name of its path: one line each. A missing `program` is
/// not a complaint: the plan puts it there.
///
/// # Errors
/// [`ManagerError`]; with [`FailureKind::NoTool`] if there is no checker here.
pub(crate) async fn texts<R: Runner>(
    driver: &Driver<R>,
    texts: &[(&Path, &str)],
    program: &Path,
) -> Result<Vec<String>, ManagerError> {
    let dir = std::env::temp_dir().join(format!("parachute-verify-{:016x}", fastrand::u64(..)));
    let failed = |error: &FsError| ManagerError {
        doing: "check the unit files".to_owned(),
        cause: Cause::never(error_chain::of(error)),
        kind: FailureKind::Failed,
    };
    let files = write(&dir, texts);
    let outcome = match &files {
        Ok(files) => driver.verify(files).await,
        Err(error) => Err(failed(error)),
    };
    // A directory of our own with a unique name.
    let removed = fs::remove_tree(&dir);
    let complaints = outcome?;
    removed.map_err(|error| failed(&error))?;
    let place = format!("{}/", dir.display());
    let program = program.to_string_lossy();
    let lacks = |line: &String| line.contains("is not executable: No such file") && line.contains(&*program);
    Ok(complaints.into_iter().filter(|line| !lacks(line)).map(|line| line.replace(&place, "")).collect())
}

fn write(dir: &Path, texts: &[(&Path, &str)]) -> Result<Vec<PathBuf>, FsError> {
    fs::make_dir(dir, PRIVATE_DIR)?;
    let mut files = Vec::new();
    for (path, text) in texts {
        let file = dir.join(path.file_name().unwrap_or_default());
        fs::put_unsynced(&file, PRIVATE, text.as_bytes())?;
        files.push(file);
    }
    Ok(files)
}
