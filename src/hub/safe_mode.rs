//! When a hub starts without its modules. Pure: the clock is an argument; `boots` keeps it on disk.
//!
//! launchd never gives up: a hub that crashes at each start would be restarted every ten seconds for ever, and its
//! modules with it (launchd.plist(5), ThrottleInterval). So the limit is here: after [`DEATHS`] crashes within
//! [`WITHIN`] the hub starts, answers, and starts no module until a user asks for one.
//!
//! ```text
//! begin ──► a run is open ──stopped in order──────────► everything is forgotten
//!              │          ──ran for WITHIN─────────────► crashes are forgotten
//!              │          ──a user asks for a module───► crashes are forgotten, safe mode ends
//!              └─ still open at the next begin: a crash, unless the machine itself went down
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::module::timestamp::Timestamp;
use crate::process::id::BootId;

/// This many crashes are too many. systemd's own limit, which our unit sets, is the same.
pub(crate) const DEATHS: usize = 5;

/// Within this time; also how long a hub must run to count as stable.
pub(crate) const WITHIN: Duration = Duration::from_secs(5 * 60);

/// The record of the hubs of a home.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Boots {
    /// When crashes of hubs were found, oldest first; at most [`DEATHS`].
    deaths: Vec<Timestamp>,
    /// The run that has begun and not ended.
    life: Option<Life>,
}

/// One run of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    began: Timestamp,
    boot: BootId,
}

/// How a hub is to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum BootMode {
    /// With its modules.
    Normal,
    /// Without its modules, because it crashed this often.
    Safe {
        /// Crashes inside [`WITHIN`].
        deaths: usize,
    },
}

impl Boots {
    /// A hub starts, in this boot of the machine.
    pub(crate) fn begin(&mut self, now: Timestamp, boot: BootId) -> BootMode {
        // The time of the crash is unknown; launchd starts the next hub within seconds, so now is near enough. A
        // machine that went down took the hub with it: that is not a crash of the hub.
        if self.life.take().is_some_and(|life| life.boot == boot) {
            self.deaths.push(now);
        }
        // A timestamp in the future (the clock was set back) counts as now.
        self.deaths.retain(|death| now.since(*death) < WITHIN);
        self.deaths.drain(..self.deaths.len().saturating_sub(DEATHS));
        self.life = Some(Life { began: now, boot });
        if self.deaths.len() < DEATHS {
            BootMode::Normal
        } else {
            BootMode::Safe { deaths: self.deaths.len() }
        }
    }

    /// It was asked to stop.
    pub(crate) fn end_in_order(&mut self) {
        *self = Self::default();
    }

    /// It has run for [`WITHIN`], or a user asked for a module: crashes are forgotten, the run stays open.
    pub(crate) fn forgive(&mut self) {
        self.deaths.clear();
    }
}

/// The message about safe mode.
#[must_use]
pub(crate) fn message(deaths: usize) -> String {
    let within = WITHIN.as_secs() / 60;
    format!("safe mode: the hub died {deaths} times within {within} min; modules are off")
}

/// The command that ends safe mode.
pub(crate) const NEXT: &str = "parachute start --all";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boot(name: &str) -> BootId {
        BootId(name.to_owned())
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp(1_000_000_000 + secs * 1000)
    }

    #[test]
    fn five_crashes_within_five_minutes_and_not_one_less() {
        let table: [(&str, &[u64], usize); 6] = [
            ("the first hub ever", &[0], 0),
            ("five starts are four deaths", &[0, 10, 20, 30, 40], 4),
            ("the sixth comes after five", &[0, 10, 20, 30, 40, 50], 5),
            ("and it stays so while it goes on dying", &[0, 10, 20, 30, 40, 50, 60, 70], 5),
            ("slow deaths are no loop", &[0, 80, 160, 240, 320, 400, 480], 4),
            ("old ones are forgotten", &[0, 10, 20, 30, 40, 1000], 1),
        ];
        for (what, starts, deaths) in table {
            let mut boots = Boots::default();
            let mut last = BootMode::Normal;
            for start in starts {
                last = boots.begin(at(*start), boot("a"));
            }
            let want = if deaths >= DEATHS { BootMode::Safe { deaths } } else { BootMode::Normal };
            assert_eq!((last, boots.deaths.len()), (want, deaths), "{what}");
        }
    }

    #[test]
    fn events_that_reset_the_crash_count() {
        let dying = || {
            let mut boots = Boots::default();
            for n in 0..5 {
                let _ = boots.begin(at(n), boot("a"));
            }
            boots
        };
        let mut asked_to_stop = dying();
        asked_to_stop.end_in_order();
        assert_eq!(asked_to_stop.begin(at(9), boot("a")), BootMode::Normal);
        assert_eq!(asked_to_stop.deaths.len(), 0);
        let mut lived = dying();
        lived.forgive();
        assert_eq!(lived.begin(at(9), boot("a")), BootMode::Normal);
        assert_eq!(lived.deaths.len(), 1, "the run that was open still counts");
        let mut power_cut = dying();
        assert_eq!(power_cut.begin(at(9), boot("b")), BootMode::Normal);
        assert_eq!(power_cut.deaths.len(), 4);
        let mut set_back = dying();
        assert_eq!(
            set_back.begin(Timestamp(5), boot("a")),
            BootMode::Safe { deaths: 5 },
            "the clock was set back"
        );
    }

    #[test]
    fn the_format_on_disk_is_stable() {
        let text = r#"{"deaths":["2026-03-01T10:04:09.120Z"],"life":{"began":"2026-03-01T10:05:00.000Z","boot":"b"}}"#;
        let boots: Boots = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&boots).unwrap(), text);
        assert_eq!(serde_json::from_str::<Boots>(r#"{"later":1}"#).unwrap(), Boots::default());
    }

    #[derive(Debug, Clone)]
    enum Happens {
        Dies,
        Stops,
        Lives,
        Asked,
        Reboots,
    }

    proptest! {
        /// Against a simple count: safe if and only if at least five crashes lie inside the last five minutes,
        /// since the count was last reset.
        #[test]
        fn as_counted_by_hand(
            story in proptest::collection::vec((0u64..120, proptest::sample::select(vec![
                Happens::Dies, Happens::Dies, Happens::Dies, Happens::Dies, Happens::Dies,
                Happens::Stops, Happens::Lives, Happens::Asked, Happens::Reboots,
            ])), 1..60),
        ) {
            let (mut boots, mut now, mut machine) = (Boots::default(), 0, 0u32);
            let mut deaths: Vec<u64> = Vec::new();
            let _ = boots.begin(at(now), boot("0"));
            for (gap, happens) in story {
                now += gap;
                match happens {
                    Happens::Dies => deaths.push(now),
                    Happens::Reboots => machine += 1,
                    Happens::Stops => {
                        boots.end_in_order();
                        deaths.clear();
                    }
                    Happens::Lives | Happens::Asked => {
                        boots.forgive();
                        deaths.clear();
                        continue;
                    }
                }
                let verdict = boots.begin(at(now), boot(&machine.to_string()));
                let recent = deaths.iter().filter(|death| now - **death < WITHIN.as_secs()).count();
                prop_assert_eq!(verdict != BootMode::Normal, recent >= DEATHS);
                prop_assert!(boots.deaths.len() <= DEATHS);
            }
        }
    }
}
