//! Durations, sizes and strings for screens. Pure.

use std::time::Duration;

/// `12s`, `3m`, `4h 5m`, `6d 7h`.
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

/// `350ms`, `2.3s`, and from a minute on as [`uptime`].
#[must_use]
pub fn lived(span: Duration) -> String {
    match span.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => uptime(span),
    }
}

/// `512 B`, `12.4 MiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Makes foreign text safe for a terminal: control characters, including escape sequences, are shown as
/// `\u{1b}` and have no effect. Tabs stay.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() && c != '\t' { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes() {
        let spans = [0, 59, 60, 3599, 3600, 86_399, 86_400, 200_000].map(|s| uptime(Duration::from_secs(s)));
        assert_eq!(spans, ["0s", "59s", "1m", "59m", "1h 0m", "23h 59m", "1d 0h", "2d 7h"]);
        assert_eq!(lived(Duration::from_millis(999)), "999 ms");
        assert_eq!(lived(Duration::from_millis(2340)), "2.3 s");
        assert_eq!([0, 1023, 1024, 13_002_342].map(bytes), ["0 B", "1023 B", "1.0 KiB", "12.4 MiB"]);
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31mb\tc\r"), "a\\u{1b}[31mb\tc\\r");
        assert_eq!(printable("grün ✓"), "grün ✓");
    }
}
