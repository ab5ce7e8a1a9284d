//! The service manager of this host: which one it is, what it reports about our units, and how to run its verbs.
//!
//! ```text
//!   Verb ──verbs (pure)──► Invocation ──runner (edge)──► Output ──parse, explain (pure)──► UnitState, Cause
//! ```

pub(crate) mod autostart;
pub mod backend;
pub(crate) mod cached_runner;
pub(crate) mod capabilities;
pub(crate) mod detect;
pub mod driver;
pub(crate) mod explain;
pub(crate) mod gather;
pub(crate) mod host;
pub mod invocation;
pub mod launchd;
pub(crate) mod operation;
pub(crate) mod runner;
pub mod state;
pub mod systemd;
#[cfg(test)]
mod testing;
mod tool;
