//! Hides values that look secret in text that will be shown. Pure.
//!
//! A user may have written secrets into a unit, and a diff of it may end in a bug report. The name of a value shows
//! whether it is secret; too much is hidden rather than too little.

/// Parts of a name that make its value secret.
const SECRET: [&str; 6] = ["TOKEN", "SECRET", "PASSW", "KEY", "CREDENTIAL", "AUTH"];

/// What is shown in place of a secret value.
const REDACTED: &str = "[hidden]";

/// The text with every secret value hidden: `NAME=value` of units and environment files, and
/// `<key>NAME</key><string>value</string>` of property lists, `NAME => value` of `launchctl print`.
#[must_use]
pub(crate) fn redacted(text: &str) -> String {
    let mut key_is_secret = false;
    text.split_inclusive('\n').map(|line| assignments(&strings(line, &mut key_is_secret))).collect()
}

fn is_secret(name: &str) -> bool {
    // `KeyringMode=` is a setting of systemd (systemd.exec(5)), and so is every name that is spelled like it.
    let is_setting =
        name.chars().take(2).map(|c| c.is_ascii_uppercase()).eq([true, false]) && !name.contains('_');
    if is_setting {
        return false;
    }
    let name = name.to_ascii_uppercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// `<key>` may stand on the line before its `<string>`.
fn strings(line: &str, key_is_secret: &mut bool) -> String {
    let mut out = line.to_owned();
    if let Some((_, rest)) = line.split_once("<key>") {
        *key_is_secret = rest.split("</key>").next().is_some_and(is_secret);
    }
    if let Some(at) = line.find("<string>")
        && std::mem::take(key_is_secret)
    {
        let value = at + "<string>".len();
        let end = line[value..].find("</string>").map_or(line.trim_end().len(), |end| value + end);
        out.replace_range(value..end.max(value), REDACTED);
    }
    out
}

fn assignments(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('=') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some(value) = after.strip_prefix("> ")
            && is_secret(before.trim())
        {
            out.push_str(&format!("{before}=> {REDACTED}{}", if value.ends_with('\n') { "\n" } else { "" }));
            return out;
        }
        let name = &before[before.trim_end_matches(is_name).len()..];
        out.push_str(before);
        out.push('=');
        rest = after;
        if is_secret(name) {
            let opened = before[..before.len() - name.len()].chars().next_back();
            let end = end_of_value(after, opened);
            // An empty value is not secret.
            if end > 0 {
                out.push_str(REDACTED);
            }
            rest = &after[end..];
        }
    }
    out.push_str(rest);
    out
}

/// Where a value ends: at the quote that was opened before its name or begins it, else at a blank.
fn end_of_value(value: &str, opened: Option<char>) -> usize {
    let own = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let quote = own.or(opened.filter(|c| matches!(c, '"' | '\'')));
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(usize::from(own.is_some())) {
        let ends = match quote {
            _ if c == '\n' => true,
            Some(quote) => c == quote && !escaped,
            None => c.is_whitespace() || c == '<',
        };
        if ends {
            return if own.is_some() && c != '\n' { at + c.len_utf8() } else { at };
        }
        escaped = c == '\\' && !escaped;
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_values_are_hidden_and_other_text_is_not() {
        for (text, shown) in [
            ("Environment=A=1\n", "Environment=A=1\n"),
            ("Environment=\"MY_TOKEN=s3cret two\" \"B=2\"\n", "Environment=\"MY_TOKEN=[hidden]\" \"B=2\"\n"),
            (
                "Environment=\"P=a\\\"b\" \"API_KEY=x\\\"y z\" C=3\n",
                "Environment=\"P=a\\\"b\" \"API_KEY=[hidden]\" C=3\n",
            ),
            ("DB_PASSWORD='a b' C=3", "DB_PASSWORD=[hidden] C=3"),
            ("auth_token=abc", "auth_token=[hidden]"),
            ("EMPTY_SECRET=\n", "EMPTY_SECRET=\n"),
            ("ExecStart=/x --token=abc serve\n", "ExecStart=/x --token=[hidden] serve\n"),
            (
                "<key>X_TOKEN</key>\n  <string>abc</string>\n",
                "<key>X_TOKEN</key>\n  <string>[hidden]</string>\n",
            ),
            ("<key>PATH</key><string>/bin</string>", "<key>PATH</key><string>/bin</string>"),
            ("<key>A_KEY</key><string>abc", "<key>A_KEY</key><string>[hidden]"),
            ("\t\tMY_TOKEN => a b\n\t\tPATH => /bin\n", "\t\tMY_TOKEN => [hidden]\n\t\tPATH => /bin\n"),
            ("KillMode=mixed\nKEY=", "KillMode=mixed\nKEY="),
            ("KeyringMode=private\nPrivateTmp=yes\n", "KeyringMode=private\nPrivateTmp=yes\n"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }
}
