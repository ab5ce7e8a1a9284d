//! Environments: the text of a `.env` file, and what a module may inherit from the hub.
//!
//! Values are bytes, not text: environment variables need not be UTF-8.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A complete environment.
pub type Env = BTreeMap<OsString, OsString>;

/// Prepended to PATH; not passed on to the module.
pub(super) const EXTRA_PATH: &str = "PARACHUTE_EXTRA_PATH";

/// PATH of a hub that was started without one.
const PLAIN_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables for the hub alone. A module that inherited them would speak to the hub's service manager as if it were the
/// hub, bind the hub's port or know its first password.
const HUB_ONLY: [&str; 29] = [
    // Of the hub itself.
    "PORT",
    "PARACHUTE_BIND_HOST",
    "PARACHUTE_CGROUP",
    "PARACHUTE_LOG",
    "PARACHUTE_OPERATOR_TOKEN",
    EXTRA_PATH,
    // Marks of a hub that itself runs as a module.
    super::launch::MARK_MODULE,
    super::launch::MARK_INCARNATION,
    // systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager".
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "MAINPID",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "PIDFILE",
    "FDSTORE",
    "CREDENTIALS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "TRIGGER_UNIT",
    "TRIGGER_PATH",
    // Set by launchd for the job it started.
    "XPC_SERVICE_NAME",
    "XPC_FLAGS",
];

const HUB_ONLY_PREFIXES: [&str; 5] =
    ["PARACHUTE_INITIAL_ADMIN_", "WATCHDOG_", "LISTEN_", "MONITOR_", "TRIGGER_TIMER_"];

/// Why a line cannot be written to a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// Not `[A-Za-z_][A-Za-z0-9_]*`.
    #[error(
        "`{0}` is not a name of an environment variable: use letters, digits and `_`, not starting with a digit"
    )]
    Name(String),
    /// One line cannot hold it.
    #[error("the value of `{0}` contains a line break or a NUL byte")]
    Value(String),
}

/// The variables of a `.env` file: `KEY=value` lines, one level of quotes stripped, later
/// duplicates win. A line whose key is not a plain variable name is ignored, which covers comments and `export`;
/// a carriage return before the line break is not part of the value.
#[must_use]
pub fn parse(bytes: &[u8]) -> Env {
    bytes.split(|b| *b == b'\n').filter_map(assignment).collect()
}

fn assignment(line: &[u8]) -> Option<(OsString, OsString)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let at = line.iter().position(|b| *b == b'=')?;
    let (key, value) = (&line[..at], &line[at + 1..]);
    is_key(key).then(|| (OsString::from_vec(key.to_vec()), OsString::from_vec(unquoted(value).to_vec())))
}

pub(super) fn is_key(key: &[u8]) -> bool {
    key.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [first @ (b'"' | b'\''), inside @ .., last] if first == last => inside,
        plain => plain,
    }
}

/// The file with `key` set: its first line is replaced in place, later ones (which would win) are removed, and without
/// one the line is appended. Every other line is kept.
///
/// # Errors
/// [`EnvError`] if a line cannot hold the name or the value.
pub fn upsert(bytes: &[u8], key: &str, value: &[u8]) -> Result<Vec<u8>, EnvError> {
    if !is_key(key.as_bytes()) {
        return Err(EnvError::Name(key.to_owned()));
    }
    if value.iter().any(|b| matches!(b, b'\n' | 0)) {
        return Err(EnvError::Value(key.to_owned()));
    }
    let mut line = [key.as_bytes(), b"="].concat();
    // The reader strips one level of quotes, so a value that would lose something gets another level.
    let wrap = unquoted(value).len() != value.len() || value.ends_with(b"\r");
    line.extend_from_slice(if wrap { b"\"" } else { b"" });
    line.extend_from_slice(value);
    line.extend_from_slice(if wrap { b"\"" } else { b"" });

    let mut new = Some(line);
    let mut out = Vec::with_capacity(bytes.len() + key.len() + value.len() + 4);
    for old in lines(bytes) {
        if !sets(old, key) {
            push_line(&mut out, old);
        } else if let Some(line) = new.take() {
            push_line(&mut out, &line);
        }
    }
    if let Some(line) = new {
        push_line(&mut out, &line);
    }
    Ok(out)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ended = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    ended.split(|b| *b == b'\n').filter(move |_| !bytes.is_empty())
}

fn sets(line: &[u8], key: &str) -> bool {
    line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// What a module inherits: the hub's environment without the hub-only variables, and with the PATH of a login
/// shell. `is_dir` says which directories exist.
#[must_use]
pub fn inherit(hub_env: &Env, is_dir: &dyn Fn(&Path) -> bool) -> Env {
    let mut env: Env =
        hub_env.iter().filter(|(key, _)| !is_hub_only(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let get = |key: &str| hub_env.get(OsStr::new(key)).map(OsString::as_os_str);
    let path = enriched_path(get("PATH"), get(EXTRA_PATH), get("HOME").map(Path::new), is_dir);
    env.insert("PATH".into(), path);
    env
}

pub(super) fn is_hub_only(key: &OsStr) -> bool {
    let bytes = key.as_bytes();
    // Such a name cannot come from `KEY=value` and cannot be passed on as one.
    let odd = bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0);
    odd || HUB_ONLY.iter().any(|k| k.as_bytes() == bytes)
        || HUB_ONLY_PREFIXES.iter().any(|p| bytes.starts_with(p.as_bytes()))
}

/// A service manager gives a minimal PATH; modules look for tools where a login shell finds them. `extra` comes
/// first, the inherited directories keep their order, the usual tool directories that exist follow. Applying it twice
/// changes nothing.
#[must_use]
pub fn enriched_path(
    inherited: Option<&OsStr>,
    extra: Option<&OsStr>,
    home: Option<&Path>,
    is_dir: &dyn Fn(&Path) -> bool,
) -> OsString {
    let split = |list: &OsStr| -> Vec<Vec<u8>> {
        list.as_bytes().split(|b| *b == b':').map(<[u8]>::to_vec).collect()
    };
    let mut dirs: Vec<Vec<u8>> = Vec::new();
    for dir in extra.filter(|p| !p.is_empty()).map(split).unwrap_or_default() {
        if !dir.is_empty() && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    let first = dirs.len();
    let inherited = inherited.filter(|p| !p.is_empty()).unwrap_or(OsStr::new(PLAIN_PATH));
    dirs.extend(split(inherited).into_iter().filter(|dir| !dirs[..first].contains(dir)).collect::<Vec<_>>());

    for dir in usual(home).into_iter().filter(|dir| is_dir(dir)) {
        let dir = dir.into_os_string().into_vec();
        // A colon cannot be escaped in PATH.
        if !dir.contains(&b':') && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    OsString::from_vec(dirs.join(&b':'))
}

/// The directories that [`inherit`] adds to PATH if they exist, in the order in which it asks.
#[must_use]
pub fn usual_dirs(hub_env: &Env) -> Vec<PathBuf> {
    usual(hub_env.get(OsStr::new("HOME")).map(Path::new))
}

fn usual(home: Option<&Path>) -> Vec<PathBuf> {
    let of_home = |below: &str| home.filter(|h| h.is_absolute()).map(|h| h.join(below));
    let usual = [
        of_home(".local/bin"),
        Some(PathBuf::from("/opt/homebrew/bin")),
        Some(PathBuf::from("/usr/local/bin")),
        Some(PathBuf::from("/home/linuxbrew/.linuxbrew/bin")),
        of_home(".bun/bin"),
    ];
    usual.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn parsed_lines() {
        let text = b"A=1\n# NOTE=1\nexport X=1\nB=\"two=2\"\nC='\"q\"'\nD=\"\nE=\r\nF=x\r\nA=3\n=no\n G=1\n\n9=x\nH= y ";
        assert_eq!(
            parse(text),
            env(&[
                ("A", "3"),
                ("B", "two=2"),
                ("C", "\"q\""),
                ("D", "\""),
                ("E", ""),
                ("F", "x"),
                ("H", " y ")
            ])
        );
        assert_eq!(parse(b""), env(&[]));
        assert_eq!(parse(b"K=\xff\n").get(OsStr::new("K")).unwrap().as_bytes(), b"\xff");
    }

    #[test]
    fn edits_keep_every_other_line() {
        let text = b"# head\nA=1\nAB=2\nA=3";
        assert_eq!(upsert(text, "A", b"9").unwrap(), b"# head\nA=9\nAB=2\n");
        assert_eq!(upsert(text, "Z", b"").unwrap(), b"# head\nA=1\nAB=2\nA=3\nZ=\n");
        assert_eq!(upsert(b"", "Z", b"1").unwrap(), b"Z=1\n");
        assert_eq!(upsert(b"", "A B", b"1"), Err(EnvError::Name("A B".to_owned())));
        assert_eq!(upsert(b"", "A", b"1\n2"), Err(EnvError::Value("A".to_owned())));
    }

    proptest! {
        #[test]
        fn a_set_value_is_read_back_and_other_lines_stay(
            text in proptest::collection::vec(proptest::sample::select(b"AB=\"'\r\n# x\xff".to_vec()), 0..60),
            value in proptest::collection::vec(proptest::sample::select(b"ab=\"'\r #\xff".to_vec()), 0..8),
        ) {
            let before = parse(&text);
            let after = parse(&upsert(&text, "A", &value).unwrap());
            prop_assert_eq!(after.get(OsStr::new("A")).unwrap().as_bytes(), &value[..]);
            let rest = |mut env: Env| { env.remove(OsStr::new("A")); env };
            prop_assert_eq!(rest(after), rest(before));
        }

        #[test]
        fn enriching_twice_changes_nothing(path in "[a-c/:]{0,12}", extra in "[a-c/:]{0,8}") {
            let once = |path: &OsStr| {
                enriched_path(Some(path), Some(OsStr::new(&extra)), Some(Path::new("/h")), &|_| true)
            };
            let first = once(OsStr::new(&path));
            prop_assert_eq!(once(&first), first);
        }
    }

    #[test]
    fn hub_only_variables_are_not_inherited() {
        let hub = env(&[
            ("PARACHUTE_INITIAL_ADMIN_PASSWORD", "secret"),
            ("NOTIFY_SOCKET", "/run/x"),
            ("WATCHDOG_USEC", "1"),
            ("LISTEN_FDS", "1"),
            ("PORT", "1939"),
            ("PARACHUTE_INCARNATION", "x:1"),
            ("PARACHUTE_EXTRA_PATH", "/e"),
            ("HOME", "/h"),
            ("LANG", "C"),
            ("PATH", "/usr/bin:/bin"),
        ]);
        let there = |dir: &Path| dir == Path::new("/h/.local/bin");
        assert_eq!(
            inherit(&hub, &there),
            env(&[("HOME", "/h"), ("LANG", "C"), ("PATH", "/e:/usr/bin:/bin:/h/.local/bin")])
        );
        assert_eq!(inherit(&env(&[]), &there), env(&[("PATH", PLAIN_PATH)]));
    }

    #[test]
    fn extra_path_moves_to_the_front() {
        let path = enriched_path(Some(OsStr::new("/a:/b:/a")), Some(OsStr::new("/b:/c")), None, &|_| false);
        assert_eq!(path, "/b:/c:/a:/a");
    }
}
