//! Values as a service manager's file takes them. The only way to make a token escapes the value for its place in
//! the file, or refuses it by name; a template cannot get hold of anything else.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// A value that the format cannot express, or that must not be in a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} cannot be {value:?}: {because}")]
pub struct Refused {
    /// The key of the value: `argv[2]`, `env.PATH`, `hub.toml [unit] path`.
    pub key: String,
    /// The value; bytes that are not UTF-8 as `\xNN`.
    pub value: String,
    /// Why, a fragment.
    pub because: &'static str,
}

impl Refused {
    /// Refuses this value of this key.
    #[must_use]
    pub fn new(key: impl Into<String>, value: &OsStr, because: &'static str) -> Self {
        let value = value.to_str().map_or_else(|| value.as_bytes().escape_ascii().to_string(), str::to_owned);
        Self { key: key.into(), value, because }
    }
}

/// `env.NAME`, if it is a name: POSIX.1, 8.1, which is all that systemd takes.
pub(super) fn env_key(name: &str) -> Result<String, Refused> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(plain) {
        let because = "a variable's name takes letters, digits and _, and does not begin with a digit";
        return Err(Refused::new("the name of a variable", OsStr::new(name), because));
    }
    Ok(format!("env.{name}"))
}

/// Text without NUL: no argument and no variable can contain one, in any format.
pub(super) fn text<'a>(key: &str, raw: &'a OsStr) -> Result<&'a str, Refused> {
    let text = raw.to_str().ok_or_else(|| Refused::new(key, raw, "it is not UTF-8"))?;
    if text.contains('\0') {
        return Err(Refused::new(key, raw, "it holds a NUL byte"));
    }
    Ok(text)
}
