//! Where an installation lives. In the system scope nothing inside a person's home is written by root: a link there
//! could lead anywhere.

use std::path::{Path, PathBuf};

use crate::home::paths::Home;
use crate::manager::backend::Manager;
use crate::unit::bind::SYSTEM_BINARY;
use crate::unit::target::Target;

/// Directories of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Journal, receipt and saved files.
    pub state: PathBuf,
    /// The program that the unit runs: a path that neither an upgrade nor a moved checkout strands.
    pub program: PathBuf,
    /// Directories that must be there, parents first, with the mode of those that are made.
    pub dirs: Vec<(PathBuf, u32)>,
}

/// Of the system scope: root's own.
const SYSTEM_STATE: &str = "/var/lib/parachute";

/// Where the hub of this home is installed by this manager. `above` is the person's home directory: what lies above
/// it is never made.
#[must_use]
pub fn layout(manager: &Manager, home: &Home, above: &Path) -> Layout {
    let mut dirs = Vec::new();
    if manager.is_system() {
        let program = PathBuf::from(SYSTEM_BINARY);
        dirs.extend(program.parent().map(|dir| (dir.to_owned(), 0o755)));
        if manager.target().writes_log_file() {
            dirs.push((PathBuf::from(SYSTEM_LOGS), 0o755));
        }
        return Layout { state: SYSTEM_STATE.into(), program, dirs };
    }
    let mut unit_dirs: Vec<PathBuf> = manager
        .dir()
        .ancestors()
        .take_while(|dir| dir.starts_with(above) && *dir != above)
        .map(Path::to_path_buf)
        .collect();
    unit_dirs.reverse();
    if unit_dirs.is_empty() {
        // `$HOME` or `$XDG_CONFIG_HOME` leads out of the person's home.
        unit_dirs.push(manager.dir().to_owned());
    }
    dirs.push((home.root().to_owned(), 0o700));
    dirs.push((home.bin_dir(), 0o700));
    if manager.target().writes_log_file() {
        dirs.push((home.hub_dir(), 0o700));
        dirs.push((home.hub_logs(), 0o700));
    }
    dirs.extend(unit_dirs.into_iter().map(|dir| (dir, 0o755)));
    Layout { state: home.install_dir(), program: home.bin_dir().join("parachute"), dirs }
}

/// Where a manager writes what a hub prints, if it writes that to a file.
#[must_use]
pub fn log_dir(target: &Target, home: &Home) -> PathBuf {
    if target.is_system() { SYSTEM_LOGS.into() } else { home.hub_logs() }
}

/// launchd's own log of a daemon.
const SYSTEM_LOGS: &str = "/Library/Logs/Parachute";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::backend::{Domain, Launchd, Systemd};
    use crate::unit::target::Scope;

    #[test]
    fn what_is_made_lies_below_the_person_or_belongs_to_root() {
        let home = Home::at("/home/ann/.parachute".into());
        let user = Manager::Systemd(Systemd {
            scope: Scope::User,
            version: 252,
            dir: "/home/ann/.config/systemd/user".into(),
            runtime_dir: None,
        });
        let got = layout(&user, &home, Path::new("/home/ann"));
        let dirs: Vec<String> =
            got.dirs.iter().map(|(dir, mode)| format!("{mode:o} {}", dir.display())).collect();
        assert_eq!(
            dirs,
            [
                "700 /home/ann/.parachute",
                "700 /home/ann/.parachute/bin",
                "755 /home/ann/.config",
                "755 /home/ann/.config/systemd",
                "755 /home/ann/.config/systemd/user",
            ]
        );
        assert_eq!(got.program, Path::new("/home/ann/.parachute/bin/parachute"));
        let got = layout(&user, &home, Path::new("/nonexistent"));
        assert_eq!(got.dirs.last(), Some(&("/home/ann/.config/systemd/user".into(), 0o755)));
        assert_eq!(got.dirs.len(), 3, "the step that makes it makes what is missing above it: {got:?}");
        let daemon =
            Manager::Launchd(Launchd { domain: Domain::System, dir: "/Library/LaunchDaemons".into() });
        let got = layout(&daemon, &home, Path::new("/home/ann"));
        assert!(got.dirs.iter().all(|(dir, _)| !dir.starts_with("/home")), "{got:?}");
        assert!(!got.state.starts_with("/home") && !got.program.starts_with("/home"));
    }
}
