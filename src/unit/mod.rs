//! What to keep running, and how a service manager writes it down. Everything here is pure: names, descriptors,
//! tokens, text.

pub mod name;
pub mod target;
