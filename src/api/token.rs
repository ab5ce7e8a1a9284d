//! The operator token: which texts are valid, and whether a header carries it. Pure.

use std::fmt::Write;

/// Shortest valid token, bytes: 16 random ones in hexadecimal.
pub(crate) const MIN_LEN: usize = 32;

/// A new token from random bytes: 64 hexadecimal digits.
#[must_use]
pub(crate) fn generate(random: [u8; 32]) -> String {
    random.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The token in a file's text, surrounding blanks removed. A token of the original hub (a JWT) is an opaque secret like
/// any other. `None` if the text is not a token: empty, too short, or with characters a header cannot carry.
#[must_use]
pub(crate) fn from_file(text: &str) -> Option<String> {
    let token = text.trim();
    let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    (token.len() >= MIN_LEN && printable).then(|| token.to_owned())
}

/// Whether an `Authorization` header is `Bearer ` and this token. Compares in constant time.
#[must_use]
pub(crate) fn matches(header: &str, expected: &str) -> bool {
    let Some(given) = header.strip_prefix("Bearer ") else { return false };
    let (given, expected) = (given.as_bytes(), expected.as_bytes());
    let differences = given.iter().zip(expected).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    given.len() == expected.len() && !expected.is_empty() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_tokens() {
        let token = generate([0xab; 32]);
        assert_eq!(token, "ab".repeat(32));
        assert_eq!(from_file(&format!("{token}\n")), Some(token.clone()));
        assert_eq!(from_file("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln\n").map(|t| t.len()), Some(41));
        for bad in [
            "",
            "\n",
            "short",
            "with blanks in the middle of it, thirty-two bytes",
            "\u{e4}".repeat(40).as_str(),
        ] {
            assert_eq!(from_file(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_the_exact_header_matches() {
        let token = generate([7; 32]);
        assert!(matches(&format!("Bearer {token}"), &token));
        for bad in [
            format!("bearer {token}"),
            format!("Bearer {token} "),
            token.clone(),
            "Bearer ".to_owned(),
            format!("Bearer {}", &token[1..]),
        ] {
            assert!(!matches(&bad, &token), "{bad:?}");
        }
        assert!(!matches("Bearer ", ""));
    }
}
