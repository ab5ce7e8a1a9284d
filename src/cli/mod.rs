//! The command line: one file a verb. What was typed becomes a report, a report becomes a screen (pure) or JSON.
//!
//! Must not: decide what the hub or the disk decide. A verb asks, waits and tells.

pub mod add;
pub mod completions;
pub mod context;
pub mod cutover;
pub mod demo_module;
pub mod doctor;
pub mod error;
mod hub;
pub mod init;
mod interrupt;
mod left;
pub mod legacy;
pub mod logs;
pub mod man;
pub mod managed;
pub mod migrate;
mod occupied;
mod offer;
pub mod ops;
pub mod outcome;
mod owned;
pub mod plans;
mod purge;
#[cfg(test)]
mod reference_tests;
pub mod remove;
pub mod root;
pub mod run;
pub mod said;
pub mod serve;
pub mod site;
pub mod standby;
pub mod status;
pub mod uninstall;
pub mod units;
pub mod why;
