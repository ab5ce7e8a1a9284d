//! `add` and `remove`: turn a command into a module, and undo it.
//!
//! The row is written last and removed first, so that a row never points to missing files.

mod add;
mod add_error;
mod available;
mod remove;

pub use self::add::{Added, NewModule, Occupied, add};
pub use self::add_error::AddError;
pub use self::available::available;
pub use self::remove::{RemoveError, Removed, remove};
