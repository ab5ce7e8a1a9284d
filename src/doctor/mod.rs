//! `parachute doctor`: which parts are ok, which are not, which are unknown, the next command, and what can be
//! repaired.
//!
//! ```text
//!   gather (reads) ──► DoctorFacts ── checks (pure) ──► Check{id, verdict, message, next, mend}
//!                                                         └─ fix (pure) ──► Plan: shown, agreed, journalled
//! ```
//!
//! This room must not change anything except by a plan, or report a fault in a fresh installation.

pub mod check;
pub(crate) mod checks;
pub(crate) mod facts;
pub(crate) mod fix;
pub(crate) mod gather;
#[cfg(test)]
pub(crate) mod testing;
