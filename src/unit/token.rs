//! Values escaped for a service manager's file. The only way to make a token escapes the value for its place in
//! the file, or refuses it by name; templates accept nothing else.
//!
//! Measured with systemd 252, in system scope: bytes that are not UTF-8, and Unicode's non-characters, do reach a
//! program through `\xNN` in `ExecStart=`, but from then on `systemctl show` fails for that unit ("Failed to get
//! properties: Invalid argument"), and in `Environment=` the assignment vanishes. So both are refused.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::Serialize;

/// A value that the format cannot express, or that must not be in a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} cannot be {value:?}: {because}")]
pub struct Refused {
    /// The key of the value: `argv[2]`, `env.PATH`, `hub.toml [unit] socket`.
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

/// One word of `ExecStart=`: systemd.service(5), COMMAND LINES. Not the first, which is a [`SystemdProgram`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SystemdWord(String);

/// The program in `ExecStart=`, as one or more words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SystemdProgram(String);

/// One `NAME=value` of `Environment=`: systemd.exec(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SystemdAssignment(String);

/// The rest of a line that systemd takes literally, except for specifiers: `Description=`, `User=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SystemdText(String);

/// Text between two tags of a property list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct XmlText(String);

impl SystemdWord {
    /// Quoted where needed. `$` is doubled, since `${X}` is expanded in quotes too.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        Ok(Self(quoted(systemd(key, raw)?, "$$")))
    }
}

impl SystemdProgram {
    /// The word itself where systemd accepts it. It refuses quotes, backslashes and control characters in the name of
    /// a program, however they are escaped ("Executable name contains special characters", measured with 252), and
    /// would expand `${X}` in the program's `argv[0]`: then a shell is put in between, which execs the program and
    /// keeps the process id.
    ///
    /// # Errors
    /// [`Refused`]; also when the path is not absolute.
    pub fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
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
    /// [`Refused`]; also when the name is invalid.
    /// [`Refused`]; also when the name is none.
    pub fn new(name: &str, raw: &OsStr) -> Result<Self, Refused> {
        let key = env_key(name)?;
        let value = systemd(&key, raw)?;
        // Always quoted, even where not needed: the end of the word is then obvious.
        Ok(Self(in_quotes(&format!("{name}={value}"), "$")))
    }
}

impl SystemdText {
    /// Literally, with `%` doubled.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        let text = bare(key, raw)?;
        if text.is_empty() {
            return Err(Refused::new(key, raw, "empty, it would unset the key"));
        }
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| specifier_free(&mut out, c));
        Ok(Self(out))
    }
}

impl XmlText {
    /// Escaped; a carriage return as a reference, because a parser turns a bare one into a line feed (XML 1.0, 2.11).
    ///
    /// # Errors
    /// [`Refused`] for what XML 1.0, 2.2 does not allow, not even as a reference.
    pub fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        let text = text(key, raw)?;
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '\r' => out.push_str("&#13;"),
                '\t' | '\n' | ' '..='\u{fffd}' | '\u{1_0000}'.. => out.push(c),
                _ => return Err(Refused::new(key, raw, "XML has no way to write a control character")),
            }
        }
        Ok(Self(out))
    }
}

/// `env.NAME`, if the name is valid: POSIX.1, 8.1, which is all that systemd accepts.
pub(super) fn env_key(name: &str) -> Result<String, Refused> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(plain) {
        let because = "a variable's name takes letters, digits and _, and does not begin with a digit";
        return Err(Refused::new("the name of a variable", OsStr::new(name), because));
    }
    Ok(format!("env.{name}"))
}

/// Text without NUL: no argument and no variable can contain one, in any format.
fn text<'a>(key: &str, raw: &'a OsStr) -> Result<&'a str, Refused> {
    let text = raw.to_str().ok_or_else(|| Refused::new(key, raw, "it is not UTF-8"))?;
    if text.contains('\0') {
        return Err(Refused::new(key, raw, "it holds a NUL byte"));
    }
    Ok(text)
}

/// What systemd accepts at all. A line break could be written as `\n`, but none of our values needs one, and no reader
/// of the file expects one.
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
