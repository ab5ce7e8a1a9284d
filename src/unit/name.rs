//! What a unit is called, here and by each service manager.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Longest plain name, bytes: with prefix and suffix it stays far below the 255 of systemd.unit(5).
const MAX: usize = 64;

/// Name of one unit of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnitName {
    name: String,
    part: Part,
}

/// A unit consists of one or two objects of its manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The process: a systemd service, a launchd job.
    Service,
    /// The socket that systemd opens for it. No unit of ours has one; those of an earlier version had.
    Socket,
}

/// Why a text is not a unit name.
#[derive(Debug, thiserror::Error)]
#[error(
    "unit name {0:?} is not plain: it takes a-z, 0-9 and -, begins with a letter, and has at most {MAX} characters"
)]
pub struct BadUnitName(pub String);

impl UnitName {
    /// The service of this plain name.
    ///
    /// # Errors
    /// [`BadUnitName`].
    pub fn new(name: &str) -> Result<Self, BadUnitName> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = name.len() <= MAX
            && name.bytes().all(plain)
            && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if good {
            Ok(Self { name: name.to_owned(), part: Part::Service })
        } else {
            Err(BadUnitName(name.to_owned()))
        }
    }

    /// The hub's service.
    #[must_use]
    pub fn hub() -> Self {
        Self { name: "hub".to_owned(), part: Part::Service }
    }

    /// The socket that belongs to it.
    #[must_use]
    pub fn socket(&self) -> Self {
        Self { name: self.name.clone(), part: Part::Socket }
    }

    /// The service that a socket belongs to; of a service, itself.
    #[must_use]
    pub fn service(&self) -> Self {
        Self { name: self.name.clone(), part: Part::Service }
    }

    /// The plain name: `hub`.
    #[must_use]
    pub fn plain(&self) -> &str {
        &self.name
    }

    /// Which object of the manager it is.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Service => f.write_str(&self.name),
            Part::Socket => write!(f, "{}.socket", self.name),
        }
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            name: String,
            part: Part,
        }
        let raw = Raw::deserialize(deserializer)?;
        let name = Self::new(&raw.name).map_err(serde::de::Error::custom)?;
        Ok(Self { part: raw.part, ..name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_each_manager() {
        let hub = UnitName::hub();
        assert_eq!(
            (hub.systemd(), hub.socket().systemd(), hub.label()),
            (
                "parachute-hub.service".to_owned(),
                "parachute-hub.socket".to_owned(),
                "computer.parachute.hub".to_owned()
            )
        );
        assert_eq!((hub.to_string(), hub.socket().to_string()), ("hub".to_owned(), "hub.socket".to_owned()));
    }

    #[test]
    fn only_plain_names_are_accepted_also_when_deserialised() {
        for bad in ["", "a/b", "..", "Hub", "a b", "a%i", "1a", "a.b", "-a", &"a".repeat(65)] {
            assert!(UnitName::new(bad).is_err(), "{bad}");
        }
        let back = |text: &str| serde_json::from_str::<UnitName>(text);
        let socket = UnitName::hub().socket();
        assert_eq!(back(&serde_json::to_string(&socket).unwrap()).unwrap(), socket);
        assert!(back(r#"{"name":"../x","part":"service"}"#).is_err());
    }
}
