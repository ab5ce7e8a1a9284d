//! `<HOME>/hub.env` on disk: environment, and secrets, of a hub that a manager keeps and of its modules.
//!
//! The hub reads it itself, as the user it runs as, in every scope. A manager that read it (`EnvironmentFile=`) would open
//! a path that a person controls with the manager's own rights: behind a link lie files that only root may read, and a
//! FIFO stops PID 1 for good. What is not used is *refused*: no module starts without what the file holds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths::Home;
use super::shell::quoted;
use super::trusted::{self, Distrust, Trusted};
use crate::module::hub_env::{self, Parsed};
use crate::module::problem::{Kind, Problem};
use crate::module::stamp::Stamp;

/// Largest file that is read: no program can be given more environment (execve(2), a quarter of an 8 MiB stack).
pub const LIMIT: u64 = 1024 * 1024;

/// Why the file is not used, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{} is refused: {why}", path.display())]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
    /// The command to type.
    pub next: String,
}

impl Refused {
    fn new(path: &Path, me: u32, distrust: &Distrust) -> Self {
        let file = quoted(path);
        let next = match distrust {
            // A file of one's own with the same bytes takes its place, if they may be read.
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

    /// What a module that is not started because of it is told.
    #[must_use]
    pub fn problem(&self, at: Stamp) -> Problem {
        let text = format!("{self}. No module is started without what it holds.");
        Problem::new(Kind::BadDefinition, text, at).next(self.next.clone())
    }
}

/// What the file says to a hub that runs as `me`; nothing if there is none. What is odd and hinders nothing is in its
/// remarks, a sentence each.
///
/// # Errors
/// [`Refused`].
pub fn read(home: &Home, me: u32) -> Result<Parsed, Refused> {
    let path = home.hub_env();
    let refused = |distrust| Refused::new(&path, me, &distrust);
    let Some(Trusted { bytes, mode }) = trusted::read(&path, me, LIMIT).map_err(refused)? else {
        return Ok(Parsed::default());
    };
    if bytes.contains(&0) {
        // No program can be given such a variable; usually what a power cut leaves of a file.
        let file = quoted(&path);
        let (why, next) = ("it contains NUL bytes".to_owned(), format!("mv {file} {file}.refused"));
        return Err(Refused { path, why, next });
    }
    let mut parsed = hub_env::parse(&bytes);
    for remark in &mut parsed.remarks {
        *remark = format!("{}: {remark}", path.display());
    }
    if mode & 0o044 != 0 {
        let text = format!(
            "{} can be read by others (mode {mode:04o}): chmod 600 {}",
            path.display(),
            quoted(&path)
        );
        parsed.remarks.insert(0, text);
    }
    Ok(parsed)
}

/// Whether a hub that runs as `person` would refuse it, as far as that can be told by somebody else, who does not open it.
#[must_use]
pub fn look(home: &Home, person: u32) -> Option<Refused> {
    let path = home.hub_env();
    trusted::look(&path, person, LIMIT).err().map(|distrust| Refused::new(&path, person, &distrust))
}

/// The same for whoever asks: `me` reads what is their own, and only looks at what is another's.
#[must_use]
pub fn refused(home: &Home, person: u32, me: u32) -> Option<Refused> {
    if me == person { read(home, me).err() } else { look(home, person) }
}
