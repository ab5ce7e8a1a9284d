//! What a module is: names, ports, the known table, `module.json`, and everything one start needs.
//!
//! Rank 0 and pure: no file, process, clock or socket is touched here. `home` reads the bytes, this
//! room says what they mean.

pub mod ended;
// pub mod env;
// pub mod known;
pub mod failure;
pub mod launch;
// pub mod manifest;
pub mod name;
pub mod port;
pub mod problem;
// pub mod row;
pub mod stamp;
