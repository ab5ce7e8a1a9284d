//! `parachute doctor`: what is well, what is not, what cannot be told, and what to type next.
//!
//! ```text
//!   gather (reads) ──► DoctorFacts ──checks (pure)──► Check{id, verdict, message, next}
//!                           └───────fix (pure)──────► Plan, shown and run like every other
//! ```

pub mod check;
pub mod checks;
pub mod facts;
pub mod fix;
pub mod gather;
#[cfg(test)]
pub(crate) mod testing;
