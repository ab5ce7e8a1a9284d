//! The user's changes to a unit: the table `[unit]` of `<HOME>/hub.toml`.
//!
//! ```toml
//! [unit]
//! hardening = "off"                    # off, modules-safe, strict
//! path = ["/opt/node/bin"]             # searched first
//! env = { NODE_OPTIONS = "--max-old-space-size=512" }
//! limits = { nofile = 4096, memory = "2G", tasks = 500 }
//! ```

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::descriptor::{Hardening, line_of};

/// The table. Each key is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// More environment. Not for secrets: any user of the machine can query it from systemd.
    pub env: BTreeMap<String, String>,
    /// Directories that are searched before those of the unit.
    pub path: Vec<PathBuf>,
    /// Limits for the unit as a whole.
    pub limits: Limits,
    /// Replaces the unit's own level.
    pub hardening: Option<Hardening>,
    /// Without effect. An earlier version installed a socket unit unless this was `false`; its files must still load.
    pub socket: Option<bool>,
}

/// Limits. Absent: the manager's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open files of one process.
    pub nofile: Option<NonZeroU64>,
    /// Memory of all processes together.
    pub memory: Option<Bytes>,
    /// Number of processes and threads together.
    pub tasks: Option<NonZeroU32>,
}

/// An amount of memory: a number of bytes, or a number with K, M or G (times 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub NonZeroU64);

/// Why the table cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadOverrides {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong; names the key.
    pub message: String,
}

/// Parses the table from the text of `hub.toml`. Other tables belong to other readers.
///
/// # Errors
/// [`BadOverrides`].
pub fn parse(text: &str) -> Result<Overrides, BadOverrides> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct File {
        unit: Overrides,
    }
    let file: Result<File, toml::de::Error> = toml::from_str(text);
    file.map(|file| file.unit)
        .map_err(|error| BadOverrides { line: line_of(text, &error), message: error.message().to_owned() })
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an amount of memory is a number of bytes, or \"512M\", \"2G\"")]
        enum Raw {
            Number(u64),
            Text(String),
        }
        let bytes = match Raw::deserialize(deserializer)? {
            Raw::Number(number) => NonZeroU64::new(number),
            Raw::Text(text) => with_suffix(&text),
        };
        let bytes = bytes.ok_or_else(|| {
            de::Error::custom(
                "an amount of memory is a number above 0, or one with K, M or G: \"512M\", \"2G\"",
            )
        })?;
        Ok(Self(bytes))
    }
}

fn with_suffix(text: &str) -> Option<NonZeroU64> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 10),
        Some(digits) if text.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
        None => (text, 0),
    };
    let number: u64 = digits.parse().ok()?;
    NonZeroU64::new(number.checked_mul(1 << shift)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_above_reads() {
        let example: String = include_str!("overrides.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| format!("{}\n", line.trim_start_matches("//! ")))
            .collect();
        let read = parse(&format!("[hub]\nport = 2000\n{example}")).unwrap();
        assert_eq!(read.hardening, Some(Hardening::Off));
        assert_eq!(read.path, [PathBuf::from("/opt/node/bin")]);
        assert_eq!(read.env["NODE_OPTIONS"], "--max-old-space-size=512");
        assert_eq!(read.limits.memory.unwrap().0.get(), 2 << 30);
        assert_eq!(parse("").unwrap(), Overrides::default());
    }

    #[test]
    fn the_switch_of_the_socket_unit_still_loads() {
        for (text, socket) in [("[unit]\nsocket = false", false), ("[unit]\nsocket = true", true)] {
            assert_eq!(parse(text).unwrap(), Overrides { socket: Some(socket), ..Overrides::default() });
        }
    }

    #[test]
    fn mistakes_name_line_and_key() {
        for (text, line, said) in [
            ("[hub]\n[unit]\nsokcet = true", 3, "unknown field `sokcet`, expected one of `env`, `path`"),
            (
                "[unit]\nhardening = 'much'",
                2,
                "unknown variant `much`, expected one of `off`, `modules-safe`",
            ),
            ("[unit.limits]\nmemory = '2GB'", 2, "an amount of memory is a number above 0"),
            ("[unit.limits]\nmemory = 0", 2, "an amount of memory is"),
            ("[unit.limits]\nmemory = '99999999999999G'", 2, "an amount of memory is"),
            ("[unit.limits]\nnofile = 0", 2, "expected a nonzero u64"),
            ("[unit]\nenv = { A = 1 }", 2, "invalid type: integer `1`, expected a string"),
            ("unit = 3", 1, "invalid type: integer `3`"),
            ("[unit\n", 1, ""),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.message.contains(said), "{text}: {error}");
        }
    }
}
