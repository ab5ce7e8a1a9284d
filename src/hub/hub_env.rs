//! `hub.env` while a hub runs: the settings that the hub takes from it at its start, and the remarks on it, at any
//! time.
//!
//! Modules get it at each of their starts ([`crate::home::definition`]), so that a repaired file applies at once. No
//! manager reads it: see [`crate::home::hub_env`]. The names that the hub takes are a closed list,
//! [`crate::module::hub_env::SETTINGS`]; `docs/hub-env.md` describes each name.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::home::hub_env::{self as file, Refused};
use crate::home::paths::Home;
use crate::module::env::Env;
use crate::module::hub_env as text;
use crate::process::user;

use super::options::ServeOptions;

/// Of the hub's own settings, the one that a unit also passes as an option.
const PORT: &str = "PORT";

/// The file, for one hub.
#[derive(Debug, Clone)]
pub(crate) struct HubEnv {
    home: Home,
    /// The user as whom it is read; `None`: it is not.
    reads_as: Option<u32>,
    /// The hub's own settings in it at the start.
    settings: Env,
    /// The port was given as an option, which overrides the file.
    port_is_given: bool,
}

impl HubEnv {
    /// Reads it for a hub that starts: the options are returned with the hub's own settings from it. Nothing is taken
    /// from a refused file, and [`Self::refused`] gives the reason as long as it is.
    #[must_use]
    pub(crate) fn begin(mut options: ServeOptions) -> (ServeOptions, Self) {
        // A hub in a terminal gets its environment from the user.
        let reads_as = options.service_manager().is_there().then(user::effective_uid);
        let home = options.home.clone();
        let read = reads_as.and_then(|me| file::read(&home, me).ok()).unwrap_or_default();
        let settings = text::settings(&read.variables);
        // The file overrides the unit's values, as `EnvironmentFile=` overrides `Environment=`.
        options.env.extend(settings.clone());
        let port_is_given = options.port.is_some();
        (options, Self { home, reads_as, settings, port_is_given })
    }

    /// The user as whom it is read before each start of a module; `None`: it is not.
    #[must_use]
    pub(crate) fn reads_as(&self) -> Option<u32> {
        self.reads_as
    }

    /// The file.
    #[must_use]
    pub(crate) fn path(&self) -> PathBuf {
        self.home.hub_env()
    }

    /// Why it is refused now, if it is.
    #[must_use]
    pub(crate) fn refused(&self) -> Option<Refused> {
        file::read(&self.home, self.reads_as?).err()
    }

    /// Its harmless oddities now: one sentence each.
    #[must_use]
    pub(crate) fn notes(&self) -> Vec<String> {
        let Some(Ok(read)) = self.reads_as.map(|me| file::read(&self.home, me)) else { return Vec::new() };
        let (mut notes, path) = (read.remarks, self.path());
        let settings = text::settings(&read.variables);
        if self.port_is_given && settings.contains_key(OsStr::new(PORT)) {
            notes.push(format!("{}: {PORT} is not used: the hub was started with --port", path.display()));
        }
        for name in text::SETTINGS.iter().filter(|name| !(self.port_is_given && **name == PORT)) {
            let key = OsStr::new(name);
            if settings.get(key) != self.settings.get(key) {
                let path = path.display();
                notes.push(format!("{path}: {name} has changed since this hub started: parachute restart"));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::env_file;

    const LAUNCHD: (&str, &str) = ("XPC_SERVICE_NAME", "computer.parachute.hub");
    const SYSTEMD: (&str, &str) = ("NOTIFY_SOCKET", "/n");

    struct World(tempfile::TempDir);

    impl World {
        fn with(text: &str) -> Self {
            let world = Self(tempfile::tempdir().unwrap());
            world.put(text);
            world
        }

        fn put(&self, text: &str) {
            env_file::put(&self.0.path().join("hub.env"), text.as_bytes()).unwrap();
        }

        fn begin(&self, port: Option<u16>, env: &[(&str, &str)]) -> (ServeOptions, HubEnv) {
            let home = Home::at(self.0.path().to_owned());
            HubEnv::begin(ServeOptions { home, port, ..ServeOptions::bare(env) })
        }
    }

    #[test]
    fn a_hub_under_a_manager_takes_only_its_own_settings() {
        let world =
            World::with("KEY=1\nPARACHUTE_BIND_HOST=0.0.0.0\nPARACHUTE_HOME=/x\nNOTIFY_SOCKET=/x\nPORT=2\n");
        for manager in [LAUNCHD, SYSTEMD] {
            let (options, hub_env) = world.begin(None, &[manager, ("PARACHUTE_BIND_HOST", "127.0.0.1")]);
            let mut wanted =
                ServeOptions::bare(&[manager, ("PARACHUTE_BIND_HOST", "0.0.0.0"), ("PORT", "2")]).env;
            assert_eq!(options.env, wanted);
            wanted.clear();
            assert_eq!(hub_env.reads_as(), Some(user::effective_uid()));
        }
        let (options, hub_env) = world.begin(None, &[("KEY", "mine")]);
        assert_eq!(options.env, ServeOptions::bare(&[("KEY", "mine")]).env, "the terminal's");
        assert_eq!((hub_env.reads_as(), hub_env.notes(), hub_env.refused()), (None, Vec::new(), None));
    }

    #[test]
    fn remarks_follow_the_file() {
        let world = World::with("PARACHUTE_BIND_HOST=127.0.0.1\n");
        let (_, hub_env) = world.begin(Some(1939), &[SYSTEMD]);
        let notes = || {
            let place = format!("{}/", world.0.path().display());
            hub_env.notes().into_iter().map(|note| note.replace(&place, "")).collect::<Vec<_>>()
        };
        assert_eq!(notes(), [""; 0]);
        world.put("export KEY=s3cret\nPORT=2\nPARACHUTE_BIND_HOST=::1\n");
        assert_eq!(
            notes(),
            [
                "hub.env: line 1: not used: it begins with `export`, which is a shell's word",
                "hub.env: PORT is not used: the hub was started with --port",
                "hub.env: PARACHUTE_BIND_HOST has changed since this hub started: parachute restart",
            ]
        );
        world.put("A=\0\n");
        assert_eq!(notes(), [""; 0]);
        let refused = hub_env.refused().unwrap();
        assert!(refused.to_string().ends_with("/hub.env is refused: it contains NUL bytes"), "{refused}");
        assert!(refused.next.starts_with("mv "), "{refused:?}");
    }

    #[test]
    fn nothing_is_taken_from_a_refused_file() {
        let world = World::with("PARACHUTE_BIND_HOST=0.0.0.0\n\0");
        let (options, hub_env) = world.begin(None, &[SYSTEMD]);
        assert_eq!(options.env, ServeOptions::bare(&[SYSTEMD]).env);
        assert!(hub_env.refused().is_some());
    }
}
