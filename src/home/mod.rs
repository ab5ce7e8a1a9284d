//! What is on disk below the home: where it lies, how it is read with a bound, and how it is written so
//! that a crash or a second writer loses nothing.
//!
//! Must not: decide anything about a module's life, start or signal a process, print.
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
