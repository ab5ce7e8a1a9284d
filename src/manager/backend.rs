//! The managers that there are. The one place of this room that tells them apart: what differs between them is asked
//! by `Capabilities`, and answered in each manager's folder. Pure.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::capabilities::Capabilities;

pub use super::launchd::{Domain, Launchd};
pub use super::systemd::Systemd;
pub(crate) use super::systemd::after_end;

/// A manager that runs and answers. The set is closed, so that every match is exhaustive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "manager", rename_all = "snake_case")]
pub enum Manager {
    /// systemd.
    Systemd(Systemd),
    /// launchd.
    Launchd(Launchd),
}

/// The same expression for whichever manager it is: the only `match` on a [`Manager`].
macro_rules! with {
    ($manager:expr, $here:ident => $what:expr) => {
        match $manager {
            $crate::manager::backend::Manager::Systemd($here) => $what,
            $crate::manager::backend::Manager::Launchd($here) => $what,
        }
    };
}
pub(super) use with;

impl Deref for Manager {
    type Target = dyn Capabilities;

    fn deref(&self) -> &(dyn Capabilities + 'static) {
        with!(self, here => here)
    }
}
