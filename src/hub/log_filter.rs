//! `PARACHUTE_LOG`: which of the hub's own events are written. Pure.
//!
//! ```text
//! PARACHUTE_LOG=debug
//! PARACHUTE_LOG=warn,parachute::supervisor=debug
//! ```

use std::ffi::OsStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::module::env::Env;

/// The variable.
pub(crate) const VARIABLE: &str = "PARACHUTE_LOG";

/// Every level, and its word.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Which events are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogFilter {
    /// Targets and levels.
    pub targets: Targets,
    /// The most that any target may say.
    pub most: LevelFilter,
}

/// Why a value of [`VARIABLE`] is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogFilterError {
    /// Not a level.
    #[error("{0:?} is no level: use error, warn, info, debug, trace or off")]
    Level(String),
    /// Not a part of this program.
    #[error("{0:?} is no part of the hub: a part begins with `parachute`, as in parachute::supervisor=debug")]
    Target(String),
}

impl Default for LogFilter {
    fn default() -> Self {
        Self::at(LevelFilter::INFO)
    }
}

impl LogFilter {
    fn at(level: LevelFilter) -> Self {
        Self { targets: Targets::new().with_default(level), most: level }
    }

    /// A level for everything, levels for parts, or both, with commas between; [`LevelFilter::INFO`] is the rest.
    ///
    /// # Errors
    /// [`LogFilterError`]. `Targets` alone would take a level that is misspelled for a target, and write nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, LogFilterError> {
        let mut filter = Self::default();
        let mut parts = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                None => filter = Self::at(level(word)?),
                Some((target, word)) if target == "parachute" || target.starts_with("parachute::") => {
                    parts.push((target.to_owned(), level(word)?));
                }
                Some((target, _)) => return Err(LogFilterError::Target(target.to_owned())),
            }
        }
        for (target, level) in parts {
            filter.most = filter.most.max(level);
            filter.targets = filter.targets.with_target(target, level);
        }
        Ok(filter)
    }
}

/// What `-v` and `-vv` mean for a hub, unless the environment says something itself.
pub(crate) fn ask(env: &mut Env, verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "debug",
        _ => "trace",
    };
    env.entry(VARIABLE.into()).or_insert_with(|| level.into());
}

/// The filter of this environment. A value that cannot be used is told, and the default counts.
#[must_use]
pub(crate) fn of(env: &Env) -> (LogFilter, Option<String>) {
    let value = env.get(OsStr::new(VARIABLE)).map(|value| value.to_string_lossy());
    match LogFilter::parse(value.as_deref().unwrap_or_default()) {
        Ok(filter) => (filter, None),
        Err(error) => (LogFilter::default(), Some(format!("{VARIABLE} is not used: {error}"))),
    }
}

fn level(word: &str) -> Result<LevelFilter, LogFilterError> {
    let known = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, level)| *level).ok_or_else(|| LogFilterError::Level(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter as Most;

    fn writes(text: &str, target: &str, level: LevelFilter) -> bool {
        let filter = LogFilter::parse(text).unwrap();
        filter.targets.would_enable(target, &level.into_level().unwrap())
    }

    #[test]
    fn levels_and_parts() {
        let supervisor = "parachute::supervisor::actor";
        for (text, target, most_written) in [
            ("", supervisor, Most::INFO),
            ("debug", supervisor, Most::DEBUG),
            ("WARN", supervisor, Most::WARN),
            ("parachute::supervisor=trace", supervisor, Most::TRACE),
            ("parachute::supervisor=trace", "parachute::hub::serve", Most::INFO),
            (" parachute::supervisor=debug , warn ", "parachute::hub::serve", Most::WARN),
            ("warn,parachute::supervisor=debug", supervisor, Most::DEBUG),
            ("info,parachute::supervisor=error", supervisor, Most::ERROR),
        ] {
            for (_, level) in LEVELS.into_iter().skip(1) {
                assert_eq!(writes(text, target, level), level <= most_written, "{text:?}: {target} {level}");
            }
        }
        assert!(!writes("off", supervisor, Most::ERROR));
        assert_eq!(LogFilter::parse("warn,parachute::hub=debug").unwrap().most, Most::DEBUG);
    }

    #[test]
    fn the_environment_counts_more_than_an_option() {
        let most = |env: &Env, verbose| {
            let mut env = env.clone();
            ask(&mut env, verbose);
            of(&env).0.most
        };
        let (none, set) = (Env::new(), Env::from([(VARIABLE.into(), "warn".into())]));
        assert_eq!([0, 1, 2].map(|verbose| most(&none, verbose)), [Most::INFO, Most::DEBUG, Most::TRACE]);
        assert_eq!(most(&set, 2), Most::WARN);
        let (filter, note) = of(&Env::from([(VARIABLE.into(), "loud".into())]));
        assert_eq!(filter, LogFilter::default());
        assert!(note.unwrap().starts_with("PARACHUTE_LOG is not used: \"loud\" is no level"));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (text, named) in [
            ("dbug", "\"dbug\" is no level"),
            ("info,supervisor=debug", "\"supervisor\" is no part of the hub"),
            ("parachute=loud", "\"loud\" is no level"),
            ("parachutes=info", "\"parachutes\" is no part"),
        ] {
            let error = LogFilter::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
    }
}
