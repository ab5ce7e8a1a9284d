//! Why a hub did not start, or ended without being asked to.

use std::path::PathBuf;

use super::activation::ActivationError;
use super::demo::DemoError;
use super::listen::ListenError;
use crate::error_chain::Hints;

/// Why a hub ended without being asked to. `needs_person` maps to exit code 78, else 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The lock, the socket or the port cannot be taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A descriptor passed by systemd cannot be used.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// `PORT` or hub.toml cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The operator token cannot be read or created.
    #[error("the operator token {} cannot be used: {why}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The demo module cannot be added.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The system refuses something that every hub needs.
    #[error("{what}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Modules survived the stop.
    #[error("these modules could not be stopped: {}", .0.join(", "))]
    LeftBehind(Vec<String>),
}

impl ServeError {
    /// Whether a restart cannot help before a user has acted.
    #[must_use]
    pub(crate) fn needs_person(&self) -> bool {
        match self {
            Self::Listen(_)
            | Self::Activation(_)
            | Self::Settings(_)
            | Self::Token { .. }
            | Self::Demo(_) => true,
            Self::System { .. } | Self::LeftBehind(_) => false,
        }
    }
}

impl Hints for ServeError {
    fn hints(&self) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match self {
            Self::Listen(ListenError::SecondHub { .. }) => one("parachute status"),
            Self::Listen(ListenError::PortBusy { occupant, .. }) => {
                let mut hints = occupant.as_ref().map_or_else(Vec::new, |occupant| occupant.hints());
                hints.push("parachute serve --port N     (another port)".to_owned());
                hints
            }
            Self::Listen(ListenError::Bind { .. }) => one("parachute serve --port N"),
            Self::Listen(ListenError::Host(_)) => one("parachute serve --host 127.0.0.1"),
            Self::Listen(ListenError::SocketPath(_)) => {
                one("use a shorter path for the home: `parachute --home DIR serve`")
            }
            Self::Listen(ListenError::Home { path, .. }) | Self::Token { path, .. } => {
                vec![format!("ls -ld {}", path.display())]
            }
            Self::Activation(error) => error.hints(),
            Self::Settings(_) => one("correct it, then `parachute serve`"),
            Self::Demo(_) => one("parachute remove demo"),
            Self::System { .. } => one("parachute serve"),
            Self::LeftBehind(_) => one("ps -ef"),
        }
    }
}
