//! The terminal: how things are shown, not what they mean. Independent of parachute.

pub mod diff;
pub mod progress;
pub mod prompt;
pub mod style;
pub mod table;
pub mod terminal;
pub mod text;
