//! The files below the home: their paths, how they are read with a size limit, and how they are written so
//! that a crash or a second writer loses nothing.
//!
//! It must not decide about a module's state, start or signal a process, or print.
//!
//! ```text
//! definition (what one start needs)      registration (add, remove)
//!    │                                        │
//! services ─ document   module_json   env_file   hub_env   settings
//!    │                                        │
//!    └─ fs, nofollow, trusted, rename, lock (the edges) ┘
//! ```

pub(crate) mod definition;
pub mod document;
pub(crate) mod env_file;
pub(crate) mod files;
pub(crate) mod fs;
pub(crate) mod hub_env;
pub(crate) mod lock;
pub(crate) mod mark;
pub(crate) mod module_json;
pub(crate) mod nofollow;
pub(crate) mod paths;
pub(crate) mod registration;
pub(crate) mod rename;
pub(crate) mod services;
pub(crate) mod settings;
pub(crate) mod trusted;
