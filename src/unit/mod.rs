//! What to keep running, and how a service manager writes it down. Names, descriptors, tokens, text. Pure: every
//! file of this room.
//!
//! ```text
//!   units/hub.toml ──descriptor──► Descriptor ──bind(Binding, Overrides)──► Unit
//!                                                                            │ systemd/view, launchd/view
//!   templates/*.tera ◄── embedded ── template ◄── a view, which holds only tokens ◄┘
//! ```
//!
//! A value from outside reaches a template only as a token of its manager's folder, whose constructor escapes or
//! refuses. What differs between managers is a method of [`format::Format`], answered in the manager's folder.

pub mod bind;
pub mod descriptor;
pub mod embedded;
pub mod format;
pub mod launchd;
pub mod name;
pub mod overrides;
pub(crate) mod recognise;
pub mod render;
pub(crate) mod search;
pub mod systemd;
pub mod target;
pub(crate) mod template;
pub mod token;
