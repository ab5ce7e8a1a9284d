//! Deletes a home (`uninstall --purge`): its content, whether it may be deleted, and the deletion itself.
//!
//! ```text
//! gather (edge) ─► Facts ─► judge (pure) ─► Refusal
//!                    │
//!                    └─ survey ─► list (for a screen) ─ the user says yes ─► tree::delete (edge)
//! ```
//!
//! The directory is opened once, without following a link, and everything is done through that descriptor. No other
//! mount is entered. The mark is deleted last, so that the next run can finish an interrupted deletion.
//!
//! This room must not uninstall anything, ask, or print.

pub(crate) mod facts;
pub(crate) mod gather;
pub(crate) mod judge;
pub(crate) mod tree;
mod walk;

#[cfg(test)]
mod tests;
