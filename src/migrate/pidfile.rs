//! Pidfiles of the detached model: a pid that may be outdated. Pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::id::ProcessId;
use crate::process::unknown::Unknown;

/// Largest meaningless difference between a file's time and a process's: file systems and clock ticks round,
/// and a clock may have been adjusted a little.
const SLACK: Duration = Duration::from_secs(2);

/// Longest content on a screen, characters.
const SHOWN: usize = 40;

/// A pidfile, and what it proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pidfile {
    /// Its role: `hub`, or the short name of a module.
    pub of: String,
    /// Its path.
    pub path: PathBuf,
    /// The pid in it, if it is valid.
    pub pid: Option<u32>,
    /// What it proves.
    pub worth: Worth,
}

/// What a pidfile proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "worth", rename_all = "snake_case")]
pub enum Worth {
    /// It names this process, which ran when it was written. That alone is no proof.
    Names {
        /// The process.
        id: ProcessId,
    },
    /// It names no process.
    Garbage {
        /// The reason.
        why: Garbage,
    },
    /// It cannot be read, or the system gives no answer.
    Unknown {
        /// The reason.
        because: String,
    },
}

/// Why a pidfile names no process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// Its content is not a pid.
    Junk(String),
    /// 0, 1 or a negative number: no daemon has it, and a signal to it would reach a group, or all processes.
    Reserved(String),
    /// This command, or an ancestor of it.
    Above,
    /// No process has the pid.
    Dead,
    /// It was written before this boot.
    OtherBoot,
    /// The process with this pid started after the file was written.
    Recycled,
}

/// The process with the pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Its identity.
    pub id: ProcessId,
    /// How long it has been running.
    pub age: Duration,
    /// Whether it is this process, or an ancestor.
    pub above: bool,
}

/// The pid in a pidfile: decimal digits, and at most blanks around them.
///
/// # Errors
/// [`Garbage`]. Nothing is stripped to make a valid number.
pub fn parse(content: &[u8]) -> Result<u32, Garbage> {
    let text = String::from_utf8_lossy(content);
    let word = text.trim();
    let shown = || {
        let mut shown: String = word.chars().take(SHOWN).collect();
        if word.chars().count() > SHOWN {
            shown.push('…');
        }
        shown
    };
    let digits = word.strip_prefix('-').unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Garbage::Junk(shown()));
    }
    match word.parse::<i64>() {
        Ok(..=1) => Err(Garbage::Reserved(shown())),
        // No system assigns larger ones (PID_MAX_LIMIT of Linux is 2^22).
        Ok(pid) => u32::try_from(pid).ok().filter(|pid| *pid < 1 << 30).ok_or_else(|| Garbage::Junk(shown())),
        Err(_) if word.starts_with('-') => Err(Garbage::Reserved(shown())),
        Err(_) => Err(Garbage::Junk(shown())),
    }
}

/// What a pidfile with this content and age proves, and the pid in it. `bearer` finds the process with a pid.
#[must_use]
pub fn judge(
    content: &[u8],
    age: Duration,
    uptime: Option<Duration>,
    bearer: impl FnOnce(u32) -> Result<Option<Bearer>, Unknown>,
) -> (Option<u32>, Worth) {
    match parse(content) {
        Err(why) => (None, Worth::Garbage { why }),
        Ok(pid) => (
            Some(pid),
            match bearer(pid) {
                Ok(bearer) => weigh(age, uptime, bearer),
                Err(unknown) => Worth::Unknown { because: unknown.to_string() },
            },
        ),
    }
}

/// What a pid in a file of this age proves. `uptime`: since the machine booted, if start times count from there.
fn weigh(age: Duration, uptime: Option<Duration>, bearer: Option<Bearer>) -> Worth {
    let garbage = |why| Worth::Garbage { why };
    if uptime.is_some_and(|uptime| age > uptime + SLACK) {
        return garbage(Garbage::OtherBoot);
    }
    match bearer {
        None => garbage(Garbage::Dead),
        Some(bearer) if bearer.above => garbage(Garbage::Above),
        Some(bearer) if bearer.age + SLACK < age => garbage(Garbage::Recycled),
        Some(bearer) => Worth::Names { id: bearer.id },
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Junk(text) if text.is_empty() => f.write_str("it is empty"),
            Self::Junk(text) => write!(f, "it holds {text:?}, which is not a pid"),
            Self::Reserved(text) => write!(f, "it holds {text}, which cannot be a daemon's pid"),
            Self::Above => f.write_str("it names this command or one of its parents"),
            Self::Dead => f.write_str("no such process"),
            Self::OtherBoot => f.write_str("it was written before the machine was started"),
            Self::Recycled => f.write_str("the process of that number started after it was written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::{BootId, Started};
    use proptest::prelude::*;

    #[test]
    fn valid_and_invalid_pids() {
        for (text, pid) in [("52\n", 52), ("  7\r\n", 7), ("4194303", 4_194_303), ("0007", 7)] {
            assert_eq!(parse(text.as_bytes()), Ok(pid));
        }
        for text in ["0", "1", "-1", "-52\n", "00", "-99999999999999999999", "-0"] {
            assert!(matches!(parse(text.as_bytes()), Err(Garbage::Reserved(_))), "{text}");
        }
        for text in
            ["", "\n", "10xyz", "12 13", "+5", "0x10", "1e3", "٣", "99999999999999999999", "2147483648"]
        {
            assert!(matches!(parse(text.as_bytes()), Err(Garbage::Junk(_))), "{text}");
        }
        assert!(matches!(parse(&[0xff, b'7']), Err(Garbage::Junk(_))));
        assert!(matches!(parse(b"7\0"), Err(Garbage::Junk(_))));
        let long = "x".repeat(100);
        assert_eq!(parse(long.as_bytes()).unwrap_err().to_string().matches('x').count(), 40);
    }

    proptest! {
        /// For any content: the result is a valid pid, and equals the content.
        #[test]
        fn no_pid_is_invented(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            if let Ok(pid) = parse(&bytes) {
                prop_assert!(pid > 1);
                let text = String::from_utf8(bytes).unwrap();
                prop_assert_eq!(text.trim().trim_start_matches('0'), pid.to_string());
            }
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_a_pidfile_proves() {
        let id = ProcessId { pid: 52, started: Started(1), boot: BootId("b".into()) };
        let bearer = |age| Some(Bearer { id: id.clone(), age: s(age), above: false });
        let up = Some(s(1000));
        let names = Worth::Names { id: id.clone() };
        let garbage = |why| Worth::Garbage { why };
        assert_eq!(weigh(s(100), up, bearer(100)), names);
        assert_eq!(weigh(s(100), up, bearer(101)), names);
        assert_eq!(weigh(s(101), up, bearer(100)), names, "clocks round");
        assert_eq!(weigh(s(10), up, bearer(900)), names, "a file may be written later");
        assert_eq!(weigh(s(110), up, bearer(100)), garbage(Garbage::Recycled));
        assert_eq!(weigh(s(1100), up, bearer(100)), garbage(Garbage::OtherBoot));
        assert_eq!(weigh(s(1100), None, bearer(1100)), names);
        assert_eq!(weigh(s(100), up, None), garbage(Garbage::Dead));
        let above = Bearer { id, age: s(100), above: true };
        assert_eq!(weigh(s(100), up, Some(above)), garbage(Garbage::Above));
    }
}
