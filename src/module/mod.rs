//! What a module is: names, ports, rows, the known table, `module.json`, and everything one start needs.
//!
//! Pure: every file of this room. Rank 0: no file, process, clock or socket is touched here. `home` reads the bytes,
//! this room interprets them.
//!
//! ```text
//! row ─► rows (which become modules) ─┐
//! manifest, known, supervise, env, origin ─► compose ─► launch
//! ```

pub(crate) mod compose;
mod config_schema;
pub(crate) mod dependency;
pub mod env;
pub mod exit_status;
pub(crate) mod failure;
pub(crate) mod fields;
mod fingerprint;
pub mod hub_env;
pub(crate) mod known;
pub mod launch;
pub mod manifest;
pub mod name;
pub(crate) mod origin;
pub(crate) mod port;
pub(crate) mod problem;
pub mod row;
pub(crate) mod rows;
pub(crate) mod shell;
pub(crate) mod supervise;
pub mod timestamp;
