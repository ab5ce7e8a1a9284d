//! The text of `hub.env`, parsed by systemd's rules for `EnvironmentFile=`, and which of its names are used.
//!
//! systemd once read this file before the hub did, so it must mean the same here: systemd.exec(5), EnvironmentFile=,
//! and `parse_env_file_internal` of systemd's env-file.c, whose states these are. `tests/lab/hub_env.rs` compares the
//! two. One rule changed in 254, and the newer one is followed: a comment that ends with a backslash ends there. The
//! rules of a module's `.env` differ: [`super::env::parse`].
//!
//! No remark contains a name or a value from the file: a secret that is broken into lines could be either.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::env::{self, Env};
use super::launch::{MARK_HOME, MARK_INCARNATION, MARK_MODULE};

/// The settings that the hub itself takes from the file at its start. Everything else is for modules.
pub const SETTINGS: [&str; 3] = ["PARACHUTE_BIND_HOST", "PARACHUTE_LOG", "PORT"];

/// Set by the hub for each module, so that a line for them would have no effect.
const SET_BY_THE_HUB: [&str; 3] = [MARK_HOME, MARK_MODULE, MARK_INCARNATION];

/// How many line numbers a remark names; of the others it gives the count.
const NAMED: usize = 3;

/// The content of the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Its variables; of a name that is there twice, the last one.
    pub variables: Env,
    /// Lines that do not do what they seem to do, one sentence fragment per kind.
    pub remarks: Vec<String>,
}

/// Without the values, because they are secrets.
impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&OsString> = self.variables.keys().collect();
        f.debug_struct("Parsed").field("variables", &names).field("remarks", &self.remarks).finish()
    }
}

/// Why a line is not used, or not as it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Oddity {
    ByteOrderMark,
    NoAssignment,
    Export,
    NoName,
    OpenQuote,
    TailComment,
}

impl Oddity {
    fn phrase(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "not used: it begins with a byte order mark",
            Self::NoAssignment => "not used: it has no `=`",
            Self::Export => "not used: it begins with `export`, which is a shell's word",
            Self::NoName => "not used: a name is letters, digits and _, and does not begin with a digit",
            Self::OpenQuote => "a quote is opened and never closed: all that follows is its value",
            Self::TailComment => {
                "what follows ` #` is part of the value: a comment needs a line of its own, quotes show that it is none"
            }
        }
    }
}

/// The states of systemd's parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BeforeName,
    Name,
    BeforeValue,
    Value,
    ValueEscape,
    SingleQuoted,
    DoubleQuoted,
    DoubleQuotedEscape,
    Comment,
    CommentEscape,
}

/// Parses the text. Never fails: what is no assignment is left out, with a remark.
#[must_use]
pub fn parse(text: &[u8]) -> Parsed {
    let mut reader = Reader::default();
    text.iter().for_each(|byte| reader.take(*byte));
    reader.end();
    reader.done()
}

/// The settings of the hub itself among these variables.
#[must_use]
pub fn settings(variables: &Env) -> Env {
    let own = |name: &OsString| SETTINGS.iter().any(|own| name == *own);
    variables
        .iter()
        .filter(|(name, _)| own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Reader {
    state: State,
    /// Line of the current byte, and of the name that is being read.
    line: usize,
    begun: usize,
    name: Vec<u8>,
    value: Vec<u8>,
    /// Where trailing blanks begin; they count only if something follows them.
    name_blank: Option<usize>,
    value_blank: Option<usize>,
    /// No part of the value was quoted or escaped.
    is_plain: bool,
    variables: Env,
    odd: BTreeMap<Oddity, BTreeSet<usize>>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::BeforeName,
            line: 1,
            begun: 1,
            name: Vec::new(),
            value: Vec::new(),
            name_blank: None,
            value_blank: None,
            is_plain: true,
            variables: Env::new(),
            odd: BTreeMap::new(),
        }
    }
}

impl Reader {
    fn take(&mut self, byte: u8) {
        self.state = match self.state {
            State::BeforeName if matches!(byte, b'#' | b';') => State::Comment,
            State::BeforeName if is_blank(byte) => State::BeforeName,
            State::BeforeName => {
                (self.begun, self.name_blank) = (self.line, None);
                self.name.push(byte);
                State::Name
            }
            State::Name => self.name(byte),
            State::BeforeValue => self.before_value(byte),
            State::Value => self.value(byte),
            // A line that ends with a backslash continues on the next.
            State::ValueEscape if is_break(byte) => State::Value,
            State::ValueEscape => self.keep(byte, State::Value),
            State::SingleQuoted if byte == b'\'' => State::BeforeValue,
            State::SingleQuoted => self.keep(byte, State::SingleQuoted),
            State::DoubleQuoted if byte == b'"' => State::BeforeValue,
            State::DoubleQuoted if byte == b'\\' => State::DoubleQuotedEscape,
            State::DoubleQuoted => self.keep(byte, State::DoubleQuoted),
            State::DoubleQuotedEscape => {
                // As in a shell: before any other character the backslash stays.
                if !matches!(byte, b'"' | b'\\' | b'`' | b'$' | b'\n') {
                    self.value.push(b'\\');
                }
                if byte != b'\n' {
                    self.value.push(byte);
                }
                State::DoubleQuoted
            }
            State::Comment if byte == b'\\' => State::CommentEscape,
            State::Comment | State::CommentEscape if is_break(byte) => State::BeforeName,
            State::Comment | State::CommentEscape => State::Comment,
        };
        self.line += usize::from(byte == b'\n');
    }

    fn keep(&mut self, byte: u8, next: State) -> State {
        self.value.push(byte);
        next
    }

    fn name(&mut self, byte: u8) -> State {
        if is_break(byte) {
            self.no_assignment();
            return State::BeforeName;
        }
        if byte == b'=' {
            (self.value_blank, self.is_plain) = (None, true);
            return State::BeforeValue;
        }
        self.name_blank = if is_blank(byte) { self.name_blank.or(Some(self.name.len())) } else { None };
        self.name.push(byte);
        State::Name
    }

    fn before_value(&mut self, byte: u8) -> State {
        match byte {
            _ if is_break(byte) => {
                self.assign();
                State::BeforeName
            }
            b'\'' | b'"' | b'\\' => {
                self.is_plain = false;
                match byte {
                    b'\'' => State::SingleQuoted,
                    b'"' => State::DoubleQuoted,
                    _ => State::ValueEscape,
                }
            }
            _ if is_blank(byte) => State::BeforeValue,
            _ => self.keep(byte, State::Value),
        }
    }

    fn value(&mut self, byte: u8) -> State {
        if is_break(byte) {
            self.cut_value();
            self.assign();
            return State::BeforeName;
        }
        if byte == b'\\' {
            (self.value_blank, self.is_plain) = (None, false);
            return State::ValueEscape;
        }
        self.value_blank = if is_blank(byte) { self.value_blank.or(Some(self.value.len())) } else { None };
        self.keep(byte, State::Value)
    }

    fn cut_value(&mut self) {
        if let Some(at) = self.value_blank {
            self.value.truncate(at);
        }
    }

    /// End of file.
    fn end(&mut self) {
        match self.state {
            State::BeforeName | State::Comment | State::CommentEscape => {}
            State::Name => self.no_assignment(),
            State::Value => {
                self.cut_value();
                self.assign();
            }
            State::BeforeValue | State::ValueEscape => self.assign(),
            State::SingleQuoted | State::DoubleQuoted | State::DoubleQuotedEscape => {
                self.remark(Oddity::OpenQuote);
                self.assign();
            }
        }
    }

    fn remark(&mut self, odd: Oddity) {
        self.odd.entry(odd).or_default().insert(self.begun);
    }

    fn no_assignment(&mut self) {
        self.remark(Oddity::NoAssignment);
        self.name.clear();
    }

    fn assign(&mut self) {
        if let Some(at) = self.name_blank.take() {
            self.name.truncate(at);
        }
        let (name, value) = (std::mem::take(&mut self.name), std::mem::take(&mut self.value));
        if !env::is_key(&name) {
            self.remark(match name.as_slice() {
                [0xef, 0xbb, 0xbf, ..] => Oddity::ByteOrderMark,
                [b'e', b'x', b'p', b'o', b'r', b't', blank, ..] if is_blank(*blank) => Oddity::Export,
                _ => Oddity::NoName,
            });
            return;
        }
        if self.is_plain && value.windows(2).any(|two| is_blank(two[0]) && two[1] == b'#') {
            self.remark(Oddity::TailComment);
        }
        self.variables.insert(OsString::from_vec(name), OsString::from_vec(value));
    }

    fn done(self) -> Parsed {
        let mut remarks: Vec<String> =
            self.odd.iter().map(|(odd, lines)| format!("{}: {}", named(lines), odd.phrase())).collect();
        let unused: Vec<String> = self
            .variables
            .keys()
            .filter_map(unused)
            .map(|name| format!("{name} is not used: {WHOSE}"))
            .collect();
        remarks.extend(unused);
        Parsed { variables: self.variables, remarks }
    }
}

/// Why a variable that the hub or its manager sets is passed to no module.
const WHOSE: &str = "the hub or its manager sets it, and it goes to no module";

/// A name that is used neither by the hub nor by its modules. It is one of our list, or begins like one of it, so it
/// is no secret.
fn unused(name: &OsString) -> Option<String> {
    let known = SET_BY_THE_HUB.iter().any(|set| name == *set)
        || (env::is_hub_only(name) && !SETTINGS.iter().any(|own| name == *own) && name != env::EXTRA_PATH);
    known.then(|| name.to_string_lossy().into_owned())
}

/// `line 3`, `lines 3, 4, 7 and 12 more`.
fn named(lines: &BTreeSet<usize>) -> String {
    let first: Vec<String> = lines.iter().take(NAMED).map(ToString::to_string).collect();
    match lines.len() {
        1 => format!("line {}", first[0]),
        2..=NAMED => format!("lines {}", first.join(", ")),
        all => format!("lines {} and {} more", first.join(", "), all - NAMED),
    }
}

#[cfg(test)]
mod tests;
