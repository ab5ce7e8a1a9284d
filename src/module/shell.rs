//! Words quoted for a POSIX shell, for commands that a screen shows and a user may type.

use std::path::Path;

/// A word, quoted only if a shell would split or expand it.
#[must_use]
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A path; bytes that are not UTF-8 are replaced, so such a path cannot be typed back.
#[must_use]
pub(crate) fn quote_path(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_change_is_quoted() {
        let words = [
            "",
            "a b",
            "--port=80",
            "it's $HOME",
            "/home/ann/.parachute",
            "a=b",
            "grün",
            "$HOME",
            "a;b",
            "~",
        ];
        let quoted = [
            "''",
            "'a b'",
            "--port=80",
            "'it'\\''s $HOME'",
            "/home/ann/.parachute",
            "a=b",
            "grün",
            "'$HOME'",
            "'a;b'",
            "'~'",
        ];
        assert_eq!(words.map(quote), quoted);
        assert_eq!(quote_path(Path::new("/my home")), "'/my home'");
    }
}
