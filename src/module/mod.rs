//! What a module is: names, ports, rows, the known table, `module.json`, and everything one start needs.
//!
//! Pure: every file of this room. Rank 0: no file, process, clock or socket is touched here. `home` reads the bytes,
//! this room interprets them.
//!
//! ```text
//! row ─► rows (which become modules) ─┐
//! manifest, known, supervise, env, origin ─► compose ─► launch
//! ```

pub mod compose;
mod config_schema;
pub mod dependency;
pub mod env;
pub mod exit_status;
pub mod failure;
pub mod fields;
pub mod hub_env;
pub mod known;
pub mod launch;
pub mod manifest;
pub mod name;
pub mod origin;
pub mod port;
pub mod problem;
pub mod row;
pub mod rows;
pub mod shell;
pub mod supervise;
pub mod timestamp;
