//! From detached daemons to the supervised hub, and back if anything fails.
//!
//! ```text
//! pidfiles · ports · logs · /proc · manager ─gather─► Legacy ─judge─► whose is it?
//! ```
//!
//! The most dangerous room of the house: what it plans stops things that people depend on. So nothing here signals
//! anybody: it finds, judges and plans, all pure but `gather`, and [`plan`](crate::plan) performs.

pub mod facts;
pub mod gather;
pub mod judge;
pub mod pidfile;
pub mod planner;
pub mod preflight;
pub mod refusal;
pub mod units;
