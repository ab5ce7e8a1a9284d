//! PATH of the unit: a fixed list, plus what modules need. Never the PATH of the user who ran `init`, which would
//! make the unit differ from shell to shell. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Directories that are emptied by a reboot.
const VOLATILE: [&str; 6] = ["/tmp", "/var/tmp", "/run", "/var/run", "/dev/shm", "/proc"];

/// A program that a module's start command names without a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Short name of the module.
    pub module: String,
    /// The program, as in its command.
    pub program: String,
    /// The path that the user's shell finds.
    pub found: Option<PathBuf>,
}

/// The PATH, and notes on programs that it does not find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchPath {
    /// The value.
    pub path: OsString,
    /// Sentences for the user.
    pub notes: Vec<String>,
}

/// `known` are the directories of [`crate::unit::search`] that exist. Directories that modules need come first, in the
/// order of the modules: a user who has two `node` means the one that their shell finds.
#[must_use]
pub(crate) fn search_path(known: &[PathBuf], needs: &[Need]) -> SearchPath {
    let mut notes = Vec::new();
    let mut dirs: Vec<PathBuf> = Vec::new();
    let add = |dirs: &mut Vec<PathBuf>, dir: &Path| {
        if !dirs.iter().any(|known| known == dir) {
            dirs.push(dir.to_owned());
        }
    };
    for need in needs {
        let Some(found) = &need.found else {
            notes.push(format!(
                "{} needs `{}`, which is not on your PATH: it will not start until it is installed",
                need.module, need.program
            ));
            continue;
        };
        let Some(dir) = found.parent() else { continue };
        if serves(known, dir) || dirs.iter().any(|added| added == dir) {
            continue;
        }
        if dir.as_os_str().as_bytes().contains(&b':') || !dir.is_absolute() {
            notes.push(format!(
                "{} needs `{}` in {}, which no PATH can contain",
                need.module,
                need.program,
                dir.display()
            ));
        } else if VOLATILE.iter().any(|volatile| dir.starts_with(volatile)) {
            notes.push(format!(
                "{} needs `{}`, which your shell finds in {}: that directory is gone after a reboot, so it is left out",
                need.module,
                need.program,
                dir.display()
            ));
        } else {
            add(&mut dirs, dir);
        }
    }
    for dir in known {
        add(&mut dirs, dir);
    }
    let joined: Vec<&[u8]> = dirs.iter().map(|dir| dir.as_os_str().as_bytes()).collect();
    SearchPath { path: OsString::from_vec(joined.join(&b':')), notes }
}

/// Whether this directory is searched already.
fn serves(known: &[PathBuf], dir: &Path) -> bool {
    known.iter().any(|known| known == dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(module: &str, program: &str, found: Option<&str>) -> Need {
        Need { module: module.to_owned(), program: program.to_owned(), found: found.map(PathBuf::from) }
    }

    fn known() -> Vec<PathBuf> {
        ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).to_vec()
    }

    #[test]
    fn directories_that_modules_need_come_before_the_known_list() {
        let needs = [
            need("a", "node", Some("/home/me/.nvm/v20/bin/node")),
            need("b", "npm", Some("/home/me/.nvm/v20/bin/npm")),
            need("c", "sh", Some("/bin/sh")),
        ];
        let got = search_path(&known(), &needs);
        assert_eq!(got.path, "/home/me/.nvm/v20/bin:/usr/local/bin:/usr/bin:/bin");
        assert_eq!(got.notes, [""; 0]);
    }

    #[test]
    fn volatile_or_unusable_directories_are_reported() {
        let needs = [
            need("a", "bun", None),
            need("b", "node", Some("/run/user/1000/fnm/bin/node")),
            need("c", "x", Some("/a:b/x")),
        ];
        let got = search_path(&known(), &needs);
        assert_eq!(got.path, "/usr/local/bin:/usr/bin:/bin");
        assert_eq!(got.notes.len(), 3);
        assert!(
            got.notes[0].contains("`bun`")
                && got.notes[1].contains("reboot")
                && got.notes[2].contains("/a:b")
        );
    }
}
