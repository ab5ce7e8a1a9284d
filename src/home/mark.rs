//! The mark of a home: a file that records whether parachute created this directory. Only a marked directory is ever
//! deleted as a whole (`uninstall --purge`).
//!
//! ```text
//! the directory was missing, or held only files that a user prepares for us          made=yes
//! it held other files                                                                made=no
//! a hub of a version without marks has used it                                       no mark; that hub's files decide
//! ```

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::fs::{self, FsError};
use super::paths::Home;

/// Name of the file, in the home itself.
pub(crate) const NAME: &str = ".parachute-home";
/// A mark is shorter than this, in bytes.
pub(crate) const MAX: u64 = 8 * 1024;

/// Files that a user may create before the first start.
const PREPARED: [&str; 4] = ["hub.toml", "hub.env", "services.json", "services.json.lock"];

/// Files that `init` creates.
const INSTALLED: [&str; 3] = ["bin", "hub", "install"];

/// The content of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whether parachute created the directory.
    pub made: bool,
    /// The directory, without links: a copy of a home has the mark of another one.
    pub path: PathBuf,
}

impl Mark {
    /// The bytes of the file.
    #[must_use]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let made = if self.made { "yes" } else { "no" };
        let mut bytes = format!(
            "# Written by parachute when it first used this directory. made=yes: `parachute uninstall --purge` may \
             delete it.\nmade={made}\npath="
        )
        .into_bytes();
        bytes.extend_from_slice(self.path.as_os_str().as_bytes());
        bytes.push(b'\n');
        bytes
    }

    /// Parses one. `None`: it is not a mark.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (_, rest) = split(bytes)?;
        let (made, rest) = split(rest)?;
        let made = match made {
            b"made=yes" => true,
            b"made=no" => false,
            _ => return None,
        };
        // The path comes last: it may contain any byte, even a line feed.
        let path = rest.strip_prefix(b"path=")?.strip_suffix(b"\n")?;
        let path = PathBuf::from(OsString::from_vec(path.to_vec()));
        path.is_absolute().then_some(Self { made, path })
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// Whether a directory with these names holds only files that a user prepares for us, or those of an `init` that
/// was killed before it could mark the directory.
fn only_ours(root: &Path, names: &[OsString]) -> bool {
    let installed = fs::exists(&root.join("install/lock"));
    let is = |name: &OsString, known: &str| {
        // Another process may be writing it right now, under a temporary name.
        name.as_bytes()
            .strip_prefix(known.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b".tmp-"))
    };
    let ours = |name: &OsString| {
        PREPARED.iter().any(|known| is(name, known))
            || is(name, NAME)
            || installed && INSTALLED.iter().any(|known| is(name, known))
    };
    names.iter().all(ours)
}

/// Creates the home if it is missing, and marks it if it has no mark yet. A directory that belongs to another user is
/// never marked.
///
/// # Errors
/// [`FsError`]: it cannot be created, or the mark cannot be written.
pub(crate) fn ensure(home: &Home) -> Result<(), FsError> {
    let root = home.root();
    let missing = !fs::exists(root);
    fs::make_dir(root, fs::PRIVATE_DIR)?;
    if fs::exists(&root.join(NAME)) || fs::owner(root) != Some(rustix::process::geteuid().as_raw()) {
        return Ok(());
    }
    if missing {
        return put(root, true);
    }
    let used_before = fs::exists(&home.hub_lock()) || is_parachute(home);
    if used_before { Ok(()) } else { put(root, only_ours(root, &fs::list(root)?)) }
}

/// Writes the mark of a directory that this program has just created.
///
/// # Errors
/// [`FsError`].
pub(crate) fn put(root: &Path, made: bool) -> Result<(), FsError> {
    let mark = Mark { made, path: fs::resolved(root) };
    fs::put(&root.join(NAME), fs::PRIVATE, &mark.bytes())
}

/// Whether a directory has a mark of ours and contains nothing else.
#[must_use]
pub(crate) fn is_alone(root: &Path) -> bool {
    let alone = || {
        let only = fs::list(root).ok()? == [OsStr::new(NAME)];
        let mark = Mark::parse(&fs::read_if_there(&root.join(NAME), MAX).ok()??)?;
        Some(only && mark.made && mark.path == fs::resolved(root))
    };
    alone().unwrap_or(false)
}

/// Whether its services.json has the rows of a parachute home, also one of the original hub: other
/// directories have no such file.
fn is_parachute(home: &Home) -> bool {
    let rows = fs::read_if_there(&home.services(), super::document::LIMIT).ok().flatten();
    let rows: Option<serde_json::Value> = rows.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let rows = rows.as_ref().and_then(|value| value.get("services")?.as_array());
    rows.is_some_and(|rows| rows.iter().any(|row| row.get("port").is_some() && row.get("name").is_some()))
}

/// Whether these are the bytes of a hub's list of running modules (`run/ledger.jsonl`): each line an entry,
/// the last one perhaps incomplete.
#[must_use]
pub(crate) fn is_ledger(bytes: &[u8]) -> bool {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    lines.iter().all(|line| {
        serde_json::from_slice::<serde_json::Value>(line)
            .is_ok_and(|value| value.get("entry").is_some_and(serde_json::Value::is_string))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_with_any_path_is_read_back() {
        for path in ["/home/ann/.parachute", "/a\nmade=yes\npath=/b", "/x \u{1b}[31m"] {
            for made in [true, false] {
                let mark = Mark { made, path: path.into() };
                assert_eq!(Mark::parse(&mark.bytes()), Some(mark));
            }
        }
        let odd = Mark { made: true, path: OsString::from_vec(vec![b'/', 0xff]).into() };
        assert_eq!(Mark::parse(&odd.bytes()), Some(odd));
        for bad in ["", "x\n", "x\nmade=maybe\npath=/a\n", "x\nmade=yes\npath=a\n", "x\nmade=yes\npath=/a"] {
            assert_eq!(Mark::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn only_a_directory_that_we_made_or_that_was_prepared_for_us_is_marked_as_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::resolved(dir.path());
        let home = |name: &str| Home::at(root.join(name));
        let mark = |home: &Home| {
            ensure(home).unwrap();
            ensure(home).unwrap();
            let bytes = fs::read_if_there(&home.root().join(NAME), MAX).unwrap()?;
            let mark = Mark::parse(&bytes).unwrap();
            assert_eq!(mark.path, home.root());
            Some(mark.made)
        };
        let with = |name: &str, file: &str, bytes: &[u8]| {
            let file = root.join(name).join(file);
            fs::make_dir(file.parent().unwrap(), 0o700).unwrap();
            fs::put(&file, 0o600, bytes).unwrap();
            home(name)
        };
        assert_eq!(mark(&home("new")), Some(true));
        assert_eq!(mark(&home("deep/er/new")), Some(true));
        assert_eq!(mark(&with("prepared", "hub.toml", b"")), Some(true));
        assert_eq!(mark(&with("app", "run/x", b"")), Some(false));
        assert_eq!(mark(&with("before", "run/hub.lock", b"1\n")), None);
        let rows = br#"{"services":[{"name":"vault","port":1940}]}"#;
        let detached = with("detached", "services.json", rows);
        fs::make_dir(&root.join("detached/vault"), 0o700).unwrap();
        assert_eq!(mark(&detached), None, "the home of the original hub");
        let other = with("other", "services.json", br#"{"services":{"web":{}}}"#);
        fs::make_dir(&root.join("other/src"), 0o700).unwrap();
        assert_eq!(mark(&other), Some(false), "a file that has the same name by chance");
    }

    #[test]
    fn ledgers_are_recognised() {
        assert!(is_ledger(b"") && is_ledger(b"{\"entry\":\"gone\"}\n{\"entry\":\"born\"}\n{\"en"));
        assert!(!is_ledger(b"app started\n") && !is_ledger(b"{\"level\":\"info\"}\n"));
    }
}
