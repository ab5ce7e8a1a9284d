//! Reads from a unit file on disk which home it serves, as which user, and on which port. Pure.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::target::Target;
use super::token::{SystemdAssignment, XmlText};

/// The variable that names the home of a unit.
const HOME: &str = "PARACHUTE_HOME";

/// Whether `text`, the file of a unit, sets exactly this home.
#[must_use]
pub fn serves(text: &str, home: &Path, target: &Target) -> bool {
    match target {
        Target::Systemd { .. } => {
            SystemdAssignment::new(HOME, home.as_os_str()).ok().and_then(|token| written(&token)).is_some_and(
                |token| text.lines().any(|line| line.strip_prefix("Environment=") == Some(token.as_str())),
            )
        }
        Target::Launchd { .. } => {
            XmlText::new(HOME, home.as_os_str()).ok().and_then(|token| written(&token)).is_some_and(|token| {
                let mut lines = text.lines().map(str::trim);
                lines.any(|line| line == format!("<key>{HOME}</key>"))
                    && lines.next() == Some(&format!("<string>{token}</string>"))
            })
        }
    }
}

/// The port that `text`, the file of a service, gives to the hub.
#[must_use]
pub fn port(text: &str, target: &Target) -> Option<u16> {
    match target {
        Target::Systemd { .. } => {
            let line = text.lines().find_map(|line| line.strip_prefix("ExecStart="))?;
            let mut words = line.split_whitespace().skip_while(|word| *word != "--port");
            words.nth(1)?.parse().ok()
        }
        Target::Launchd { .. } => {
            let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "<string>--port</string>");
            lines.nth(1)?.strip_prefix("<string>")?.strip_suffix("</string>")?.parse().ok()
        }
    }
}

/// The home that `text`, the file of a service, sets. `None`: it sets none, or in a way that only its manager can
/// expand.
#[must_use]
pub fn home(text: &str, target: &Target) -> Option<PathBuf> {
    match target {
        Target::Systemd { .. } => {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix("Environment="));
            let words: Vec<String> = lines.flat_map(words).collect();
            let set = words.iter().rev().find_map(|word| word.strip_prefix(HOME)?.strip_prefix('='))?;
            specifier_free(set).map(PathBuf::from)
        }
        Target::Launchd { .. } => value_of(text, HOME).map(PathBuf::from),
    }
    .filter(|home| home.is_absolute())
}

/// The user as which `text`, the file of a service, runs: a login name, or a number. `None`: the user of its manager.
#[must_use]
pub fn person(text: &str, target: &Target) -> Option<String> {
    match target {
        // The last of several lines counts, and an empty one unsets it: systemd.syntax(7).
        Target::Systemd { .. } => {
            let last = text.lines().filter_map(|line| line.trim().strip_prefix("User=")).next_back()?;
            specifier_free(last.trim()).filter(|user| !user.is_empty())
        }
        Target::Launchd { .. } => value_of(text, "UserName"),
    }
}

/// The TCP ports on which a socket of systemd listens: its file, then its drop-ins in order.
#[must_use]
pub fn listens<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u16> {
    let mut ports = Vec::new();
    for line in texts.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("ListenStream=")) {
        match line.trim() {
            // systemd.socket(5): an empty assignment resets all before it.
            "" => ports.clear(),
            address => ports.extend(address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok())),
        }
    }
    ports
}

/// The string that follows a key of a property list.
fn value_of(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != format!("<key>{key}</key>"));
    let value = lines.nth(1)?.strip_prefix("<string>")?.strip_suffix("</string>")?;
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#13;", "\r"), ("&amp;", "&")];
    Some(plain.into_iter().fold(value.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain)))
}

/// Words as systemd splits and unescapes them: systemd.syntax(7), QUOTING. A word with an invalid quote or escape is
/// left out.
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
        // We write no other escapes.
        _ => return None,
    };
    let code: String = rest.take(2).collect();
    char::from_u32(u32::from_str_radix(&code, radix).ok()?)
}

/// `%%` is a percent sign; any other specifier is for the manager to expand: systemd.unit(5).
fn specifier_free(text: &str) -> Option<String> {
    let plain = text.replace("%%", "\u{0}");
    (!plain.contains('%')).then(|| plain.replace('\u{0}', "%"))
}

/// A token as a template writes it.
fn written<T: Serialize>(token: &T) -> Option<String> {
    serde_json::to_value(token).ok()?.as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::bind::Binding;
    use crate::unit::descriptor::Descriptor;
    use crate::unit::overrides::Overrides;
    use crate::unit::render::render;

    #[test]
    fn a_unit_serves_the_home_it_was_written_for_and_no_other() {
        for target in ["systemd-user", "systemd-system", "launchd-agent", "launchd-daemon"] {
            let target: Target = target.parse().unwrap();
            let home = Path::new("/home/my op/100% $x \"q\" 'é");
            let binding = Binding {
                bin: "/b/parachute".into(),
                home: home.into(),
                person: Some("op".to_owned()),
                person_home: Some("/home/op".into()),
                port: 1939,
                path: "/bin".into(),
                log_dir: "/l".into(),
            };
            let unit = Descriptor::embedded("hub").unwrap().bind(&binding, &Overrides::default()).unwrap();
            let text = &render(&unit, &target).unwrap()[0].text;
            assert!(serves(text, home, &target), "{target}: {text}");
            assert!(!serves(text, Path::new("/home/my op"), &target));
            assert!(!serves("", home, &target));
            assert_eq!((port(text, &target), port("", &target)), (Some(1939), None), "{target}: {text}");
            assert_eq!(super::home(text, &target).as_deref(), Some(home), "{target}: {text}");
            let of_a_system = matches!(target.to_string().as_str(), "systemd-system" | "launchd-daemon");
            assert_eq!(person(text, &target), of_a_system.then(|| "op".to_owned()), "{target}: {text}");
        }
    }

    #[test]
    fn handwritten_units_are_read_by_systemds_rules() {
        let target: Target = "systemd-system".parse().unwrap();
        let home = |text: &str| super::home(text, &target).map(|home| home.display().to_string());
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
        let person = |text: &str| person(text, &target);
        assert_eq!(person("User=ann\nUser=bob\n"), some("bob"));
        assert_eq!(person("User=ann\nUser=\n"), None);
        assert_eq!(person("SocketUser=ann\nUser=%i\n"), None);
        let ports = |texts: &[&str]| listens(texts.iter().copied());
        assert_eq!(
            ports(&["ListenStream=127.0.0.1:1939\n", "[Socket]\nListenStream=\nListenStream=[::1]:2000"]),
            [2000]
        );
        assert_eq!(ports(&["ListenStream=1939\nListenStream=/run/x.sock\n"]), [1939]);
    }
}
