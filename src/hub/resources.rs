//! Everything that only one hub may have, taken in an order that leaves nothing behind: the lock first, the traces
//! that lead clients here last.

use tokio::net::UnixListener;

use crate::home::lock::Lock;
use crate::home::paths::Home;
use crate::home::settings::{self, Settings};

use super::activation::Handed;
use super::address::Wanted;
use super::listen::{self, Door, Traces};
use super::options::ServeOptions;
use super::serve_error::ServeError;
use super::token;

/// What a hub holds while it lives. Drop the traces before the lock.
#[derive(Debug)]
pub struct Resources {
    /// Of the home.
    pub lock: Lock,
    /// As they were read.
    pub settings: Settings,
    /// The operator token.
    pub token: String,
    /// The control socket.
    pub socket: UnixListener,
    /// The API on TCP.
    pub door: Door,
    /// Removed when dropped.
    pub traces: Traces,
}

impl Resources {
    /// Takes them. What is not as it should be and hinders nothing is noted.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub fn take(
        options: &ServeOptions,
        handed: Option<Handed>,
        notes: &mut Vec<String>,
    ) -> Result<Self, ServeError> {
        let home = &options.home;
        let lock = listen::lock(home)?;
        let settings = read_settings(home);
        let wanted = Wanted::of(options, &settings.hub)?;
        let token = token::take(home)?;
        let socket = listen::socket(home)?;
        let door = match handed {
            Some(handed) => {
                notes.extend(wanted.yield_to(handed.at)?);
                Door::handed(handed)?
            }
            None => Door::bind(home, wanted.host(), wanted.port())?,
        };
        let (traces, written) = Traces::leave(home, door.port);
        notes.extend(written.err().map(|error| error.to_string()));
        Ok(Self { lock, settings, token, socket, door, traces })
    }
}

/// Broken settings must not keep the modules down: defaults serve until they are repaired, and `status` says so for as
/// long as they are.
fn read_settings(home: &Home) -> Settings {
    settings::read(home).unwrap_or_default()
}
