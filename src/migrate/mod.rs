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

pub(crate) mod archive;
pub(crate) mod facts;
pub(crate) mod gather;
pub(crate) mod guard;
pub(crate) mod judge;
pub mod pidfile;
pub(crate) mod planner;
pub(crate) mod preflight;
pub(crate) mod process_title;
pub(crate) mod refusal;
pub(crate) mod sweep;
pub(crate) mod units;
