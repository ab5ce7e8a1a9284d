//! Processes as facts and as targets: which processes run, which listen where, and signals that reach only proven
//! targets.
//!
//! ```text
//! table (who runs)  ports (who listens)        facts, read at once, no cache
//!      │                  │
//!    membership (which of them belong to one run?)  attribution (is the holder an earlier instance?)   pure
//!      │                  │
//!    holder (who has a port, and what may be typed about it)                                     pure, `look` apart
//!    group (signals, by identity only)   spawn (a child and its end)   fifo (what it writes to)    edges
//!    path_helper (looks at paths that may hang, in a process of its own)                          edge, its parts pure
//!                         │
//!                        os (the only unsafe, the only `cfg(target_os)`), in words of system
//! ```
//!
//! It must not decide when to signal (that is the machine), and must not read or write the home, but for the FIFOs of
//! modules in the directory that its caller names.

pub(crate) mod attribution;
pub(crate) mod cgroup;
pub mod detached;
pub(crate) mod fifo;
pub(crate) mod find_program;
pub(crate) mod group;
pub(crate) mod holder;
pub mod id;
pub(crate) mod inherited_fds;
pub(crate) mod kin;
pub(crate) mod leader;
pub(crate) mod marks;
pub(crate) mod membership;
pub(crate) mod mounts;
pub mod os_bytes;
pub(crate) mod path_helper;
pub(crate) mod ports;
pub(crate) mod reap;
pub(crate) mod signal;
pub(crate) mod spawn;
pub(crate) mod standby;
pub(crate) mod system;
pub(crate) mod table;
pub(crate) mod terminate;
#[cfg(test)]
mod testing;
pub(crate) mod this_process;
pub mod unknown;
pub mod user;

#[cfg_attr(target_os = "linux", path = "os/linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "os/macos/mod.rs")]
mod os;
