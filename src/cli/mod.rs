//! The command line: one file per verb, in `verbs`. Arguments become a report, a report becomes a screen (pure) or
//! JSON.
//!
//! This room must not make decisions of the hub or of the rooms that own the files. A verb asks, waits and reports.

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
