//! `add` and `remove`: turn a command into a module, and undo it.
//!
//! The row is written last and removed first, so that a row never points to missing files.

mod add;
mod add_error;
mod available;
mod remove;

pub(crate) use self::add::{NewModule, Occupied, add};
pub(crate) use self::add_error::AddError;
pub(crate) use self::available::available;
pub(crate) use self::remove::{RemoveError, remove};
