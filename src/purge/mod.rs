//! Deletes a home (`uninstall --purge`): what is in it, whether it may be deleted, and the deletion itself.
//!
//! ```text
//! gather (edge) ─► Facts ─► judge (pure) ─► Refusal
//!                    │
//!                    └─ survey ─► list (for a screen) ─ a person says yes ─► tree::delete (edge)
//! ```
//!
//! The directory is opened once, without following a link, and everything is done by that descriptor. No other mount is
//! entered. The mark goes last, so that a deletion that was broken off can be finished by the next one.
//!
//! Must not: uninstall anything, ask, print.

pub mod facts;
pub mod gather;
pub mod judge;
pub mod tree;
mod walk;

#[cfg(test)]
mod tests;
