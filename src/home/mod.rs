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

pub mod definition;
pub mod document;
pub mod env_file;
pub mod files;
pub mod fs;
pub mod hub_env;
pub mod lock;
pub mod mark;
pub mod module_json;
pub mod nofollow;
pub mod paths;
pub mod registration;
pub mod rename;
pub mod services;
pub mod settings;
pub mod trusted;
