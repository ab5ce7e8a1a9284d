//! The service manager of this host: which one it is, what it reports about our units, and how to run its verbs.
//!
//! ```text
//!   Verb ──verbs (pure)──► Invocation ──runner (edge)──► Output ──parse, explain (pure)──► UnitState, Cause
//! ```

pub mod autostart;
pub mod backend;
pub mod cached_runner;
pub mod capabilities;
pub mod detect;
pub mod driver;
pub mod explain;
pub mod gather;
pub mod host;
pub mod invocation;
pub mod launchd;
pub mod operation;
pub mod runner;
pub mod state;
pub mod systemd;
#[cfg(test)]
mod testing;
mod tool;
