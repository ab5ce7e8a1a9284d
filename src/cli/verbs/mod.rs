//! One file per verb: its arguments, its requests, and its screen (pure) or JSON.
//!
//! A verb uses the helpers beside this folder, and other verbs. Of the helpers only `root` and `run` use verbs.

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
