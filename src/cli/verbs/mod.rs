//! One file per verb: its arguments, its requests, and its screen (pure) or JSON.
//!
//! A verb uses the helpers beside this folder, and other verbs. Of the helpers only `root` and `run` use verbs.

pub(crate) mod add;
pub(crate) mod completions;
pub(crate) mod demo_module;
pub(crate) mod doctor;
pub(crate) mod init;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod remove;
pub(crate) mod serve;
pub(crate) mod start_stop;
pub(crate) mod status;
pub(crate) mod uninstall;
pub(crate) mod units;
pub(crate) mod why;
