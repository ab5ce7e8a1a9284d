//! Processes as facts and as targets: who is who, who listens where, and signals that cannot hit a stranger.
//!
//! ```text
//! table (who runs)  ports (who listens)        facts, read at once, no cache
//!      │                  │
//!    life (which of them belong to one life?)  attribution (is the holder an earlier instance?)   pure
//!      │                  │
//!    holder (who has a port, and what may be typed about it)                                     pure, `look` apart
//!    group (signals, by identity only)   spawn (a child and its end)                              edges
//!                         │
//!                        os (the only unsafe, the only `cfg(target_os)`), in words of system
//! ```
//!
//! Must not: decide when to signal (that is the machine), read or write the home.

pub mod attribution;
pub mod detached;
pub mod ending;
pub mod files;
pub mod group;
pub mod handed;
pub mod hangup;
pub mod heap;
pub mod holder;
pub mod id;
pub mod kin;
pub mod life;
pub mod marks;
pub mod mounts;
pub mod person;
pub mod ports;
pub mod raw;
pub mod signal;
pub mod spawn;
pub mod standby;
pub mod system;
pub mod table;
#[cfg(test)]
mod testing;
pub mod text;
pub mod unsure;

#[cfg_attr(target_os = "linux", path = "os/linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "os/macos/mod.rs")]
mod os;
