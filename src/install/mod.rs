//! Installing the hub: the facts about this machine, the request, and the plan that leads from the one to the other.
//!
//! ```text
//!   gather (reads) ──► Facts ──┐
//!                              ├─ planner (pure) ──► Plan, or Refusal: what the user must decide first
//!   who (pure) ── Request ─────┘
//! ```
//!
//! Uninstalling is the inverse of the receipts: see [`crate::plan`].

pub mod facts;
pub(crate) mod gather;
pub(crate) mod layout;
pub(crate) mod owner;
pub mod planner;
pub mod refusal;
pub(crate) mod search_path;
pub(crate) mod socket_unit;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod verify;
pub(crate) mod who;
