//! Users in the password database. Never `$USER`: under sudo, su and cron it names another user.

use crate::error_chain::Hints;
use std::path::PathBuf;

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

/// One entry of passwd(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Login name.
    pub name: String,
    /// Home directory.
    pub home: PathBuf,
}

/// Why a user cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The database has no such entry.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The database cannot be read.
    #[error("the user {who} cannot be looked up")]
    Database {
        /// Name or number.
        who: String,
        /// The system's error.
        #[source]
        source: nix::Error,
    },
}

impl Hints for UserError {
    fn hints(&self) -> Vec<String> {
        vec!["getent passwd".to_owned()]
    }
}

/// The user this process acts as.
#[must_use]
pub fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Looks up by number.
///
/// # Errors
/// [`UserError`].
pub fn by_uid(uid: u32) -> Result<User, UserError> {
    found(nix::unistd::User::from_uid(Uid::from_raw(uid)), &uid.to_string())
}

/// Looks up by login name.
///
/// # Errors
/// [`UserError`].
pub fn by_name(name: &str) -> Result<User, UserError> {
    found(nix::unistd::User::from_name(name), name)
}

fn found(answer: nix::Result<Option<nix::unistd::User>>, who: &str) -> Result<User, UserError> {
    let entry = answer.map_err(|source| UserError::Database { who: who.to_owned(), source })?;
    let entry = entry.ok_or_else(|| UserError::Unknown(who.to_owned()))?;
    Ok(User { uid: entry.uid.as_raw(), gid: entry.gid.as_raw(), name: entry.name, home: entry.dir })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_number_and_by_name() {
        let root = by_uid(0).unwrap();
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        assert_eq!(by_name("root").unwrap(), root);
        assert_eq!(
            by_name("no-such-user-here").unwrap_err().to_string(),
            "there is no user no-such-user-here"
        );
    }
}
