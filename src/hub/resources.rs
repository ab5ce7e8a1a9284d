//! The exclusive resources of a hub, taken in an order that leaves nothing behind on a failure: the lock first, the
//! files by which clients find the hub last.

use tokio::net::UnixListener;

use crate::home::lock::Lock;
use crate::home::paths::Home;
use crate::home::settings::{self, HubSettings};

use super::activation::Handed;
use super::address::Wanted;
use super::listen::{self, Door, Traces};
use super::options::ServeOptions;
use super::serve_error::ServeError;
use super::token;

/// The resources of a running hub. Drop the traces before the lock.
#[derive(Debug)]
pub(crate) struct Resources {
    /// The lock of the home.
    pub lock: Lock,
    /// The settings as read.
    pub settings: HubSettings,
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
    /// Takes them; the lock was taken before. Harmless findings become notes.
    ///
    /// # Errors
    /// One of them cannot be taken.
    pub(crate) fn take(
        options: &ServeOptions,
        lock: Lock,
        handed: Option<Handed>,
        notes: &mut Vec<String>,
    ) -> Result<Self, ServeError> {
        let home = &options.home;
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

/// Broken settings must not stop the modules: defaults are used until they are repaired, and `status` reports that
/// meanwhile.
fn read_settings(home: &Home) -> HubSettings {
    settings::read(home).unwrap_or_default()
}
