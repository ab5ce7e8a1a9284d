//! Finds the file of a program as execvp(3) would, with the PATH and the working directory of the process that will
//! run it, not with ours. Every search for a program uses it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Searched by a process without PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Files that may be the program `name`, in search order: with a slash, that path from `cwd`; else the name in each
/// directory of `path`. A relative directory starts from `cwd`, and an empty one is `cwd` (execvp(3)).
#[must_use]
pub(crate) fn candidates(name: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Vec<PathBuf> {
    if name.is_empty() {
        return Vec::new();
    }
    if name.as_encoded_bytes().contains(&b'/') {
        return vec![cwd.join(name)];
    }
    let dirs = std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH)));
    dirs.map(|dir| cwd.join(dir).join(name)).collect()
}

/// Whether this user may execute the file, and it is a regular one.
#[must_use]
pub(crate) fn is_program(file: &Path) -> bool {
    // A path with a slash is not searched for: only checked.
    which::which_in(file, None::<OsString>, "/").is_ok()
}

/// The first candidate that may be executed.
#[must_use]
pub(crate) fn find_program(name: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
    candidates(name, path, cwd).into_iter().find(|file| is_program(file))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "test: real files in a temporary directory")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(name: &str, path: Option<&str>) -> Vec<PathBuf> {
        candidates(OsStr::new(name), path.map(OsStr::new), Path::new("/w"))
    }

    #[test]
    fn candidates_follow_execvp() {
        let files = |all: &[&str]| all.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(at("", Some("/bin")), files(&[]));
        assert_eq!(at("bin/x", Some("/bin")), files(&["/w/bin/x"]));
        assert_eq!(at("/opt/x", Some("/bin")), files(&["/opt/x"]));
        assert_eq!(at("x", Some("/a:b::~/c")), files(&["/a/x", "/w/b/x", "/w/x", "/w/~/c/x"]));
        assert_eq!(at("x", None).last(), Some(&PathBuf::from("/bin/x")));
    }

    #[test]
    fn a_directory_and_a_file_without_x_are_no_programs() {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["1", "2/tool", "3", "4"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        for (sub, mode) in [("1", 0o644), ("3", 0o755), ("4", 0o755)] {
            let tool = dir.path().join(sub).join("tool");
            std::fs::write(&tool, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = find_program(OsStr::new("tool"), Some(OsStr::new("1:2:3:4")), dir.path());
        assert_eq!(found, Some(dir.path().join("3/tool")));
        assert_eq!(find_program(OsStr::new("tool"), Some(OsStr::new("1:2")), dir.path()), None);
    }
}
