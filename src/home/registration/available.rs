//! Whether a name is free for a new module.

use crate::home::fs;
use crate::home::module_json::{self, ModuleJsonError};
use crate::home::paths::Home;
use crate::home::services;
use crate::module::name::Short;

use super::add_error::AddError;

/// Names below the home that have another meaning.
const TAKEN: [&str; 14] = [
    "bin",
    "cloudflared",
    "cloudflared-state.json",
    "expose-state.json",
    "hub.db",
    "hub.db-shm",
    "hub.db-wal",
    "hub.env",
    "hub.toml",
    "operator.token",
    "run",
    "services.json",
    "services.json.lock",
    "well-known",
];

/// Whether a module of this name could be added now, as far as the name goes. For a question that asks for one: `add`
/// itself looks again, under the lock.
///
/// # Errors
/// Why not.
pub(crate) fn available(home: &Home, short: &Short) -> Result<(), AddError> {
    as_name(home, short)?;
    match services::named(home, short.as_str())? {
        Some(row) => Err(AddError::Exists { short: short.clone(), row }),
        None => below_the_home(home, short),
    }
}

/// Whether the name means something else below the home.
pub(super) fn as_name(home: &Home, short: &Short) -> Result<(), AddError> {
    let dir = home.module(short);
    if TAKEN.contains(&short.as_str()) || (fs::exists(&dir) && !fs::is_dir(&dir)) {
        return Err(AddError::Taken(short.clone()));
    }
    Ok(())
}

/// Whether the place of its `module.json` is free, or `add` wrote what is there: without a row that is what an interrupted
/// add or a removal left.
pub(super) fn below_the_home(home: &Home, short: &Short) -> Result<(), AddError> {
    let dir = home.module(short);
    match module_json::read(&dir).map(|found| found.map(|found| found.added)) {
        Ok(None | Some(true)) => Ok(()),
        Err(ModuleJsonError::File(error)) => Err(error.into()),
        Ok(Some(false)) | Err(ModuleJsonError::Bad { .. }) => Err(AddError::Foreign(Home::manifest(&dir))),
    }
}
