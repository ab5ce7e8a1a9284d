//! This process itself: what the system may take from it and give to it. Everything else in this room looks at others.

pub mod hangup;
pub mod heap;
pub mod open_files;
