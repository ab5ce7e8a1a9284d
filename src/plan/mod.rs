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
//! `host` is the seam: `host/real.rs` is the real one, and tests have a model. Must not: decide what to install, print,
//! or change anything that is not a step.

pub mod commands;
pub mod content;
pub mod daemon;
pub mod events;
pub mod executor;
pub mod fault;
pub mod host;
pub mod inverse;
pub mod journal;
pub mod matrix;
pub mod observed;
#[expect(clippy::module_inception, reason = "the file of the type that gives the room its name")]
mod plan;
pub mod receipt;
pub mod recovery;
mod redact;
pub mod run_options;
pub mod show;
pub mod step;

pub use self::executor::perform::run;
pub use self::executor::roll_back::{Left, Stuck, Undo};
pub use self::executor::{resume, roll_back};
pub use self::inverse::{Take, inverse_of};
pub use self::plan::{Note, Plan, Promise, Verb};
