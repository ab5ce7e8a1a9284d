//! How a process ended.

use serde::{Deserialize, Serialize};

/// How a group leader ended, as `waitid(2)` reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It called `exit` with this code.
    Code(i32),
    /// This signal ended it; `core` says whether a core was dumped.
    Signal {
        /// Signal number.
        signal: i32,
        /// Whether a core file was written.
        core: bool,
    },
    /// It has ended, and its status is unknown because it was not our child.
    Unknown,
}

impl ExitStatus {
    /// The shell's exit code: the code itself, or 128 + the signal.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal { signal, .. } => Some(128 + signal),
            Self::Unknown => None,
        }
    }

    /// What happened, to follow the name of the process: `exited with code 3`, `was killed by SIGKILL`.
    #[must_use]
    pub fn phrase(self) -> String {
        match self {
            Self::Code(code) => format!("exited with code {code}"),
            Self::Signal { signal, core } => {
                let dumped = if core { " (core dumped)" } else { "" };
                match signal_name(signal) {
                    Some(name) => format!("was killed by {name}{dumped}"),
                    None => format!("was killed by signal {signal}{dumped}"),
                }
            }
            Self::Unknown => "ended with an unknown exit status".to_owned(),
        }
    }
}

/// Name of a signal whose number Linux and macOS share: this room is pure and knows no platform.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_phrases() {
        assert_eq!(ExitStatus::Signal { signal: 9, core: false }.code(), Some(137));
        assert_eq!(ExitStatus::Signal { signal: 15, core: false }.code(), Some(143));
        assert_eq!(ExitStatus::Code(3).code(), Some(3));
        assert_eq!(ExitStatus::Unknown.code(), None);
        assert_eq!(
            ExitStatus::Signal { signal: 11, core: true }.phrase(),
            "was killed by SIGSEGV (core dumped)"
        );
        assert_eq!(ExitStatus::Code(0).phrase(), "exited with code 0");
        assert_eq!(ExitStatus::Signal { signal: 7, core: false }.phrase(), "was killed by signal 7");
    }
}
