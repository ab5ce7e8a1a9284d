//! When a hub starts no module, and when it waits. Pure: the clock is an argument; `boots` keeps it on disk.
//!
//! A service manager restarts a hub that crashed at once, and launchd never gives up. So the limit of a crash loop is here:
//! after [`DEATHS`] crashes within [`WITHIN`] the hub starts, answers, leaves running what runs, and starts nothing new until
//! a user asks for a module. If it crashes even so, it waits before it goes on ([`pause`]): systemd's own limit, after which
//! it gives up for good, is then never reached by a hub that can run at all (`units/hub.toml`).
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

/// This many crashes are too many.
pub(crate) const DEATHS: usize = 5;

/// At most so many crashes are kept. More than happen within [`WITHIN`] at the longest pause, so that it stays the longest.
const KEPT: usize = 64;

/// The longest wait. Far below the time in which a manager wants to hear that the hub is ready (60 s).
const LONGEST: Duration = Duration::from_secs(10);

/// Within this time; also how long a hub must run to count as stable.
pub(crate) const WITHIN: Duration = Duration::from_secs(5 * 60);

/// The record of the hubs of a home.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Boots {
    /// When crashes of hubs were found, oldest first; at most [`KEPT`].
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
    /// It starts no module, because it crashed this often.
    Safe {
        /// Crashes inside [`WITHIN`].
        deaths: usize,
    },
}

impl Boots {
    /// A hub starts, in this boot of the machine.
    pub(crate) fn begin(&mut self, now: Timestamp, boot: BootId) -> BootMode {
        // The time of the crash is unknown; a manager starts the next hub within seconds, so now is near enough. A
        // machine that went down took the hub with it: that is not a crash of the hub.
        if self.life.take().is_some_and(|life| life.boot == boot) {
            self.deaths.push(now);
        }
        // A timestamp in the future (the clock was set back) counts as now.
        self.deaths.retain(|death| now.since(*death) < WITHIN);
        self.deaths.drain(..self.deaths.len().saturating_sub(KEPT));
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

/// How long a hub waits before it goes on, after this many crashes within [`WITHIN`]: the first in safe mode not at all,
/// then 1 s, and twice as long each time, at most [`LONGEST`].
#[must_use]
pub(crate) fn pause(deaths: usize) -> Duration {
    let Some(before) = deaths.checked_sub(DEATHS + 1) else { return Duration::ZERO };
    let doublings = u32::try_from(before).unwrap_or(u32::MAX);
    Duration::from_secs(2_u64.saturating_pow(doublings)).min(LONGEST)
}

/// The message about safe mode.
#[must_use]
pub(crate) fn message(deaths: usize) -> String {
    let what = "it starts nothing new; what runs is left running";
    format!("safe mode: {}; {what}", died(deaths))
}

/// The message of a hub that waits.
#[must_use]
pub(crate) fn waiting(deaths: usize) -> String {
    format!("waiting {} s before it goes on: {}", pause(deaths).as_secs(), died(deaths))
}

fn died(deaths: usize) -> String {
    format!("the hub died {deaths} times within {} min", WITHIN.as_secs() / 60)
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
            ("and it stays so while it goes on dying", &[0, 10, 20, 30, 40, 50, 60, 70], 7),
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
    fn the_first_in_safe_mode_does_not_wait_and_none_waits_longer_than_ten_seconds() {
        let waits = |deaths| pause(deaths).as_secs();
        assert_eq!([0, 4, 5, 6, 7, 8, 9, 10, 11].map(waits), [0, 0, 0, 1, 2, 4, 8, 10, 10]);
        assert_eq!([KEPT, usize::MAX].map(waits), [10, 10]);
        assert!(KEPT as u64 > WITHIN.as_secs() / LONGEST.as_secs() + 15);
        assert_eq!(waiting(7), "waiting 2 s before it goes on: the hub died 7 times within 5 min");
    }

    /// The numbers of `units/hub.toml`: a restart after 100 ms, and a limit of 20 starts within 60 s.
    #[test]
    fn a_hub_that_dies_at_once_never_reaches_the_limit_of_systemd() {
        let (mut boots, mut now, mut starts) = (Boots::default(), 0_u64, Vec::new());
        while now < 20 * 60_000 {
            starts.push(now);
            if let BootMode::Safe { deaths } = boots.begin(Timestamp(1_000_000_000 + now), boot("a")) {
                now += u64::try_from(pause(deaths).as_millis()).unwrap();
            }
            now += 100;
        }
        let within = |from: u64| starts.iter().filter(|at| (from..from + 60_000).contains(*at)).count();
        assert_eq!(within(0), 15);
        assert!(starts.iter().all(|from| within(*from) <= 15));
        assert!((300_000..19 * 60_000).all(|from| from % 1000 != 0 || within(from) <= 6));
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
                prop_assert_eq!(boots.deaths.len(), recent.min(KEPT));
            }
        }
    }
}
