//! From detached daemons to the supervised hub, and back if anything fails; and leftovers of an older version at the
//! root of the home, into the archive and back.
//!
//! ```text
//! pidfiles · ports · logs · /proc · manager ─gather─► Legacy ─judge─► which are ours? ─planner─► Plan
//! leftovers at the root of the home         ─sweep──► Leftovers ────── archive ────────────► Plan
//! ```
//!
//! The most dangerous room: its plans stop services that users depend on. So nothing here signals
//! a process or moves a file: it finds, decides and plans, and [`plan`](crate::plan) performs. `gather`, `preflight`,
//! `sweep` and `guard` read; everything else is pure.

pub mod archive;
pub mod facts;
pub mod gather;
pub mod guard;
pub mod judge;
pub mod pidfile;
pub mod planner;
pub mod preflight;
pub mod process_title;
pub mod refusal;
pub mod sweep;
pub mod units;
