//! Resources of this process itself. Everything else in this room is about other processes.

pub(crate) mod hangup;
pub(crate) mod heap;
pub(crate) mod open_files;
