//! The marks every process of a module carries in its environment, and inherits to whatever it starts. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::module::launch::{MARK_HOME, MARK_INCARNATION, MARK_MODULE};
use crate::module::name::Short;

/// Proof that a process was started as part of one life of one module of one home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The module.
    pub module: Short,
    /// `<hub nonce>:<incarnation>`.
    pub incarnation: String,
    /// The home.
    pub home: PathBuf,
}

impl Marks {
    /// Finds the marks in an environment block (`KEY=value`, NUL between entries).
    ///
    /// All three or none: a person's shell has `PARACHUTE_HOME` too and is nobody's module.
    #[must_use]
    pub(crate) fn parse(environ: &[u8]) -> Option<Self> {
        Some(Self {
            module: Short::new(std::str::from_utf8(value(environ, MARK_MODULE)?).ok()?).ok()?,
            incarnation: std::str::from_utf8(value(environ, MARK_INCARNATION)?).ok()?.to_owned(),
            home: home(environ)?,
        })
    }
}

/// The home an environment names, marked or not.
#[must_use]
pub(crate) fn home(environ: &[u8]) -> Option<PathBuf> {
    value(environ, MARK_HOME).filter(|bytes| !bytes.is_empty()).map(|bytes| OsStr::from_bytes(bytes).into())
}

/// One variable of an environment block.
#[must_use]
pub(crate) fn variable(environ: &[u8], key: &str) -> Option<OsString> {
    value(environ, key).map(|bytes| OsStr::from_bytes(bytes).to_owned())
}

/// First value of `key`: `getenv` of every libc reads the first one.
fn value<'a>(environ: &'a [u8], key: &str) -> Option<&'a [u8]> {
    environ
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_or_none() {
        let all = b"PATH=/bin\0PARACHUTE_MODULE=vault\0PARACHUTE_INCARNATION=n:1\0PARACHUTE_HOME=/h o\0";
        let marks = Marks::parse(all).unwrap();
        assert_eq!((marks.module.as_str(), marks.incarnation.as_str()), ("vault", "n:1"));
        assert_eq!(marks.home, PathBuf::from("/h o"));
        for lacking in [
            &b"PARACHUTE_HOME=/h\0"[..],
            b"PARACHUTE_MODULE=vault\0PARACHUTE_INCARNATION=n:1\0",
            b"PARACHUTE_MODULE=../x\0PARACHUTE_INCARNATION=n:1\0PARACHUTE_HOME=/h\0",
            b"XPARACHUTE_MODULE=vault\0PARACHUTE_INCARNATION=n:1\0PARACHUTE_HOME=/h\0",
            b"PARACHUTE_MODULE=vault\0PARACHUTE_INCARNATION=n:1\0PARACHUTE_HOME=\0",
            b"",
        ] {
            assert_eq!(Marks::parse(lacking), None, "{}", String::from_utf8_lossy(lacking));
        }
    }

    #[test]
    fn the_first_value_counts() {
        assert_eq!(home(b"PARACHUTE_HOME=/a\0PARACHUTE_HOME=/b\0"), Some("/a".into()));
        assert_eq!(variable(b"XPATH=/x\0PATH=/a\0PATH=/b\0", "PATH"), Some("/a".into()));
    }
}
