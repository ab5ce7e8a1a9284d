//! What a property list of launchd says of the hub that it starts.

use std::path::Path;

use super::token::XmlText;
use crate::unit::format::HOME;
use crate::unit::template;

pub(super) fn serves(text: &str, home: &Path) -> bool {
    XmlText::new(HOME, home.as_os_str()).ok().and_then(|token| template::written(&token)).is_some_and(
        |token| {
            let mut lines = text.lines().map(str::trim);
            lines.any(|line| line == format!("<key>{HOME}</key>"))
                && lines.next() == Some(&format!("<string>{token}</string>"))
        },
    )
}

pub(super) fn port(text: &str) -> Option<u16> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "<string>--port</string>");
    lines.nth(1)?.strip_prefix("<string>")?.strip_suffix("</string>")?.parse().ok()
}

/// The string that follows a key of a property list.
pub(super) fn value_of(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != format!("<key>{key}</key>"));
    let value = lines.nth(1)?.strip_prefix("<string>")?.strip_suffix("</string>")?;
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#13;", "\r"), ("&amp;", "&")];
    Some(plain.into_iter().fold(value.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain)))
}
