//! systemd: what is asked of it, what it answers, what its answers mean, and how long a verb is waited for. All pure.

pub mod exit;
pub mod explain;
pub mod operation;
pub mod parse;
#[cfg(test)]
pub(crate) mod testing;
pub mod verbs;
