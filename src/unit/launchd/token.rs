//! Values as a property list takes them.

use std::ffi::OsStr;

use serde::Serialize;

use crate::unit::token::{Refused, text};

/// Text between two tags of a property list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct XmlText(String);

impl XmlText {
    /// Escaped; a carriage return as a reference, because a parser makes a line feed of a bare one (XML 1.0, 2.11).
    ///
    /// # Errors
    /// [`Refused`] for what XML 1.0, 2.2 does not allow, not even as a reference.
    pub(super) fn new(key: &str, raw: &OsStr) -> Result<Self, Refused> {
        let text = text(key, raw)?;
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '\r' => out.push_str("&#13;"),
                '\t' | '\n' | ' '..='\u{fffd}' | '\u{1_0000}'.. => out.push(c),
                _ => return Err(Refused::new(key, raw, "XML has no way to write a control character")),
            }
        }
        Ok(Self(out))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn xml() {
        let xml = |value: &str| XmlText::new("k", OsStr::new(value)).unwrap().0;
        assert_eq!(xml("a&b<c>\"d' --> ]]>"), "a&amp;b&lt;c&gt;\"d' --&gt; ]]&gt;");
        assert_eq!(xml("\r\n\t\u{7f}\u{85}\u{fdd0}\u{1_fffe}"), "&#13;\n\t\u{7f}\u{85}\u{fdd0}\u{1_fffe}");
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_its_key_and_value() {
        let refused = |raw: &OsStr| XmlText::new("log_dir", raw).unwrap_err().to_string();
        assert_eq!(
            refused(OsStr::new("\u{8}")),
            r#"log_dir cannot be "\u{8}": XML has no way to write a control character"#
        );
        assert_eq!(refused(OsStr::from_bytes(b"\xc3")), r#"log_dir cannot be "\\xc3": it is not UTF-8"#);
    }
}
