//! The directories of an installation. In the system scope root writes nothing inside a user's home: a link there
//! could lead anywhere. Pure.

use std::path::{Path, PathBuf};

use crate::home::paths::Home;
use crate::manager::backend::Manager;
use crate::unit::bind::SYSTEM_BINARY;
use crate::unit::target::Target;

/// Directories of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Journal, receipt and saved files.
    pub state: PathBuf,
    /// The program that the unit runs: a path that stays valid after an upgrade or a moved checkout.
    pub program: PathBuf,
    /// Directories that must exist, parents first, with the mode of new ones.
    pub dirs: Vec<(PathBuf, u32)>,
}

/// For the system scope: owned by root.
const SYSTEM_STATE: &str = "/var/lib/parachute";

/// The directories of this home's hub under this manager. `above` is the user's home directory: nothing above
/// it is created.
#[must_use]
pub(crate) fn layout(manager: &Manager, home: &Home, above: &Path) -> Layout {
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
        // `$HOME` or `$XDG_CONFIG_HOME` leads out of the user's home.
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
pub(crate) fn log_dir(target: &Target, home: &Home) -> PathBuf {
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
    fn new_directories_are_below_the_users_home_or_owned_by_root() {
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
        assert_eq!(got.dirs.len(), 3, "one step creates all missing directories above it: {got:?}");
        let daemon =
            Manager::Launchd(Launchd { domain: Domain::System, dir: "/Library/LaunchDaemons".into() });
        let got = layout(&daemon, &home, Path::new("/home/ann"));
        assert!(got.dirs.iter().all(|(dir, _)| !dir.starts_with("/home")), "{got:?}");
        assert!(!got.state.starts_with("/home") && !got.program.starts_with("/home"));
    }
}
