//! The context of a verb: read once from the process, then passed as an argument.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads environment, directory, clock and program path, once a run"
)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ValueEnum;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::api::client::Client;
use crate::home::paths::Home;
use crate::module::timestamp::Timestamp;
use crate::process::this_process::hangup;
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;

use super::error::{CliError, ExitKind};

/// When to colour
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// In a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The context of one run.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The home, absolute.
    pub home: Home,
    /// Whether `--home` or `$PARACHUTE_HOME` named it.
    pub home_named: bool,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// This program.
    pub exe: PathBuf,
    /// The current directory.
    pub cwd: PathBuf,
    /// Colours of standard output.
    pub style: Style,
    /// Whether a user can answer a question.
    pub interactive: bool,
    /// Whether the process has a controlling terminal.
    pub has_terminal: bool,
    /// The time at the start of the verb.
    pub now: Timestamp,
    /// How often `-v` was typed.
    pub verbose: u8,
}

impl Context {
    /// Reads the context.
    ///
    /// # Errors
    /// No home can be found.
    pub(crate) fn read(home: Option<&Path>, color: Color, verbose: u8) -> Result<Self, CliError> {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let root = home_root(home, &env, &cwd)?;
        let named = |path: &OsStr| !path.is_empty();
        let home_named = home.is_some_and(|path| named(path.as_os_str()))
            || env.get(OsStr::new("PARACHUTE_HOME")).is_some_and(|path| named(path));
        let terminal = Terminal;
        Ok(Self {
            home: Home::at(root),
            home_named,
            exe: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("parachute")),
            style: style(color, &env, terminal.out_is_terminal()),
            interactive: terminal.in_is_terminal() && terminal.out_is_terminal(),
            // Under nohup(1) the terminal cannot end the hub.
            has_terminal: !hangup::is_ignored()
                && open("/dev/tty", OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())
                    .is_ok(),
            now: Timestamp::of(SystemTime::now()),
            verbose,
            env,
            cwd,
        })
    }

    /// The local date at the start of the verb: `2026-03-01`. Rarely needed, so the
    /// time zone (`$TZ`, else the system's) is not read for every verb.
    #[must_use]
    pub(crate) fn today(&self) -> String {
        let ms = i64::try_from(self.now.0).unwrap_or_default();
        let now = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        now.to_zoned_datetime(jiff::tz::TimeZone::system()).date().to_string()
    }

    /// A client of this home's hub.
    #[must_use]
    pub(crate) fn client(&self) -> Client {
        Client::new(self.home.socket())
    }
}

/// `--home`, else `$PARACHUTE_HOME`, else `~/.parachute`. Relative paths start at the current directory.
fn home_root(
    given: Option<&Path>,
    env: &BTreeMap<OsString, OsString>,
    cwd: &Path,
) -> Result<PathBuf, CliError> {
    let var = |name: &str| env.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from);
    let given = given.filter(|path| !path.as_os_str().is_empty()).map(Path::to_path_buf);
    let root =
        given.or_else(|| var("PARACHUTE_HOME")).or_else(|| var("HOME").map(|home| home.join(".parachute")));
    root.map(|root| cwd.join(root)).ok_or_else(|| {
        CliError::new(ExitKind::Usage, "no home: neither --home nor $PARACHUTE_HOME nor $HOME is set")
            .hint("parachute --home DIR …")
    })
}

/// <https://no-color.org>: any non-empty value disables colours.
fn style(color: Color, env: &BTreeMap<OsString, OsString>, terminal: bool) -> Style {
    let no_color = env.get(OsStr::new("NO_COLOR")).is_some_and(|value| !value.is_empty());
    let dumb = env.get(OsStr::new("TERM")).is_some_and(|term| term == "dumb");
    match color {
        Color::Always => Style::COLOUR,
        Color::Never => Style::PLAIN,
        Color::Auto if terminal && !no_color && !dumb => Style::COLOUR,
        Color::Auto => Style::PLAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_the_sources_of_the_home() {
        let env = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let root = |given: Option<&str>, pairs: &[(&str, &str)]| {
            home_root(given.map(Path::new), &env(pairs), Path::new("/cwd")).ok()
        };
        let both = [("PARACHUTE_HOME", "/p"), ("HOME", "/h")];
        assert_eq!(root(Some("/x"), &both), Some("/x".into()));
        assert_eq!(root(None, &both), Some("/p".into()));
        assert_eq!(root(None, &[("PARACHUTE_HOME", ""), ("HOME", "/h")]), Some("/h/.parachute".into()));
        assert_eq!(root(Some("rel"), &both), Some("/cwd/rel".into()));
        assert_eq!(root(None, &[]), None);
    }

    #[test]
    fn when_to_colour() {
        let none = BTreeMap::new();
        let no: BTreeMap<_, _> = [("NO_COLOR".into(), "1".into())].into();
        assert_eq!(style(Color::Auto, &none, true), Style::COLOUR);
        assert_eq!(style(Color::Auto, &none, false), Style::PLAIN);
        assert_eq!(style(Color::Auto, &no, true), Style::PLAIN);
        assert_eq!(style(Color::Always, &no, false), Style::COLOUR);
    }
}
