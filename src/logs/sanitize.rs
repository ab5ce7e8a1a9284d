//! Escapes control characters in module output before a terminal shows it. Pure. Files, pipes and JSON get every byte
//! unchanged.

/// Keeps colours (SGR, `ESC [ … m`), tabs and line ends. Every other control character, alone or in a sequence, is
/// escaped: a request that a module logs may contain any bytes, and must not set a title, fill a clipboard or move the
/// cursor.
#[must_use]
pub(crate) fn sanitize(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(is_escaped) {
            let (plain, from) = rest.split_at(at);
            out.extend_from_slice(plain.as_bytes());
            let colour = colour(from);
            if colour > 0 {
                out.extend_from_slice(&from.as_bytes()[..colour]);
                rest = &from[colour..];
                continue;
            }
            let mut chars = from.chars();
            let control = chars.next().unwrap_or_default();
            rest = chars.as_str();
            // `\r\n` is a line end.
            if control != '\r' || !rest.starts_with('\n') {
                out.extend_from_slice(control.escape_default().to_string().as_bytes());
            }
        }
        out.extend_from_slice(rest.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out
}

fn is_escaped(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Length of the colour sequence (SGR, ECMA-48) at the beginning of `text`; 0: there is none.
fn colour(text: &str) -> usize {
    let Some(inside) = text.strip_prefix("\u{1b}[") else { return 0 };
    let numbers =
        inside.len() - inside.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':').len();
    if inside[numbers..].starts_with('m') { 2 + numbers + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(sanitize(bytes)).unwrap()
    }

    #[test]
    fn only_colours_are_kept() {
        assert_eq!(
            text("[web] \u{1b}[1;31mred\u{1b}[0m\tgrün\n".as_bytes()),
            "[web] \u{1b}[1;31mred\u{1b}[0m\tgrün\n"
        );
        assert_eq!(text(b"\x1b]52;c;aGk=\x07"), "\\u{1b}]52;c;aGk=\\u{7}");
        assert_eq!(text(b"\x1b[2J\x1b[1;1H\x1b[m"), "\\u{1b}[2J\\u{1b}[1;1H\u{1b}[m");
        assert_eq!(text(b"one\r\ntwo\rthree\x08\n"), "one\ntwo\\rthree\\u{8}\n");
        assert_eq!(text("\u{9b}2J".as_bytes()), "\\u{9b}2J", "a sequence may begin with a C1 character");
        assert_eq!(text(b"caf\xe9 \x1b"), "caf\\xe9 \\u{1b}");
    }

    proptest! {
        #[test]
        fn in_any_bytes_no_control_character_is_left_but_colours(bytes in any::<Vec<u8>>()) {
            let once = sanitize(&bytes);
            prop_assert_eq!(&sanitize(&once), &once);
            let shown = String::from_utf8(once).unwrap();
            for (at, _) in shown.char_indices().filter(|(_, c)| is_escaped(*c)) {
                prop_assert!(colour(&shown[at..]) > 0, "{:?}", shown);
            }
        }

        #[test]
        fn plain_lines_stay_as_they_are(text in "[^\\p{C}]*(\n[^\\p{C}]*)*") {
            prop_assert_eq!(sanitize(text.as_bytes()), text.into_bytes());
        }
    }
}
