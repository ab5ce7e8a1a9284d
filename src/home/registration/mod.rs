//! `add` and `remove`: any command becomes a module, and back.
//!
//! The row is written last and removed first, so that a row never points at nothing.

mod add;
mod remove;

pub use self::add::{AddError, Added, NewModule, Occupied, add};
pub use self::remove::{RemoveError, Removed, remove};
