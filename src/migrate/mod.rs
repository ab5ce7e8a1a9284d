//! From detached daemons to the supervised hub, and back if anything fails; and what an older version left at the root
//! of the home, into the archive and back.
//!
//! ```text
//! pidfiles · ports · logs · /proc · manager ─gather─► Legacy ─judge─► whose is it? ─planner─► Plan
//! leftovers at the root of the home         ─sweep──► Leftovers ────── archive ────────────► Plan
//! ```
//!
//! The most dangerous room of the house: what it plans stops things that people depend on. So nothing here signals
//! anybody or moves anything: it finds, judges and plans, and [`plan`](crate::plan) performs. `gather`, `preflight`,
//! `sweep` and `guard` read; everything else is pure.

pub mod archive;
pub mod facts;
pub mod gather;
pub mod guard;
pub mod judge;
pub mod pidfile;
pub mod planner;
pub mod preflight;
pub mod refusal;
pub mod sweep;
pub mod units;
pub mod words;
