//! Sizes and strings for screens. Pure.

/// `512 B`, `12.4 MiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
pub(crate) fn bytes(count: u64) -> String {
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
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() && c != '\t' { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!([0, 1023, 1024, 13_002_342].map(bytes), ["0 B", "1023 B", "1.0 KiB", "12.4 MiB"]);
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31mb\tc\r"), "a\\u{1b}[31mb\tc\\r");
        assert_eq!(printable("grün ✓"), "grün ✓");
    }
}
