//! `parachute doctor`: what is well, what is not, what cannot be told, what to type next, and what can be mended.
//!
//! ```text
//!   gather (reads) ──► DoctorFacts ── checks (pure) ──► Check{id, verdict, message, next, mend}
//!                                                         └─ fix (pure) ──► Plan: shown, agreed, journalled
//! ```
//!
//! Must not: change anything but by a plan, or call a fresh installation ill.

pub mod check;
pub mod checks;
pub mod facts;
pub mod fix;
pub mod gather;
#[cfg(test)]
pub(crate) mod testing;
