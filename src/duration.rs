//! Durations as people write and read them: `30s`, `1m 30s`, `2h30min`, `1.5days`, `500ms`. Pure.
//!
//! A unit has a fixed length: a day is 24 hours, a month 30.44 days, a year 365.25 days. A calendar (jiff's spans) would
//! make a window of a configuration file longer in March than in February.

use std::fmt;
use std::time::Duration;

const SECOND: u128 = 1_000_000_000;
const DAY: u128 = 86_400 * SECOND;
const MONTH: u128 = 2_630_016 * SECOND;
const YEAR: u128 = 31_557_600 * SECOND;

/// Every spelling of a unit, and its length in nanoseconds.
const UNITS: [(&[&str], u128); 10] = [
    (&["nanos", "nsec", "ns"], 1),
    (&["usec", "us", "µs"], 1_000),
    (&["millis", "msec", "ms"], 1_000_000),
    (&["seconds", "second", "secs", "sec", "s"], SECOND),
    (&["minutes", "minute", "mins", "min", "m"], 60 * SECOND),
    (&["hours", "hour", "hrs", "hr", "h"], 3_600 * SECOND),
    (&["days", "day", "d"], DAY),
    (&["weeks", "week", "wks", "wk", "w"], 7 * DAY),
    (&["months", "month", "M"], MONTH),
    (&["years", "year", "yrs", "yr", "y"], YEAR),
];

/// Most digits of a number: more than any duration needs, and no product of two of them overflows.
const DIGITS: usize = 19;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// Something else stands where a number must.
    #[error("a number is expected before {0:?}")]
    NumberExpected(String),
    /// A number without a unit.
    #[error("a unit is needed after {0}, for example {0}s or {0}ms")]
    UnitNeeded(String),
    /// No such unit.
    #[error("there is no unit {0:?}; units are ns, us, ms, s, min, h, days, weeks, months, years")]
    UnknownUnit(String),
    /// Longer, or finer, than a duration can be.
    #[error("{0} is too large or too fine")]
    OutOfRange(String),
}

/// Reads a duration: numbers, each with its unit, in any order, with or without blanks between.
///
/// # Errors
/// [`DurationError`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    match rest {
        "" => return Err(DurationError::Empty),
        // The one number that means the same in every unit.
        "0" => return Ok(Duration::ZERO),
        _ => {}
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.' || c.is_whitespace());
        let (unit, after) = split(after, char::is_alphabetic);
        // `1 000 s` is a thousand seconds.
        let number: &str = &number.split_whitespace().collect::<String>();
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(DurationError::NumberExpected(rest.to_owned()));
        }
        if unit.is_empty() {
            return Err(DurationError::UnitNeeded(number.to_owned()));
        }
        let known = UNITS.iter().find(|(spellings, _)| spellings.contains(&unit));
        let (_, length) = known.ok_or_else(|| DurationError::UnknownUnit(unit.to_owned()))?;
        let out_of_range = || DurationError::OutOfRange(number.to_owned());
        let nanos = scaled(number, *length).ok_or_else(out_of_range)?;
        total = total.checked_add(nanos).ok_or_else(out_of_range)?;
        rest = after.trim_start();
    }
    let (secs, nanos) = (u64::try_from(total / SECOND), u32::try_from(total % SECOND));
    match (secs, nanos) {
        (Ok(secs), Ok(nanos)) => Ok(Duration::new(secs, nanos)),
        _ => Err(DurationError::OutOfRange(text.trim().to_owned())),
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// `1.5` of a unit, in nanoseconds. `None`: too many digits, or a part of a nanosecond.
fn scaled(number: &str, length: u128) -> Option<u128> {
    let (whole, part) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    if whole.len() > DIGITS + 1 {
        return None;
    }
    let mut nanos = whole.parse::<u128>().ok()?.checked_mul(length)?;
    if let Some(part) = part {
        let part = part.trim_end_matches('0');
        if part.len() > DIGITS {
            return None;
        }
        let denominator = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
        let numerator = if part.is_empty() { 0 } else { part.parse::<u128>().ok()?.checked_mul(length)? };
        if numerator % denominator != 0 {
            return None;
        }
        nanos = nanos.checked_add(numerator / denominator)?;
    }
    Some(nanos)
}

/// A duration as a screen shows it: `1m 30s`, `2h`, `15days`, `500ms`. [`parse`] reads it back.
#[must_use]
pub fn words(duration: Duration) -> Words {
    Words(duration)
}

/// See [`words`].
#[derive(Debug, Clone, Copy)]
pub struct Words(Duration);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_nanos();
        if left == 0 {
            return f.write_str("0s");
        }
        let named = [(YEAR, "year", "years"), (MONTH, "month", "months"), (DAY, "day", "days")];
        let short = [(3_600 * SECOND, "h"), (60 * SECOND, "m"), (SECOND, "s")];
        let fine = [(1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        let units =
            named.into_iter().chain(short.into_iter().chain(fine).map(|(length, name)| (length, name, name)));
        let mut blank = "";
        for (length, one, many) in units {
            let count = left / length;
            left %= length;
            if count > 0 {
                write!(f, "{blank}{count}{}", if count == 1 { one } else { many })?;
                blank = " ";
            }
        }
        Ok(())
    }
}

/// `12s`, `3m`, `4h 5m`, `6d 7h` (contract A-47).
#[must_use]
pub fn uptime(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..86_400 => format!("{}h {}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// `350 ms`, `2.3 s`, or as [`uptime`] from a minute on.
#[must_use]
pub fn lived(span: Duration) -> String {
    match span.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => uptime(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What configuration files, documentation and tests of this project have ever held, and every unit's spellings.
    #[test]
    fn every_spelling_has_its_value() {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        for (text, value) in [
            ("30s", s(30)),
            ("1m", s(60)),
            ("1min", s(60)),
            ("1min 30s", s(90)),
            ("1m30s", s(90)),
            ("30s 1m", s(90)),
            (" 2h 30m ", s(9_000)),
            ("500ms", ms(500)),
            ("1day", s(86_400)),
            ("5 minutes", s(300)),
            ("10m", s(600)),
            ("0s", s(0)),
            ("0", s(0)),
            ("1 000 s", s(1_000)),
            ("1.5h", s(5_400)),
            ("0.5s", ms(500)),
            ("1.50 s", ms(1_500)),
            ("2weeks", s(1_209_600)),
            ("1M", s(2_630_016)),
            ("1y", s(31_557_600)),
            ("1000years", s(31_557_600_000)),
            ("9999999y", s(9_999_999 * 31_557_600)),
            ("1h 1m 1s 1ms 1us 1ns", s(3_661) + Duration::from_nanos(1_001_001)),
            ("7 µs", Duration::from_micros(7)),
        ] {
            assert_eq!(parse(text), Ok(value), "{text:?}");
        }
        for (spellings, length) in UNITS {
            for unit in spellings {
                let value = Duration::from_nanos(3 * u64::try_from(length).unwrap());
                assert_eq!(parse(&format!("3{unit}")), Ok(value), "{unit}");
            }
        }
    }

    #[test]
    fn what_is_no_duration_is_named() {
        for (text, why) in [
            ("", "it is empty"),
            ("soon", "a number is expected before \"soon\""),
            ("-5s", "a number is expected before \"-5s\""),
            ("5", "a unit is needed after 5, for example 5s or 5ms"),
            ("5 m 3", "a unit is needed after 3, for example 3s or 3ms"),
            (
                "5 fortnights",
                "there is no unit \"fortnights\"; units are ns, us, ms, s, min, h, days, weeks, months, years",
            ),
            ("0.5ns", "0.5 is too large or too fine"),
            ("99999999999999999999y", "99999999999999999999y is too large or too fine"),
            ("1.2.3s", "1.2.3 is too large or too fine"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), why, "{text:?}");
        }
        for text in ["1m, 2s", "2 hours min", "1m;", "1..5s", ".5s", "1µ", "10000000000000y"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn how_a_screen_shows_it() {
        for (ms, shown) in [
            (0, "0s"),
            (1, "1ms"),
            (1_500, "1s 500ms"),
            (90_000, "1m 30s"),
            (7_200_000, "2h"),
            (86_400_000, "1day"),
            (15 * 86_400_000 + 60_000, "15days 1m"),
            (2_630_016_000 * 2, "2months"),
            (31_557_600_000 + 1_000, "1year 1s"),
        ] {
            assert_eq!(words(Duration::from_millis(ms)).to_string(), shown);
        }
    }

    #[test]
    fn how_long_something_ran() {
        let spans = [0, 59, 60, 3599, 3600, 86_399, 86_400, 200_000].map(|s| uptime(Duration::from_secs(s)));
        assert_eq!(spans, ["0s", "59s", "1m", "59m", "1h 0m", "23h 59m", "1d 0h", "2d 7h"]);
        assert_eq!(lived(Duration::from_millis(999)), "999 ms");
        assert_eq!(lived(Duration::from_millis(2340)), "2.3 s");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(secs in 0..u64::MAX / 2, nanos in 0..1_000_000_000_u32) {
            let duration = Duration::new(secs, nanos);
            prop_assert_eq!(parse(&words(duration).to_string()), Ok(duration));
        }

        #[test]
        fn numbers_and_units_add_up_in_any_order(
            parts in prop::collection::vec((0..1_000_u64, 0..UNITS.len(), any::<prop::sample::Index>(), " {0,2}"), 1..5)
        ) {
            let (mut text, mut nanos) = (String::new(), 0);
            for (count, unit, spelling, blanks) in parts {
                let (spellings, length) = UNITS[unit];
                text += &format!("{count}{blanks}{}{blanks}", spellings[spelling.index(spellings.len())]);
                nanos += u128::from(count) * length;
            }
            prop_assert_eq!(parse(&text).map(|duration| duration.as_nanos()), Ok(nanos), "{}", text);
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
