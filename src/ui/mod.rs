//! The terminal: what a person sees, and nothing about what it means. Knows no word of parachute.

pub mod diff;
pub mod progress;
pub mod prompt;
pub mod style;
pub mod table;
pub mod terminal;
pub mod text;
