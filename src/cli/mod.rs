//! The command line: one file per verb, in `verbs`. Arguments become a report, a report becomes a screen (pure) or
//! JSON.
//!
//! This room must not make decisions of the hub or of the rooms that own the files. A verb asks, waits and reports.

pub(crate) mod apply;
pub(crate) mod context;
pub(crate) mod cutover;
pub(crate) mod detached;
pub mod error;
pub(crate) mod installation;
mod interrupt;
pub(crate) mod manager_view;
mod occupied;
mod offer;
mod orphans;
pub(crate) mod outcome;
pub(crate) mod output;
mod owned;
mod purge;
pub(crate) mod reap;
pub mod root;
pub mod run;
pub(crate) mod standby;
mod verbose;
pub(crate) mod verbs;
