//! What a unit file of systemd says of the hub that it starts.

use std::path::{Path, PathBuf};

use super::token::SystemdAssignment;
use crate::unit::format::HOME;
use crate::unit::template;

pub(super) fn serves(text: &str, home: &Path) -> bool {
    SystemdAssignment::new(HOME, home.as_os_str())
        .ok()
        .and_then(|token| template::written(&token))
        .is_some_and(|token| {
            text.lines().any(|line| line.strip_prefix("Environment=") == Some(token.as_str()))
        })
}

pub(super) fn port(text: &str) -> Option<u16> {
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart="))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "--port");
    words.nth(1)?.parse().ok()
}

pub(super) fn home(text: &str) -> Option<PathBuf> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("Environment="));
    let words: Vec<String> = lines.flat_map(words).collect();
    let set = words.iter().rev().find_map(|word| word.strip_prefix(HOME)?.strip_prefix('='))?;
    specifier_free(set).map(PathBuf::from)
}

/// Of several lines the last counts, and an empty one unsets it: systemd.syntax(7).
pub(super) fn person(text: &str) -> Option<String> {
    let last = text.lines().filter_map(|line| line.trim().strip_prefix("User=")).next_back()?;
    specifier_free(last.trim()).filter(|user| !user.is_empty())
}

pub(super) fn listens(texts: &[&str]) -> Vec<u16> {
    let mut ports = Vec::new();
    let lines = texts.iter().flat_map(|text| text.lines());
    for line in lines.filter_map(|line| line.trim().strip_prefix("ListenStream=")) {
        match line.trim() {
            // systemd.socket(5): an empty one takes back all before it.
            "" => ports.clear(),
            address => ports.extend(address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok())),
        }
    }
    ports
}

/// Words as systemd splits and unescapes them: systemd.syntax(7), QUOTING. One whose quote or escape is no such is left out.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    while rest.next_if(|c| c.is_ascii_whitespace()).is_some() || rest.peek().is_some() {
        if rest.peek().is_none_or(char::is_ascii_whitespace) {
            continue;
        }
        match word(&mut rest) {
            Some(word) => words.push(word),
            None => return words,
        }
    }
    words
}

fn word(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let (mut word, mut quote) = (String::new(), None);
    while let Some(c) = rest.next_if(|c| quote.is_some() || !c.is_ascii_whitespace()) {
        match c {
            '\\' => word.push(escaped(rest)?),
            c if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c => word.push(c),
        }
    }
    quote.is_none().then_some(word)
}

fn escaped(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let radix = match rest.next()? {
        'x' => 16,
        's' => return Some(' '),
        't' => return Some('\t'),
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        plain @ ('\\' | '"' | '\'' | ' ') => return Some(plain),
        // Others are for what we do not write.
        _ => return None,
    };
    let code: String = rest.take(2).collect();
    char::from_u32(u32::from_str_radix(&code, radix).ok()?)
}

/// `%%` is a percent sign; any other specifier is for the manager to fill in: systemd.unit(5).
fn specifier_free(text: &str) -> Option<String> {
    let plain = text.replace("%%", "\u{0}");
    (!plain.contains('%')).then(|| plain.replace('\u{0}', "%"))
}

#[cfg(test)]
mod tests {
    use crate::unit::recognise;
    use crate::unit::target::Target;

    #[test]
    fn what_a_person_wrote_by_hand_is_read_as_systemd_reads_it() {
        let target: Target = "systemd-system".parse().unwrap();
        let home = |text: &str| recognise::home(text, &target).map(|home| home.display().to_string());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(home("Environment=A=1 PARACHUTE_HOME=/h 'B=2 3'\n"), some("/h"));
        assert_eq!(home(r#"Environment="PARACHUTE_HOME=/a b\x41\"c" X="#), some("/a bA\"c"));
        assert_eq!(home("Environment=PARACHUTE_HOME=/h\nEnvironment=PARACHUTE_HOME=/i\n"), some("/i"));
        for none in [
            "",
            "Environment=PARACHUTE_HOME=%h/x",
            "Environment='PARACHUTE_HOME=/h",
            "Environment=\\",
            "Environment=PARACHUTE_HOME=h",
        ] {
            assert_eq!(home(none), None, "{none}");
        }
        let person = |text: &str| recognise::person(text, &target);
        assert_eq!(person("User=ann\nUser=bob\n"), some("bob"));
        assert_eq!(person("User=ann\nUser=\n"), None);
        assert_eq!(person("SocketUser=ann\nUser=%i\n"), None);
        let ports = |texts: &[&str]| super::listens(texts);
        assert_eq!(
            ports(&["ListenStream=127.0.0.1:1939\n", "[Socket]\nListenStream=\nListenStream=[::1]:2000"]),
            [2000]
        );
        assert_eq!(ports(&["ListenStream=1939\nListenStream=/run/x.sock\n"]), [1939]);
    }
}
