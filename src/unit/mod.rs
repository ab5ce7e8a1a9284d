//! What to keep running, and how a service manager writes it down. Names, descriptors, tokens, text. Pure: every
//! file of this room.
//!
//! ```text
//!   units/hub.toml ──descriptor──► Descriptor ──bind(Binding, Overrides)──► Unit
//!                                                                            │ view_systemd, view_launchd
//!   templates/*.tera ◄──embedded── render ◄── a view, which holds only tokens ◄┘
//! ```
//!
//! A value from outside reaches a template only as a type of [`token`], whose constructor escapes or refuses.

pub mod bind;
pub mod descriptor;
pub mod embedded;
pub mod name;
pub mod opens;
pub mod overrides;
pub mod recognise;
pub mod render;
pub mod search;
pub mod target;
pub mod token;
mod view_launchd;
mod view_systemd;
