//! A point of wall-clock time, as written on the wire and on disk.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The epoch on the calendar of UTC.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Milliseconds since the Unix epoch, written as `2026-03-01T10:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The timestamp of a wall-clock reading. A clock before 1970 gives the epoch.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let ms = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Self(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// Milliseconds from `earlier` to `self`, 0 if the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Parses an RFC 3339 time, also in the relaxed form `2026-03-01 10:00:00` (UTC). A time before 1970 is refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // jiff knows more forms than RFC 3339; a day alone, for one, says no point of time.
        let bytes = text.as_bytes();
        if bytes.len() < 19
            || bytes[4] != b'-'
            || !matches!(bytes[10], b'T' | b' ')
            || bytes[13] != b':'
            || bytes[16] != b':'
        {
            return None;
        }
        let ms = match text.parse::<jiff::Timestamp>() {
            Ok(stamp) => stamp.as_millisecond(),
            // UTC without saying so, or the last day of 9999, which has no place among jiff's timestamps.
            Err(_) => {
                let time: DateTime = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
                i64::try_from(time.duration_since(EPOCH).as_millis()).ok()?
            }
        };
        u64::try_from(ms).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A year has four digits. jiff's last timestamp is a day before the end of 9999, so that every zone can show it;
        // whatever is later gets the last stamp of that year.
        match i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
            Some(stamp) => write!(f, "{stamp:.3}"),
            None => f.write_str("9999-12-31T23:59:59.999Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not an RFC 3339 time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let timestamp = Timestamp(1_772_359_449_120);
        assert_eq!(timestamp.to_string(), "2026-03-01T10:04:09.120Z");
        assert_eq!(Timestamp::parse("2026-03-01T10:04:09.120Z"), Some(timestamp));
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        let second = Some(Timestamp(1_772_359_449_000));
        for text in [
            "2026-03-01T10:04:09Z",
            "2026-03-01 10:04:09",
            "2026-03-01 10:04:09.000",
            "2026-03-01T10:04:09+00:00",
            "2026-03-01T12:04:09.0004+02:00",
        ] {
            assert_eq!(Timestamp::parse(text), second, "{text}");
        }
        for text in [
            "yesterday",
            "2026-03-01",
            "2026-13-01T10:04:09Z",
            "1969-12-31T23:59:59Z",
            "2026-03-01T10:04",
            "10:04:09",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::parse(&Timestamp(u64::MAX).to_string()), Some(Timestamp(253_402_300_799_999)));
    }
}
