//! The short name of a module; never a path.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest accepted short name, in bytes. Well below `NAME_MAX` (255) so that `<short>.log.5.tmp-…` still fits.
pub const MAX_LEN: usize = 64;

/// A module's short name (`vault`), safe as a directory name below the home.
///
/// Accepted: 1 to [`MAX_LEN`] bytes of `[A-Za-z0-9._-]`, starting with a letter or digit.
/// `hub` is refused: that name means the hub itself in every verb.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Short(String);

/// Why a text cannot be a short name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a module name cannot be empty")]
    Empty,
    /// Over [`MAX_LEN`] bytes.
    #[error("module name {0:?} is longer than {MAX_LEN} bytes")]
    TooLong(String),
    /// A character outside the allowed set, or a start that is not a letter or digit.
    #[error(
        "module name {0:?} is not plain: use letters, digits, `.`, `_`, `-`, starting with a letter or digit"
    )]
    NotPlain(String),
    /// `hub` names the hub.
    #[error("`hub` is the hub itself, not a module")]
    Reserved,
}

impl Short {
    /// Checks `text` and makes it a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule was broken.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(NameError::TooLong(text.chars().take(MAX_LEN).collect()));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        if !bytes[0].is_ascii_alphanumeric() || !bytes.iter().all(|b| plain(*b)) {
            return Err(NameError::NotPlain(text.to_owned()));
        }
        if text == "hub" {
            return Err(NameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Short {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<Short> for String {
    fn from(short: Short) -> Self {
        short.0
    }
}

impl std::str::FromStr for Short {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_only() {
        for good in ["vault", "acme-widget", "parachute-vault-work", "a", "9p", "v1.2_x"] {
            assert_eq!(Short::new(good).unwrap().as_str(), good);
        }
        for bad in ["../evil", "..", ".", ".hidden", "a/b", "a b", "-x", "ä", "a\0b", "a\nb"] {
            assert!(matches!(Short::new(bad), Err(NameError::NotPlain(_))), "{bad:?}");
        }
        assert_eq!(Short::new(""), Err(NameError::Empty));
        assert_eq!(Short::new("hub"), Err(NameError::Reserved));
        assert!(matches!(Short::new(&"x".repeat(65)), Err(NameError::TooLong(_))));
    }
}
