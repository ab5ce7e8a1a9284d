//! The command line: one file a verb, in `verbs`. What was typed becomes a report, a report becomes a screen (pure) or
//! JSON.
//!
//! Must not: decide what the hub or the disk decide. A verb asks, waits and tells.

pub mod apply;
pub mod context;
pub mod cutover;
pub mod detached;
pub mod error;
pub mod installation;
mod interrupt;
pub mod manager_view;
mod occupied;
mod offer;
mod orphans;
pub mod outcome;
pub mod output;
mod owned;
mod purge;
pub mod root;
pub mod run;
pub mod standby;
mod verbose;
pub mod verbs;
