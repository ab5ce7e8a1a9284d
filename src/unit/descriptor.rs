//! What to keep running and how it behaves, independent of any service manager: `units/*.toml`.
//! `units/README.md` explains it key by key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::duration;

use super::embedded;
use super::name::UnitName;

/// Set to [`DELEGATED`] in the environment of a program by the unit that delegates its cgroup. Nothing else tells: systemd
/// marks delegated cgroups with an extended attribute, which a user's manager cannot set on every kernel.
pub const CGROUP: &str = "PARACHUTE_CGROUP";
/// See [`CGROUP`].
pub const DELEGATED: &str = "delegated";

/// One file of `units/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// Its plain name, also the name of the file.
    #[serde(deserialize_with = "plain_name")]
    pub name: UnitName,
    /// One line for screens.
    pub description: String,
    /// The program and its arguments.
    pub argv: Vec<Pattern>,
    /// Environment of the program.
    #[serde(default)]
    pub env: BTreeMap<String, Pattern>,
    /// When it counts as started.
    pub ready: ReadySignal,
    /// When it is restarted; absent: never.
    pub restart: Option<Restart>,
    /// How it is stopped.
    pub stop: Stop,
    /// A program and its arguments that the manager runs after each end, if it can. Empty: none.
    #[serde(default)]
    pub after_end: Vec<Pattern>,
    /// It reports that it is alive at least this often, or is taken for hung; absent: no watchdog.
    pub watchdog: Option<Seconds>,
    /// What happens when the kernel, out of memory, kills one of its processes.
    pub oom: Oom,
    /// Whether it divides its cgroup among its own children.
    #[serde(default)]
    pub delegate: bool,
    /// How many descriptors the manager keeps open for it while it does not run, if it can.
    #[serde(default)]
    pub stored_fds: u16,
    /// How much it is restricted.
    pub hardening: Hardening,
}

/// When a unit counts as started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadySignal {
    /// It notifies the manager.
    Notify,
    /// As soon as its program runs.
    Running,
    /// When it has ended: a one-shot task, not a server.
    Ended,
}

/// When a unit is restarted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// After which ends.
    pub on: RestartOn,
    /// Delay before it.
    pub delay: Millis,
    /// When the manager gives up.
    pub give_up: GiveUp,
    /// Exit codes after which it is not restarted, because the user must act first.
    #[serde(default)]
    pub final_exit: Vec<u8>,
}

/// After which ends a unit is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartOn {
    /// All but exit code 0.
    Failure,
}

/// The limit of a crash loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GiveUp {
    /// This many starts …
    pub starts: u32,
    /// … within this time.
    pub within: Seconds,
}

/// How a unit is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The signal it gets.
    pub signal: Signal,
    /// How long it may take before it is killed.
    pub grace: Seconds,
    /// Which processes get the signal.
    pub first: First,
    /// What becomes of the others when the main process has ended, in order or not.
    pub rest: Rest,
}

/// A signal that asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
}

/// Which processes get the signal to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// The main process alone, so that it can stop its own children in order.
    Main,
    /// All of its processes at once.
    Everyone,
}

/// What becomes of the other processes of a unit when its main process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// They are killed.
    Kill,
    /// They run on, if they lead process groups of their own.
    Leave,
}

/// What happens when one process of a unit is killed for lack of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oom {
    /// The rest continues: the main process sees the exit itself.
    KeepRunning,
    /// All of it is stopped.
    Stop,
}

/// How much a unit is restricted. What each level means is defined in the view of each manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// No restriction. A module may use sudo.
    Off,
    /// Restrictions that no known module is affected by.
    ModulesSafe,
    /// More restrictions: modules may be affected.
    Strict,
}

/// Text with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

/// Everything that a pattern can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// The program's path.
    Bin,
    /// The home of the hub.
    Home,
    /// The login name of the user.
    User,
    /// The hub's port.
    Port,
    /// The search path.
    Path,
}

/// Whole seconds, at least one: `45s`, `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u64);

/// Whole milliseconds, at least one: `100ms`, `5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// Why a text is not a valid descriptor.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadDescriptor {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong; names the key.
    pub message: String,
}

impl Descriptor {
    /// Reads one.
    ///
    /// # Errors
    /// [`BadDescriptor`], which names the line.
    pub fn parse(text: &str) -> Result<Self, BadDescriptor> {
        toml::from_str(text).map_err(|error| BadDescriptor {
            line: line_of(text, &error),
            message: error.message().to_owned(),
        })
    }

    /// The built-in one with this plain name.
    #[must_use]
    pub fn embedded(name: &str) -> Option<Self> {
        // A test parses every built-in file.
        embedded::unit(name).and_then(|text| Self::parse(text).ok())
    }
}

impl Pattern {
    /// The text, each variable replaced.
    pub fn fill<'a, E>(
        &self,
        mut value: impl FnMut(Variable) -> Result<&'a OsStr, E>,
    ) -> Result<OsString, E> {
        let mut out = OsString::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push(text),
                Piece::Variable(variable) => out.push(value(*variable)?),
            }
        }
        Ok(out)
    }
}

impl Variable {
    const ALL: [(&'static str, Self); 5] = [
        ("bin", Self::Bin),
        ("home", Self::Home),
        ("user", Self::User),
        ("port", Self::Port),
        ("path", Self::Path),
    ];
}

impl std::str::FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let inner = from.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, after) = inner.ok_or_else(|| format!("unbalanced brace in {text:?}"))?;
            let known = Variable::ALL.iter().find(|(known, _)| *known == name);
            let (_, variable) = known.ok_or_else(|| {
                let all = Variable::ALL.map(|(known, _)| known).join(", ");
                format!("there is no variable {{{name}}}, only {all}")
            })?;
            pieces.push(Piece::Variable(*variable));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match duration::parse(&text) {
            Ok(span) if span.as_secs() > 0 && span == Duration::from_secs(span.as_secs()) => {
                Ok(Self(span.as_secs()))
            }
            Ok(_) => Err(de::Error::custom(format!("{text:?} is not a whole number of seconds above 0"))),
            Err(error) => Err(de::Error::custom(format!("{text:?} is not a duration: {error}"))),
        }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = duration::parse(&text)
            .map_err(|error| de::Error::custom(format!("{text:?} is not a duration: {error}")))?;
        let millis = u64::try_from(span.as_millis())
            .ok()
            .filter(|millis| *millis > 0 && span == Duration::from_millis(*millis));
        millis.map(Self).ok_or_else(|| {
            de::Error::custom(format!("{text:?} is not a whole number of milliseconds above 0"))
        })
    }
}

fn plain_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnitName, D::Error> {
    UnitName::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// The line, from 1, at which reading failed.
pub(super) fn line_of(text: &str, error: &toml::de::Error) -> usize {
    1 + error.span().map_or(0, |at| text.bytes().take(at.start).filter(|b| *b == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_is_described_as_decided() {
        let hub = Descriptor::embedded("hub").unwrap();
        assert_eq!(hub.name, UnitName::hub());
        let restart = hub.restart.unwrap();
        assert_eq!(
            (restart.delay, restart.give_up, restart.final_exit.as_slice()),
            (Millis(100), GiveUp { starts: 20, within: Seconds(60) }, [78].as_slice())
        );
        assert_eq!((hub.stop.grace, hub.stop.first, hub.stop.rest), (Seconds(45), First::Main, Rest::Leave));
        assert_eq!(
            (hub.watchdog, hub.oom, hub.ready),
            (Some(Seconds(60)), Oom::KeepRunning, ReadySignal::Notify)
        );
        assert_eq!(Descriptor::embedded("nothing"), None);
    }

    #[test]
    fn mistakes_name_line_and_key() {
        let hub = embedded::unit("hub").unwrap();
        for (from, to, said) in [
            ("watchdog ", "wachtdog ", "unknown field `wachtdog`"),
            ("\"60s\"", "\"0s\"", "\"0s\" is not a whole number of seconds above 0"),
            ("\"60s\"", "\"500ms\"", "\"500ms\" is not a whole number"),
            ("\"60s\"", "\"soon\"", "\"soon\" is not a duration"),
            ("\"100ms\"", "\"0ms\"", "\"0ms\" is not a whole number of milliseconds above 0"),
            ("\"100ms\"", "\"1500us\"", "\"1500us\" is not a whole number of milliseconds"),
            ("\"100ms\"", "\"soon\"", "\"soon\" is not a duration"),
            ("\"leave\"", "\"stay\"", "unknown variant `stay`"),
            ("\"{home}\"", "\"{hoem}\"", "there is no variable {hoem}, only bin, home, user, port, path"),
            ("\"{home}\"", "\"{home\"", "unbalanced brace in \"{home\""),
            ("\"{home}\"", "\"home}\"", "unbalanced brace in \"home}\""),
            ("= \"hub\"", "= \"../x\"", "unit name \"../x\" is not plain"),
            ("\"keep-running\"", "\"continue\"", "unknown variant `continue`"),
        ] {
            let text = hub.replacen(from, to, 1);
            assert_ne!(text, hub, "{from}");
            let error = Descriptor::parse(&text).unwrap_err();
            let line = 1 + text.lines().position(|line| line.contains(to)).unwrap();
            assert_eq!(error.line, line, "{error}");
            assert!(error.message.contains(said), "{error}");
        }
    }

    #[test]
    fn patterns_are_filled() {
        let filled = |text: &str| {
            let pattern: Pattern = text.parse().unwrap();
            pattern.fill::<()>(|variable| Ok(if variable == Variable::Home { "{bin}" } else { "x" }.as_ref()))
        };
        assert_eq!(filled("{home}/a{port}b").unwrap(), "{bin}/axb", "values are not patterns");
        assert_eq!(filled("").unwrap(), "");
    }
}
