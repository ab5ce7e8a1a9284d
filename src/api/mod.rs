//! The only interface between hub and clients: the types that both use, and the client itself.
//!
//! Rank 2. Both sides use the same types, so one side reads what the other writes.

pub mod client;
pub(crate) mod token;
pub mod wire;
