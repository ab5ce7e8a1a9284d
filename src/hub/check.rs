//! `parachute serve --check`: whether a hub could start here now. Makes the checks of `serve`, and changes nothing.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::Access;
use serde::Serialize;

use crate::error_chain::Hints;
use crate::home::fs;
use crate::home::hub_env;
use crate::home::paths::Home;
use crate::home::settings;
use crate::process::user;

use super::address::Wanted;
use super::listen::{self, ListenError};
use super::options::ServeOptions;
use super::serve_error::ServeError;
use super::token;

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStatus {
    /// As it should be.
    Ok,
    /// Not as it should be, but a hub would start.
    Warn,
    /// A hub would not start.
    Fail,
}

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Stable: `settings`, `env`, `home`, `token`, `hub`, `port`.
    pub id: &'static str,
    /// The result.
    pub verdict: CheckStatus,
    /// The result, as a sentence.
    pub text: String,
    /// The next command to type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    fn ok(id: &'static str, text: impl Into<String>) -> Self {
        Self { id, verdict: CheckStatus::Ok, text: text.into(), next: None }
    }

    fn fail(id: &'static str, error: &ServeError) -> Self {
        let text = match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        Self { id, verdict: CheckStatus::Fail, text, next: error.hint() }
    }
}

/// All results. A hub could start if none of them is [`CheckStatus::Fail`].
#[must_use]
pub(crate) fn check(options: &ServeOptions) -> Vec<Finding> {
    let home = &options.home;
    let (settings, told) = read_settings(home);
    let port = match Wanted::of(options, &settings) {
        Ok(wanted) => port(home, wanted.host(), wanted.port()),
        Err(error) => Finding::fail("port", &error),
    };
    vec![told, environment(home), place(home), operator_token(home), other_hub(home), port]
}

fn read_settings(home: &Home) -> (settings::Hub, Finding) {
    match settings::read(home) {
        Ok(settings) if fs::exists(&home.settings()) => {
            (settings.hub, Finding::ok("settings", format!("{} is good", home.settings().display())))
        }
        Ok(settings) => (settings.hub, Finding::ok("settings", "no hub.toml: defaults apply")),
        Err(error) => {
            let finding = Finding {
                id: "settings",
                verdict: CheckStatus::Warn,
                text: format!("{error}; a hub would use the defaults"),
                next: Some(format!("repair {}", home.settings().display())),
            };
            (settings::Hub::default(), finding)
        }
    }
}

/// `hub.env`, which counts only under a service manager: this command runs in a terminal.
fn environment(home: &Home) -> Finding {
    let path = home.hub_env();
    let file = path.display();
    match hub_env::read(home, user::effective_uid()) {
        Ok(_) if !fs::exists(&path) => Finding::ok("env", "no hub.env"),
        Ok(read) => match read.remarks.first() {
            None => Finding::ok(
                "env",
                format!("{file} is valid; it applies to a hub that a service manager runs"),
            ),
            Some(remark) => Finding {
                id: "env",
                verdict: CheckStatus::Warn,
                text: remark.clone(),
                next: Some("parachute doctor".to_owned()),
            },
        },
        Err(refused) => Finding {
            id: "env",
            verdict: CheckStatus::Warn,
            text: format!("{refused}; a hub under a service manager starts no module without it"),
            next: Some(refused.next),
        },
    }
}

/// The home, or the directory in which it would be created.
fn place(home: &Home) -> Finding {
    let run = home.run_dir();
    let there = [run.as_path(), home.root()].into_iter().chain(home.root().ancestors().skip(1));
    let nearest = there.into_iter().find(|dir| fs::exists(dir)).unwrap_or(Path::new("/"));
    let failed = |source: std::io::Error| {
        let error = ListenError::Home { path: nearest.to_owned(), source };
        Finding::fail("home", &ServeError::Listen(error))
    };
    if !fs::is_dir(nearest) {
        return failed(std::io::Error::from(std::io::ErrorKind::NotADirectory));
    }
    if let Err(errno) = rustix::fs::access(nearest, Access::WRITE_OK | Access::EXEC_OK) {
        return failed(errno.into());
    }
    match listen::socket_fits(home) {
        Ok(()) if nearest.starts_with(home.root()) => {
            Finding::ok("home", format!("{} can be written", home.root().display()))
        }
        Ok(()) => Finding::ok("home", format!("{} would be made", home.root().display())),
        Err(error) => Finding::fail("home", &ServeError::Listen(error)),
    }
}

fn operator_token(home: &Home) -> Finding {
    match token::look(home) {
        Ok(Some(_)) => Finding::ok("token", format!("{} can be read", home.operator_token().display())),
        Ok(None) => Finding::ok("token", format!("{} would be made", home.operator_token().display())),
        Err(error) => Finding::fail("token", &error),
    }
}

/// The lock itself is not tried: a hub that starts at the same time would find it taken. A running hub answers on
/// its socket.
fn other_hub(home: &Home) -> Finding {
    match UnixStream::connect(home.socket()) {
        Ok(_) => Finding::fail("hub", &ServeError::Listen(listen::second_hub(home))),
        Err(_) => Finding::ok("hub", "no other hub runs for this home"),
    }
}

/// A socket that is bound and never listens is not visible, and does not prevent a bind like ours.
fn port(home: &Home, host: &str, port: u16) -> Finding {
    match listen::address(host).and_then(|ip| listen::could_bind(home, host, SocketAddr::new(ip, port))) {
        Ok(()) if port == 0 => Finding::ok("port", format!("{host}: a free port would be taken")),
        Ok(()) => Finding::ok("port", format!("{host}:{port} is free")),
        Err(error) => Finding::fail("port", &ServeError::Listen(error)),
    }
}
