//! `<HOME>/hub.env` on disk: environment, and secrets, of a hub under a service manager and of its modules.
//!
//! The hub reads it itself, as the user it runs as, in every scope. A manager that read it (`EnvironmentFile=`) would
//! open a path that a user controls with the manager's own rights: a link could lead to files that only root may read,
//! and a FIFO blocks PID 1 for ever. If the file cannot be used, it is *refused*: no module starts without its
//! variables.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths::Home;
use super::trusted::{self, Distrust, Trusted};
use crate::module::hub_env::{self, Parsed};
use crate::module::problem::{Problem, ProblemKind};
use crate::module::shell::quote_path as quoted;
use crate::module::timestamp::Timestamp;

/// Largest file that is read: no program accepts a larger environment (execve(2), a quarter of an 8 MiB stack).
pub(crate) const LIMIT: u64 = 1024 * 1024;

/// Why the file is not used, and the command that repairs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{} is refused: {why}", path.display())]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub why: String,
    /// The command to type.
    pub next: String,
}

impl Refused {
    fn new(path: &Path, me: u32, distrust: &Distrust) -> Self {
        let file = quoted(path);
        let next = match distrust {
            // Repair: a file of the user with the same bytes replaces it, if they may be read.
            Distrust::Link | Distrust::Owner(_) => {
                format!("install -m 600 {file} {file}.new && mv {file}.new {file}")
            }
            Distrust::Writable(_) => format!("chmod 600 {file}"),
            Distrust::Kind(_) | Distrust::TooLarge(_) => format!("mv {file} {file}.refused"),
            Distrust::Unreadable(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                format!("sudo chown {me} {file}")
            }
            Distrust::Unreadable(_) => format!("ls -l {file}"),
        };
        Self { path: path.to_owned(), why: distrust.to_string(), next }
    }

    /// The problem of a module that is not started because of it.
    #[must_use]
    pub fn problem(&self, at: Timestamp) -> Problem {
        let text = format!("{self}. No module is started without it.");
        Problem::new(ProblemKind::BadDefinition, text, at).next(self.next.clone())
    }
}

/// The content of the file for a hub that runs as `me`; empty if it does not exist. Harmless oddities are in its
/// remarks, a sentence each.
///
/// # Errors
/// [`Refused`].
pub(crate) fn read(home: &Home, me: u32) -> Result<Parsed, Refused> {
    let path = home.hub_env();
    let refused = |distrust| Refused::new(&path, me, &distrust);
    let Some(Trusted { bytes, mode, owner }) = trusted::read(&path, me, LIMIT).map_err(refused)? else {
        return Ok(Parsed::default());
    };
    if bytes.contains(&0) {
        // No program can receive a value with NUL; usually the result of a power cut.
        let file = quoted(&path);
        let (why, next) = ("it contains NUL bytes".to_owned(), format!("mv {file} {file}.refused"));
        return Err(Refused { path, why, next });
    }
    let mut parsed = hub_env::parse(&bytes);
    for remark in &mut parsed.remarks {
        *remark = format!("{}: {remark}", path.display());
    }
    let may = may_have(owner, me);
    if mode & 0o044 & !may != 0 {
        let text = format!(
            "{} can be read by other users (mode {mode:04o}): chmod {may:o} {}",
            path.display(),
            quoted(&path)
        );
        parsed.remarks.insert(0, text);
    }
    Ok(parsed)
}

/// The permission bits that a file of this owner may have, for a hub that runs as `person`. A file of root is read by
/// its group: the hub could not read it otherwise.
#[must_use]
pub(crate) fn may_have(owner: u32, person: u32) -> u32 {
    if owner == person { 0o600 } else { 0o640 }
}

/// Whether a hub that runs as `person` would refuse it, as far as another user can tell without opening it.
#[must_use]
pub(crate) fn look(home: &Home, person: u32) -> Option<Refused> {
    let path = home.hub_env();
    trusted::look(&path, person, LIMIT).err().map(|distrust| Refused::new(&path, person, &distrust))
}

/// The same for any caller: `me` reads their own file, and only looks at the metadata of another user's.
#[must_use]
pub(crate) fn refused(home: &Home, person: u32, me: u32) -> Option<Refused> {
    if me == person { read(home, me).err() } else { look(home, person) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::fs;

    #[test]
    fn other_readers_are_reported_and_roots_file_is_read_by_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        let path = home.hub_env();
        fs::put(&path, fs::PRIVATE, b"A=1\n").unwrap();
        let me = fs::owner(&path).unwrap();
        assert_eq!(read(&home, me).unwrap().remarks, [""; 0]);
        fs::set_mode(&path, 0o640).unwrap();
        let (file, said) = (path.display(), read(&home, me).unwrap().remarks);
        assert_eq!(said, [format!("{file} can be read by other users (mode 0640): chmod 600 {file}")]);
        assert_eq!([may_have(0, 0), may_have(0, 1000), may_have(1000, 1000)], [0o600, 0o640, 0o600]);
        // The test runs as root: the file may belong to another user.
        if me == 0 {
            assert_eq!(read(&home, 1000).unwrap().remarks, [""; 0]);
            fs::set_mode(&path, 0o644).unwrap();
            assert!(read(&home, 1000).unwrap().remarks[0].ends_with(&format!(": chmod 640 {file}")));
        }
    }

    /// With more rights than the owner of the home, metadata is read and nothing is opened.
    #[test]
    fn another_users_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        fs::put(&home.hub_env(), fs::PRIVATE, b"A=\0\n").unwrap();
        let me = fs::owner(&home.hub_env()).unwrap();
        assert!(refused(&home, me, me).is_some(), "the content counts if it is read");
        assert_eq!(refused(&home, me, me + 1), None);
        fs::set_mode(&home.hub_env(), 0o602).unwrap();
        let told = refused(&home, me, me + 1).unwrap();
        assert_eq!(
            (told.why.as_str(), told.next),
            ("other users can write it (mode 0602)", format!("chmod 600 {}", home.hub_env().display()))
        );
    }
}
