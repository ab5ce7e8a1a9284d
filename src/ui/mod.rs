//! The terminal: how things are shown, not what they mean. Independent of parachute.

pub(crate) mod diff;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod text;
