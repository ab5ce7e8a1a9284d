//! Resources of this process itself. Everything else in this room is about other processes.

pub mod hangup;
pub mod heap;
pub mod open_files;
