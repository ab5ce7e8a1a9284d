//! Words of a command line that a person is told to type. Pure.

use std::path::Path;

/// A path as a shell takes it: as it is, or in single quotes.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_split_or_expand_is_quoted() {
        for (raw, word) in [
            ("/home/op/.parachute/hub.env", "/home/op/.parachute/hub.env"),
            ("/my op/$x", "'/my op/$x'"),
            ("/it's", r"'/it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(raw)), word);
        }
    }
}
