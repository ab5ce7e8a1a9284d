//! The hub's address: from the command line, then the environment, then `hub.toml`, then the default.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};

use crate::home::settings;
use crate::module::port;

use super::activation::ActivationError;
use super::listen;
use super::options::ServeOptions;
use super::serve_error::ServeError;

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given<T> {
    value: T,
    /// `--port`, `PORT`, `hub.toml`.
    by: &'static str,
}

/// The hub's address if no socket was passed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    port: Option<Given<u16>>,
    host: Option<Given<String>>,
}

impl Wanted {
    /// From all sources.
    ///
    /// # Errors
    /// `PORT` is not a port.
    pub(crate) fn of(options: &ServeOptions, from_settings: &settings::Hub) -> Result<Self, ServeError> {
        let var = |name: &str| options.env.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let port = match (options.port, var("PORT")) {
            (Some(value), _) => Some(Given { value, by: "--port" }),
            (None, Some(text)) => {
                let value = text.to_str().and_then(|text| text.parse().ok()).filter(|port| *port > 0);
                let value = value.ok_or_else(|| {
                    let text = text.to_string_lossy();
                    ServeError::Settings(format!("PORT={text} is not a port: use 1 to 65535"))
                })?;
                Some(Given { value, by: "PORT" })
            }
            (None, None) => from_settings.port.map(|port| Given { value: port.get(), by: "hub.toml" }),
        };
        let host = match (&options.host, var("PARACHUTE_BIND_HOST")) {
            (Some(value), _) => Some(Given { value: value.clone(), by: "--host" }),
            (None, Some(text)) => {
                Some(Given { value: text.to_string_lossy().into_owned(), by: "PARACHUTE_BIND_HOST" })
            }
            (None, None) => from_settings.host.map(|ip| Given { value: ip.to_string(), by: "hub.toml" }),
        };
        Ok(Self { port, host })
    }

    /// The port to bind.
    #[must_use]
    pub(crate) fn port(&self) -> u16 {
        self.port.as_ref().map_or(port::HUB, |given| given.value)
    }

    /// The address to bind.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        self.host.as_ref().map_or("127.0.0.1", |given| &given.value)
    }

    /// A passed socket decides. The command line must agree with it; other sources that disagree are
    /// returned as notes.
    ///
    /// # Errors
    /// `--port` or `--host` differs; the host is not an address.
    pub(crate) fn yield_to(&self, held: SocketAddr) -> Result<Vec<String>, ServeError> {
        let mut differs = Vec::new();
        if let Some(port) = self.port.as_ref().filter(|given| given.value != held.port()) {
            differs.push((port.by, port.value.to_string()));
        }
        if let Some(host) = &self.host {
            let ip: IpAddr = listen::address(&host.value)?;
            if ip.to_canonical() != held.ip().to_canonical() {
                differs.push((host.by, host.value.clone()));
            }
        }
        if let Some((by, value)) = differs.iter().find(|(by, _)| by.starts_with("--")) {
            return Err(ActivationError::Elsewhere { asked: format!("{by} {value}"), held }.into());
        }
        let say = |(by, value): (&str, String)| {
            format!("{by} says {value}, and the socket that systemd holds is {held}: the socket counts")
        };
        Ok(differs.into_iter().map(say).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn wanted(port: Option<u16>, env: &[(&str, &str)], set: &settings::Hub) -> Result<Wanted, String> {
        let options = ServeOptions { port, ..ServeOptions::bare(env) };
        Wanted::of(&options, set).map_err(|error| error.to_string())
    }

    #[test]
    fn command_line_then_environment_then_settings_then_default() {
        let set = settings::Hub { port: NonZeroU16::new(3), host: "::1".parse().ok() };
        let none = settings::Hub::default();
        let env = [("PORT", "2"), ("PARACHUTE_BIND_HOST", "localhost")];
        let at = |wanted: Wanted| (wanted.port(), wanted.host().to_owned());
        assert_eq!(at(wanted(Some(1), &env, &set).unwrap()), (1, "localhost".to_owned()));
        assert_eq!(at(wanted(None, &env, &set).unwrap()), (2, "localhost".to_owned()));
        assert_eq!(at(wanted(None, &[("PORT", "")], &set).unwrap()), (3, "::1".to_owned()));
        assert_eq!(at(wanted(None, &[], &none).unwrap()), (1939, "127.0.0.1".to_owned()));
        for bad in ["0", "x", "70000", "-1"] {
            let error = wanted(None, &[("PORT", bad)], &none).unwrap_err();
            assert_eq!(error, format!("PORT={bad} is not a port: use 1 to 65535"));
        }
    }

    #[test]
    fn a_passed_socket_decides_and_a_contradicting_option_is_refused() {
        let none = settings::Hub::default();
        let held = "127.0.0.1:1940".parse().unwrap();
        let yields = |port, env: &[(&str, &str)]| {
            wanted(port, env, &none).unwrap().yield_to(held).map_err(|error| error.to_string())
        };
        assert_eq!(yields(None, &[]).unwrap(), [""; 0], "the default contradicts nothing");
        assert_eq!(yields(Some(1940), &[("PARACHUTE_BIND_HOST", "localhost")]).unwrap(), [""; 0]);
        assert_eq!(
            yields(Some(1939), &[]).unwrap_err(),
            "--port 1939 was asked for, and the socket that systemd holds is 127.0.0.1:1940"
        );
        assert_eq!(
            yields(None, &[("PORT", "1939"), ("PARACHUTE_BIND_HOST", "0.0.0.0")]).unwrap(),
            [
                "PORT says 1939, and the socket that systemd holds is 127.0.0.1:1940: the socket counts",
                "PARACHUTE_BIND_HOST says 0.0.0.0, and the socket that systemd holds is 127.0.0.1:1940: the socket \
                 counts"
            ]
        );
        assert!(yields(None, &[("PARACHUTE_BIND_HOST", "example")]).is_err());
    }
}
