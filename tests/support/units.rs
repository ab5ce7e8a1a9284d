//! Units for tests: a printer that any manager can run, and a model of how systemd reads a unit file.
//!
//! The model is written from systemd.syntax(7), systemd.service(5) and systemd.exec(5), and is stricter than systemd:
//! anything that systemd would ignore with a log line, or expand, makes it panic. `tests/lab` uses the real systemd.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use parachute::unit::bind::Unit;
use parachute::unit::descriptor::{Descriptor, Hardening, Oom, ReadySignal};
use parachute::unit::name::UnitName;
use parachute::unit::overrides::Limits;

/// A oneshot with this program, these arguments and this environment: `render` it, let a manager run it, and compare
/// with the values the program saw.
pub fn printer(name: &str, argv: Vec<OsString>, env: BTreeMap<String, OsString>) -> Unit {
    Unit {
        name: UnitName::new(name).unwrap(),
        description: "prints what it was given".to_owned(),
        argv,
        env,
        ready: ReadySignal::Ended,
        restart: None,
        stop: Descriptor::embedded("hub").unwrap().stop,
        after_end: Vec::new(),
        watchdog: None,
        oom: Oom::Stop,
        delegate: false,
        stored_fds: 0,
        hardening: Hardening::Off,
        limits: Limits::default(),
        person: Some("root".to_owned()),
        person_home: Some(PathBuf::from("/root")),
        log_dir: PathBuf::from("/var/log"),
    }
}

/// A unit file as systemd sees it: section, key, value, in order.
pub struct UnitFile(pub Vec<(String, String, String)>);

/// The values of `ExecStart=` and `Environment=`.
#[derive(Debug, PartialEq, Eq)]
pub struct Started {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
}

impl UnitFile {
    pub fn parse(text: &str) -> Self {
        let (mut section, mut found) = (String::new(), Vec::new());
        for line in text.split(['\n', '\r']).map(str::trim_ascii) {
            assert!(!line.ends_with('\\'), "a line goes on in the next: {line}");
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                section = name.strip_suffix(']').expect(line).to_owned();
                continue;
            }
            let (key, value) = line.split_once('=').expect(line);
            found.push((section.clone(), key.trim_ascii().to_owned(), value.trim_ascii().to_owned()));
        }
        Self(found)
    }

    /// The values of a key, in any section.
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(_, k, _)| k == key).map(|(_, _, value)| value.as_str()).collect()
    }

    /// The value of a key that exists once, in this section.
    #[track_caller]
    pub fn one(&self, section: &str, key: &str) -> &str {
        let [value] = self.all(key)[..] else { panic!("{key} is there {} times", self.all(key).len()) };
        assert!(self.0.iter().any(|(s, k, _)| s == section && k == key), "{key} is not in [{section}]");
        value
    }

    /// The values with which the program is started. A shell that stands in for a path that systemd refuses is skipped.
    pub fn started(&self) -> Started {
        let line = words(self.one("Service", "ExecStart"));
        let mut argv: Vec<String> = line.iter().map(|word| unspecified(word)).collect();
        let dangerous = |c: char| c.is_ascii_control() || "\"'\\".contains(c);
        assert!(argv[0].starts_with('/') && !argv[0].contains(dangerous), "{:?}", argv[0]);
        assert!(!argv[0].contains('$'), "the program would see another name: {:?}", argv[0]);
        for word in &mut argv[1..] {
            *word = undollared(word);
        }
        if argv[0] == "/bin/sh" {
            assert_eq!(argv[1..3], ["-c", r#"exec "$0" "$@""#]);
            argv.drain(..3);
        }
        let mut env = BTreeMap::new();
        for value in self.all("Environment") {
            let words = words(value);
            assert_eq!(words.len(), 1, "one assignment a line: {value}");
            let assignment = unspecified(&words[0]);
            let (name, value) = assignment.split_once('=').expect("an assignment");
            env.insert(name.to_owned(), value.to_owned());
        }
        Started { argv, env }
    }
}

/// systemd.syntax(7), QUOTING.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        if chars.peek().is_none() {
            return found;
        }
        let (mut word, mut quote) = (Vec::new(), None);
        loop {
            match (chars.next(), quote) {
                (None, None) => break,
                (None, Some(_)) => panic!("a quote is open: {line}"),
                (Some(c), None) if c.is_ascii_whitespace() => break,
                (Some(c @ ('"' | '\'')), None) => quote = Some(c),
                (Some(c), Some(open)) if c == open => quote = None,
                (Some('\\'), _) => match chars.next() {
                    Some('x') => {
                        let digits: String = chars.by_ref().take(2).collect();
                        let byte = u8::from_str_radix(&digits, 16).expect("two digits");
                        assert_ne!(byte, 0, "no NUL");
                        word.push(byte);
                    }
                    Some(c @ ('"' | '\'' | '\\')) => word.push(c as u8),
                    other => panic!("an escape that we do not write: {other:?} in {line}"),
                },
                (Some(c), _) => word.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        found.push(String::from_utf8(word).expect("UTF-8"));
    }
}

/// systemd.unit(5), SPECIFIERS: only `%%`.
fn unspecified(text: &str) -> String {
    undoubled(text, '%')
}

/// systemd.service(5), COMMAND LINES: only `$$`.
fn undollared(text: &str) -> String {
    undoubled(text, '$')
}

fn undoubled(text: &str, sign: char) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == sign {
            assert_eq!(chars.next(), Some(sign), "{sign} begins something in {text:?}");
        }
        out.push(c);
    }
    out
}
