//! The only door between the wings: what the hub and its clients say to each other, and the client itself.
//!
//! Rank 2. Both sides use the same types, so a reply that one writes is a reply that the other reads.

pub mod client;
pub mod token;
pub mod wire;
