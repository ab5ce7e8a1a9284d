//! `<HOME>/hub.toml`: the user's settings. Optional; never written by this program.
//!
//! ```toml
//! [hub]
//! port = 1939
//! host = "127.0.0.1"
//! [logs]                   # every module's log
//! max_bytes = 10485760
//! keep = 5
//! [defaults]               # every module, below its module.json
//! kill_timeout = "10s"
//! [modules.vault]          # one module, above its module.json
//! restart = { max = 10, window = "5m" }
//! liveness = true
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use serde::Deserialize;

use super::fs::{self, FsError};
use super::paths::Home;
use crate::module::compose;
use crate::module::name::Short;
use crate::module::supervise::{Log, Supervise};

/// Largest file that is read.
pub(crate) const LIMIT: u64 = 1024 * 1024;

/// The file. Inside a known table an unknown key is an error; other tables belong to other readers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct HubSettings {
    /// The hub itself.
    pub hub: Hub,
    /// Every module's log.
    pub logs: Log,
    /// Every module.
    pub defaults: Supervise,
    /// One module each, by short name.
    pub modules: BTreeMap<Short, Supervise>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hub {
    /// TCP port.
    pub port: Option<NonZeroU16>,
    /// Address to listen on.
    pub host: Option<IpAddr>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// It is not UTF-8.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A line is wrong.
    #[error("{}, line {line}: {message}", path.display())]
    Bad {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong; names the key.
        message: String,
    },
}

impl HubSettings {
    /// The settings of one module.
    #[must_use]
    pub(crate) fn of(&self, short: &Short) -> compose::Settings<'_> {
        compose::Settings {
            logs: Some(&self.logs),
            defaults: Some(&self.defaults),
            own: self.modules.get(short),
        }
    }
}

/// Reads the settings. No file: all defaults.
///
/// # Errors
/// [`SettingsError`], which names the file, and the line and key where it can.
pub(crate) fn read(home: &Home) -> Result<HubSettings, SettingsError> {
    let path = home.settings();
    let Some(bytes) = fs::read_if_there(&path, LIMIT)? else { return Ok(HubSettings::default()) };
    let Ok(text) = String::from_utf8(bytes) else { return Err(SettingsError::NotText(path)) };
    toml::from_str(&text).map_err(|error| SettingsError::Bad {
        path,
        line: 1 + error.span().map_or(0, |at| text.bytes().take(at.start).filter(|b| *b == b'\n').count()),
        message: error.message().to_owned(),
    })
}

/// The settings in effect. Broken ones must not stop modules: the last valid ones, or the defaults, are used until
/// they are repaired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastGood {
    /// Whether they were read, and the signature of the file; `None`: not yet, or it does not exist.
    read: Option<Option<fs::Signature>>,
    /// Whether the file was ever valid.
    was_good: bool,
    settings: HubSettings,
    broken: Option<String>,
}

impl LastGood {
    /// The settings of the file now, for a caller without an earlier read.
    #[must_use]
    pub(crate) fn of(home: &Home) -> Self {
        let mut first = Self::default();
        first.renew(home);
        first
    }

    /// Reads the file.
    pub(crate) fn renew(&mut self, home: &Home) {
        self.read = Some(fs::signature(&home.settings()));
        match read(home) {
            Ok(settings) => (self.settings, self.was_good, self.broken) = (settings, true, None),
            Err(error) => {
                let counts =
                    if self.was_good { "the last valid settings apply" } else { "the defaults apply" };
                self.broken = Some(format!("{error}; {counts} until it is repaired"));
            }
        }
    }

    /// Reads the file again if it has changed or could not be used.
    pub(crate) fn look(&mut self, home: &Home) {
        if self.broken.is_some() || self.read != Some(fs::signature(&home.settings())) {
            self.renew(home);
        }
    }

    /// The settings in effect.
    #[must_use]
    pub(crate) fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// Why the file is not in effect, and which settings are.
    #[must_use]
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn with(text: &[u8]) -> Result<HubSettings, String> {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        fs::put(&home.settings(), 0o600, text).unwrap();
        read(&home).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), "HOME"))
    }

    #[test]
    fn known_tables_are_read_and_others_left_alone() {
        let text = b"[unit]\nscope = 'x'\n[hub]\nport = 2000\nhost = '::1'\n[logs]\nkeep = 2\n[defaults]\nlisten = true\n\
                     [modules.vault]\nkill_timeout = '9s'\nliveness = { failures = 2 }";
        let settings = with(text).unwrap();
        assert_eq!((settings.hub.port, settings.hub.host), (NonZeroU16::new(2000), "::1".parse().ok()));
        let vault = settings.of(&Short::new("vault").unwrap());
        let span = vault.own.unwrap().kill_timeout.unwrap();
        assert_eq!((span.0, vault.logs.unwrap().keep), (Duration::from_secs(9), Some(2)));
        assert_eq!(settings.of(&Short::new("scribe").unwrap()).own, None);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&Home::at(dir.path().to_owned())).unwrap(), HubSettings::default());
    }

    #[test]
    fn broken_settings_leave_the_last_good_ones_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        let put = |text: &str| fs::put(&home.settings(), 0o600, text.as_bytes()).unwrap();
        put("[hub]\nprot = 1\n");
        let mut kept = LastGood::of(&home);
        assert_eq!(kept.settings(), &HubSettings::default());
        let told = kept.broken().unwrap();
        assert!(
            told.contains("line 2: unknown field `prot`") && told.contains("the defaults apply"),
            "{told}"
        );
        put("[logs]\nkeep = 2\n");
        kept.look(&home);
        assert_eq!((kept.settings().logs.keep, kept.broken()), (Some(2), None));
        put("[logs\n");
        kept.look(&home);
        assert_eq!(kept.settings().logs.keep, Some(2));
        assert!(kept.broken().unwrap().contains("the last valid settings apply"), "{kept:?}");
        fs::remove(&home.settings()).unwrap();
        kept.look(&home);
        assert_eq!((kept.settings(), kept.broken()), (&HubSettings::default(), None));
    }

    #[test]
    fn errors_name_file_line_and_key() {
        for (text, said) in [
            ("[hub]\nprot = 1\n", "HOME/hub.toml, line 2: unknown field `prot`, expected `port` or `host`"),
            ("[logs]\nkeep = 0", "HOME/hub.toml, line 2: invalid value: integer `0`, expected a nonzero u32"),
            (
                "[modules.v.restart]\nlimit = 1",
                "HOME/hub.toml, line 2: unknown field `limit`, expected one of",
            ),
            ("[modules.\"../x\"]\n", "HOME/hub.toml, line 1: module name \"../x\" is not plain"),
            ("[hub]\nport = 70000", "HOME/hub.toml, line 2: invalid value: integer `70000`"),
            ("[hub\n", "HOME/hub.toml, line 1: "),
        ] {
            let error = with(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
        assert_eq!(with(b"\xff").unwrap_err(), "HOME/hub.toml is not UTF-8 text");
    }
}
