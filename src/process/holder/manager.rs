//! The service managers that can hold a port, or keep who does. The one place of this room that tells them apart.
//! Pure.

use serde::{Deserialize, Serialize};

use crate::module::shell::quote as quoted;
use crate::unit::name::UnitName;
use crate::unit::systemd::Systemd;
use crate::unit::target::{Scope, Target};

/// A service manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "manager", rename_all = "snake_case")]
pub enum ServiceManager {
    /// systemd as process 1.
    System,
    /// systemd of one user.
    User {
        /// Whose.
        uid: u32,
        /// Login name, if the password database has one.
        name: Option<String>,
        /// It is the manager of the asking user.
        own: bool,
    },
    Launchd,
    /// Process 1 of a container, or of another init system.
    Init,
}

impl ServiceManager {
    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::System => "systemd (system)".to_owned(),
            Self::User { own: true, .. } => "systemd (user)".to_owned(),
            Self::User { uid, name, .. } => {
                format!("systemd of {}", name.clone().unwrap_or_else(|| format!("user {uid}")))
            }
            Self::Launchd => "launchd".to_owned(),
            Self::Init => "process 1".to_owned(),
        }
    }

    /// How to call it; `reading`: the command only shows something, which needs no root rights.
    pub(super) fn systemctl(&self, root: bool, reading: bool) -> Option<String> {
        let sudo = if root { "" } else { "sudo " };
        match self {
            Self::System if reading => Some("systemctl".to_owned()),
            Self::System => Some(format!("{sudo}systemctl")),
            Self::User { own: true, .. } => Some("systemctl --user".to_owned()),
            // systemctl(1), --machine=: `USER@` is that user's manager on this host.
            Self::User { name, .. } => {
                let name = name.as_ref()?;
                Some(format!("{sudo}systemctl --user --machine={}@", quoted(name)))
            }
            Self::Launchd | Self::Init => None,
        }
    }

    /// The machine's, which keeps a unit that belongs to no user.
    pub(super) fn of_machine() -> Self {
        Self::System
    }

    pub(super) fn of_user(uid: u32, name: Option<String>, own: bool) -> Self {
        Self::User { uid, name, own }
    }

    /// The manager that process `pid` is, by whether it runs systemd or launchd, on a Mac or not; `of_user` is that of the
    /// user whose process it is.
    pub(super) fn of(
        pid: u32,
        is_systemd: bool,
        is_launchd: bool,
        mac: bool,
        of_user: impl FnOnce() -> Self,
    ) -> Option<Self> {
        match pid {
            1 if mac || is_launchd => Some(Self::Launchd),
            1 if is_systemd => Some(Self::System),
            1 => Some(Self::Init),
            _ if is_launchd && mac => Some(Self::Launchd),
            _ if is_systemd => Some(of_user()),
            _ => None,
        }
    }

    /// Whether it keeps units for others, rather than what it was started with.
    pub(super) fn has_units(&self) -> bool {
        !matches!(self, Self::Init)
    }

    /// Whether changing it takes root.
    pub(super) fn takes_root(&self) -> bool {
        matches!(self, Self::System)
    }

    /// Whether it is the manager of the asking user, and answers without root.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::User { own: true, .. })
    }

    /// The name of the user whose manager it is, if that is another user: it accepts commands from that user only.
    pub(super) fn other_person(&self) -> Option<&Option<String>> {
        match self {
            Self::User { own: false, name, .. } => Some(name),
            Self::System | Self::User { .. } | Self::Launchd | Self::Init => None,
        }
    }

    /// How its units are written, and the user below whose home they lie; `None`: they are not to be read from here.
    pub(super) fn readable_units(&self) -> Option<(Target, Option<u32>)> {
        let of = |scope| Target::Systemd(Systemd::oldest(scope));
        match self {
            Self::System => Some((of(Scope::System), None)),
            Self::User { uid, own: true, .. } => Some((of(Scope::User), Some(*uid))),
            Self::User { .. } | Self::Launchd | Self::Init => None,
        }
    }
}

/// The socket that systemd holds for the hub.
pub(super) fn hub_socket() -> String {
    UnitName::hub().socket().systemd()
}

/// The hub's service under systemd.
pub(super) fn hub_service() -> String {
    UnitName::hub().systemd()
}
