//! The supervision settings of one module: `supervise` in `module.json`, `[defaults]` and
//! `[modules.<short>]` in `hub.toml`. One set of keys for all three.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::duration;

use super::launch::{Liveness, Policy};

/// Longest accepted duration: far above any use, far below what overflows a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Settings of one module; an absent key changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supervise {
    /// Working directory; relative to the install directory.
    pub cwd: Option<PathBuf>,
    /// `false`: a worker that binds nothing.
    pub listen: Option<bool>,
    /// HTTP health check: `true`, `false` or its numbers.
    pub liveness: Option<LivenessSetting>,
    /// Crash budget and respawn delay.
    pub restart: Option<Restart>,
    /// Time between SIGTERM and SIGKILL.
    pub kill_timeout: Option<Span>,
    /// Time from spawn until `started_but_unbound`.
    pub ready_within: Option<Span>,
    /// Limits of its log.
    pub log: Option<Log>,
}

/// Crash budget and respawn delay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Crashes inside `window` that lead to `crashed`.
    pub max: Option<u32>,
    /// The window in which crashes count.
    pub window: Option<Span>,
    /// Delay before the second respawn.
    pub backoff: Option<Span>,
    /// Longest delay.
    pub cap: Option<Span>,
    /// Ready this long: the count is reset.
    pub steady: Option<Span>,
}

/// Limits of a module's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A file that would grow past this is rotated.
    #[serde(default, deserialize_with = "positive_u64")]
    pub max_bytes: Option<u64>,
    /// Number of files kept, the current one included.
    #[serde(default, deserialize_with = "positive_u32")]
    pub keep: Option<u32>,
}

/// `liveness` as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LivenessSetting {
    /// `false`.
    Off,
    /// `true`, or a table; keys not given keep their defaults.
    On(LivenessNumbers),
}

/// The table form of `liveness`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LivenessNumbers {
    /// Time between two checks.
    pub interval: Option<Span>,
    /// Longest wait for a response.
    pub timeout: Option<Span>,
    /// Consecutive failures that restart the module.
    #[serde(default, deserialize_with = "positive_u32")]
    pub failures: Option<u32>,
}

/// A duration as written by hand: `5s`, `1m 30s`, `250ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Supervise {
    /// Overrides `policy` with these settings.
    pub fn apply(&self, policy: &mut Policy) {
        let put = |slot: &mut Duration, span: Option<Span>| {
            if let Some(Span(duration)) = span {
                *slot = duration;
            }
        };
        put(&mut policy.kill_timeout, self.kill_timeout);
        put(&mut policy.ready_within, self.ready_within);
        if let Some(restart) = &self.restart {
            policy.max_crashes = restart.max.unwrap_or(policy.max_crashes);
            put(&mut policy.window, restart.window);
            put(&mut policy.backoff, restart.backoff);
            put(&mut policy.backoff_cap, restart.cap);
            put(&mut policy.steady_after, restart.steady);
        }
        match &self.liveness {
            None => {}
            Some(LivenessSetting::Off) => policy.liveness = None,
            Some(LivenessSetting::On(numbers)) => {
                let liveness = policy.liveness.get_or_insert_with(Liveness::default);
                put(&mut liveness.interval, numbers.interval);
                put(&mut liveness.timeout, numbers.timeout);
                liveness.failures = numbers.failures.unwrap_or(liveness.failures);
            }
        }
        if let Some(log) = &self.log {
            log.apply(policy);
        }
    }
}

impl Log {
    /// Overrides `policy` with these limits.
    pub fn apply(&self, policy: &mut Policy) {
        policy.log.max_bytes = self.max_bytes.unwrap_or(policy.log.max_bytes);
        policy.log.keep = self.keep.unwrap_or(policy.log.keep);
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        match duration::parse(&text) {
            Ok(duration) if duration <= LONGEST => Ok(Self(duration)),
            Ok(_) => Err(D::Error::custom(format!("duration {text:?} is longer than a year"))),
            Err(error) => Err(D::Error::custom(format!("{text:?} is not a duration like \"5s\": {error}"))),
        }
    }
}

// Not an untagged enum: its error would not name an unknown key.
impl<'de> Deserialize<'de> for LivenessSetting {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct FlagOrTable;
        impl<'de> Visitor<'de> for FlagOrTable {
            type Value = LivenessSetting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or a table with interval, timeout, failures")
            }
            fn visit_bool<E>(self, on: bool) -> Result<LivenessSetting, E> {
                Ok(if on { LivenessSetting::On(LivenessNumbers::default()) } else { LivenessSetting::Off })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LivenessSetting, A::Error> {
                let numbers = LivenessNumbers::deserialize(MapAccessDeserializer::new(map))?;
                // Without a pause the module would do nothing but answer checks.
                if [numbers.interval, numbers.timeout].contains(&Some(Span(Duration::ZERO))) {
                    return Err(A::Error::custom("`interval` and `timeout` of liveness cannot be 0"));
                }
                Ok(LivenessSetting::On(numbers))
            }
        }
        d.deserialize_any(FlagOrTable)
    }
}

fn positive_u32<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    std::num::NonZeroU32::deserialize(d).map(|n| Some(n.get()))
}

fn positive_u64<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    std::num::NonZeroU64::deserialize(d).map(|n| Some(n.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Supervise, String> {
        Supervise::deserialize(value).map_err(|e| e.to_string())
    }

    #[test]
    fn every_key_lands_in_the_policy() {
        let all = read(json!({"cwd": "work", "listen": false, "kill_timeout": "10s", "ready_within": "1m",
            "liveness": {"interval": "3s", "failures": 7},
            "restart": {"max": 9, "window": "2m", "backoff": "1s", "cap": "9s", "steady": "5m"},
            "log": {"max_bytes": 5000, "keep": 2}}));
        let mut policy = Policy::default();
        all.unwrap().apply(&mut policy);
        let secs = Duration::from_secs;
        assert_eq!(
            policy,
            Policy {
                max_crashes: 9,
                window: secs(120),
                backoff: secs(1),
                backoff_cap: secs(9),
                steady_after: secs(300),
                kill_timeout: secs(10),
                ready_within: secs(60),
                liveness: Some(Liveness { interval: secs(3), timeout: secs(2), failures: 7 }),
                log: super::super::launch::LogLimits { max_bytes: 5000, keep: 2 },
            }
        );
        let mut again = policy.clone();
        Supervise::default().apply(&mut again);
        assert_eq!(again, policy, "no key, no change");
        read(json!({"liveness": false})).unwrap().apply(&mut again);
        assert_eq!(again.liveness, None);
        read(json!({"liveness": true})).unwrap().apply(&mut again);
        assert_eq!(again.liveness, Some(Liveness::default()));
    }

    #[test]
    fn invalid_settings_are_named() {
        for (value, said) in [
            (json!({"restarts": 1}), "unknown field `restarts`"),
            (json!({"restart": {"limit": 1}}), "unknown field `limit`"),
            (json!({"liveness": {"path": "/"}}), "unknown field `path`"),
            (json!({"liveness": {"interval": "0s"}}), "cannot be 0"),
            (json!({"liveness": 3}), "true, false, or a table"),
            (json!({"kill_timeout": 5}), "expected a string"),
            (json!({"kill_timeout": "soon"}), "\"soon\" is not a duration"),
            (json!({"kill_timeout": "1000years"}), "longer than a year"),
            (json!({"log": {"keep": 0}}), "nonzero"),
        ] {
            let error = read(value.clone()).unwrap_err();
            assert!(error.contains(said), "{value}: {error}");
        }
    }
}
