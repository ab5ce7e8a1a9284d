//! The service manager of this host: what it is, what it knows about our units, and how to make it do things.
//!
//! ```text
//!   Verb ──verbs (pure)──► Invocation ──runner (edge)──► Output ──parse, explain (pure)──► UnitState, Cause
//! ```

pub mod detect;
pub mod driver;
pub mod explain;
pub mod gather;
pub mod invocation;
pub mod launchd;
pub mod memo;
pub mod runner;
pub mod settle;
pub mod state;
pub mod survival;
pub mod systemd;
#[cfg(test)]
mod testing;
pub mod which;
