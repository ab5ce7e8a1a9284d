//! `parachute doctor`: what is well, what is not, what cannot be told, and what to type next.
//!
//! ```text
//!   gather (reads) ──► DoctorFacts ──checks (pure)──► Check{id, verdict, message, next}
//! ```

pub mod check;
pub mod checks;
pub mod facts;
pub mod gather;
