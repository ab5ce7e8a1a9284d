//! Values as a unit file of systemd takes them.
//!
//! Measured with systemd 252, in system scope: bytes that are not UTF-8, and Unicode's non-characters, do reach a
//! program through `\xNN` in `ExecStart=`, but from then on `systemctl show` fails for that unit ("Failed to get
//! properties: Invalid argument"), and in `Environment=` the assignment vanishes. So both are refused.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::Serialize;

use crate::unit::token::{Refused, env_key, text};

/// One word of `ExecStart=`: systemd.service(5), COMMAND LINES. Not the first, which is a [`SystemdProgram`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SystemdWord(String);

/// The program in `ExecStart=`, as one or more words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SystemdProgram(String);

/// One `NAME=value` of `Environment=`: systemd.exec(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SystemdAssignment(String);

/// The rest of a line that systemd takes as it is, but for specifiers: `Description=`, `User=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SystemdText(String);

impl SystemdWord {
    /// Quoted where it must be. `$` is doubled, since `${X}` is expanded in quotes too.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        Ok(Self(quoted(systemd(key, raw)?, "$$")))
    }
}

impl SystemdProgram {
    /// The word itself where systemd takes it. It refuses quotes, backslashes and control characters in the name of
    /// a program however they are escaped ("Executable name contains special characters", measured with 252), and
    /// would expand `${X}` in what the program sees as its own name: then a shell is put in between, which becomes
    /// the program and leaves the process id as it is.
    ///
    /// # Errors
    /// [`Refused`]; also when the path is not absolute.
    pub(super) fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        if !Path::new(raw).is_absolute() {
            return Err(Refused::new(key, raw, "a program is named by its absolute path"));
        }
        let path = quoted(systemd(key, raw)?, "$$");
        let plain = |b: &u8| !b.is_ascii_control() && !b"\"'\\$".contains(b);
        if raw.as_bytes().iter().all(plain) {
            Ok(Self(path))
        } else {
            Ok(Self(format!(r#"/bin/sh -c "exec \"$$0\" \"$$@\"" {path}"#)))
        }
    }
}

impl SystemdAssignment {
    /// The whole assignment in quotes; `$` is literal here.
    ///
    /// # Errors
    /// [`Refused`]; also when the name is none.
    pub(super) fn new(name: &str, raw: &OsStr) -> Result<Self, Refused> {
        let key = env_key(name)?;
        let value = systemd(&key, raw)?;
        // A quoted word even where it could do without: one look tells where it ends.
        Ok(Self(in_quotes(&format!("{name}={value}"), "$")))
    }
}

impl SystemdText {
    /// As it is, `%` doubled.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        let text = bare(key, raw)?;
        if text.is_empty() {
            return Err(Refused::new(key, raw, "empty, it would unset the key"));
        }
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| specifier_free(&mut out, c));
        Ok(Self(out))
    }
}

/// What systemd takes at all. A line break could be written as `\n`, but nothing of ours needs one, and no reader of
/// the file expects one.
fn systemd<'a>(key: &str, raw: &'a OsStr) -> Result<&'a str, Refused> {
    let text = text(key, raw)?;
    if text.contains('\n') {
        return Err(Refused::new(key, raw, "it holds a line break"));
    }
    // U+FDD0 to U+FDEF, and the last two of each plane.
    let none = |c: char| matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    if text.chars().any(none) {
        return Err(Refused::new(key, raw, "systemd takes no Unicode non-character"));
    }
    Ok(text)
}

/// Text for a line without quoting rules: what such a line cannot hold is refused.
fn bare<'a>(key: &str, raw: &'a OsStr) -> Result<&'a str, Refused> {
    let text = systemd(key, raw)?;
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err(Refused::new(key, raw, "it holds a control character"));
    }
    if text.ends_with('\\') || text.trim_matches(' ') != text {
        return Err(Refused::new(key, raw, "systemd would drop the blank or the backslash at its end"));
    }
    Ok(text)
}

/// `%` begins a specifier: systemd.unit(5), SPECIFIERS.
fn specifier_free(out: &mut String, c: char) {
    out.push(c);
    if c == '%' {
        out.push('%');
    }
}

/// The word, in quotes if it needs them.
fn quoted(text: &str, dollar: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-+=:,./@".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { in_quotes(text, dollar) }
}

/// systemd.syntax(7), QUOTING: double quotes with C escapes; `%` is a specifier in quotes too.
fn in_quotes(text: &str, dollar: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '$' => out.push_str(dollar),
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => specifier_free(&mut out, c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
