//! Every change to the machine is a plan: a list of steps that can be shown, run, journalled, finished or taken
//! back after a crash, and taken back for good years later.
//!
//! ```text
//!   planner ──► Plan ──show (pure)──► a person says yes
//!                │
//!                ▼            observe ► journal ► perform ► observe ► journal          receipt
//!               run ──────► for each step, by standing and matrix (pure) ────────────► (what is installed)
//!                │ fails, is killed                                                       │
//!                └────────► resume or take back, by inverse (pure) ◄──────────────────────┘ uninstall
//! ```
//!
//! `host` is the seam: `machine` is the real one, `world` a model for tests. Must not: decide what to install, print,
//! or change anything that is not a step.

pub mod before;
pub mod commands;
pub mod content;
pub mod daemon;
pub mod fault;
pub mod host;
pub mod inverse;
pub mod journal;
#[cfg(test)]
mod laws;
pub mod log;
pub mod machine;
mod mask;
pub mod matrix;
#[cfg(test)]
mod moves;
pub mod receipt;
pub mod resume;
pub mod run;
pub mod show;
pub mod standing;
pub mod step;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod tests;
mod undo;
pub mod watch;
pub mod whole;
#[cfg(test)]
mod world;

pub use self::inverse::{Take, inverse_of};
pub use self::resume::{resume, roll_back};
pub use self::run::run;
pub use self::undo::{Left, Stuck, Undo};
pub use self::whole::{Note, Plan, Promise, Verb};
