//! Processes as facts and as targets: who is who, who listens where, and signals that cannot hit a stranger.
//!
//! Must not: decide when to signal (that is the machine), read or write the home.

pub mod id;
