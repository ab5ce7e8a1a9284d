//! One file a verb: its arguments, what it asks, and its screen (pure) or JSON.
//!
//! A verb uses the helpers beside this folder, and other verbs. None of the helpers but `root` and `run` knows a verb.

pub mod add;
pub mod completions;
pub mod demo_module;
pub mod doctor;
pub mod init;
pub mod logs;
pub mod man;
pub mod migrate;
pub mod remove;
pub mod serve;
pub mod start_stop;
pub mod status;
pub mod uninstall;
pub mod units;
pub mod why;
