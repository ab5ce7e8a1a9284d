//! Processes as facts and as targets: who is who, who listens where, and signals that cannot hit a stranger.
//!
//! Must not: decide when to signal (that is the machine), read or write the home.

pub mod attribution;
pub mod group;
pub mod id;
pub mod ports;
pub mod spawn;
pub mod table;

#[cfg_attr(target_os = "linux", path = "os/linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "os/macos.rs")]
mod os;
