//! The search path of a unit: a fixed list, never the PATH of a shell. The caller finds out which of the directories
//! exist.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::token::Refused;

/// Below the user's home directory: where users and their tool managers put programs.
const OWN: [&str; 11] = [
    ".local/bin",
    "bin",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
    ".volta/bin",
    ".local/share/mise/shims",
    ".asdf/shims",
    ".nix-profile/bin",
    ".local/state/nix/profile/bin",
    "go/bin",
];

/// Where programs may be, in the order in which they are looked for: the person's own directories, then `host`, which
/// its manager's format knows.
#[must_use]
pub(crate) fn candidates(person_home: Option<&Path>, host: &[&str]) -> Vec<PathBuf> {
    let own = person_home.into_iter().flat_map(|home| OWN.map(|dir| home.join(dir)));
    own.chain(host.iter().map(PathBuf::from)).collect()
}

/// These directories, then those of `path`, each once.
///
/// # Errors
/// [`Refused`]: a directory is not absolute, or contains the separator.
pub(crate) fn joined(dirs: &[PathBuf], path: &OsStr) -> Result<OsString, Refused> {
    for dir in dirs {
        let refused = |because| Err(Refused::new("path", dir.as_os_str(), because));
        if !dir.is_absolute() {
            return refused("it must be an absolute path");
        }
        if dir.as_os_str().as_bytes().contains(&b':') {
            return refused("a colon separates directories and cannot be in one");
        }
    }
    let mut all: Vec<&[u8]> = Vec::new();
    let given = path.as_bytes().split(|b| *b == b':').filter(|dir| !dir.is_empty());
    for dir in dirs.iter().map(|dir| dir.as_os_str().as_bytes()).chain(given) {
        if !all.contains(&dir) {
            all.push(dir);
        }
    }
    Ok(OsStr::from_bytes(&all.join(&b':')).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_directories_come_first_and_each_once() {
        let found = candidates(Some(Path::new("/Users/op")), &["/opt/homebrew/bin", "/bin"]);
        assert_eq!(found[0], Path::new("/Users/op/.local/bin"));
        assert_eq!(found[OWN.len()], Path::new("/opt/homebrew/bin"));
        assert_eq!(candidates(None, &["/bin"]), [Path::new("/bin")]);
        let joined = joined(&["/x".into(), "/bin".into()], OsStr::new("/usr/bin::/bin:/x")).unwrap();
        assert_eq!(joined, "/x:/bin:/usr/bin");
    }
}
