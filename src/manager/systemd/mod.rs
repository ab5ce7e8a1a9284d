//! systemd: its commands, their output and its meaning, and how long to wait for a verb. All pure.

pub mod exit;
pub mod explain;
pub mod operation;
pub mod parse;
#[cfg(test)]
pub(crate) mod testing;
pub mod verbs;
