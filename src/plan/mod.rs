//! Every change to the machine is a plan: a list of steps that can be shown, performed, finished or undone after a
//! crash, and undone at any later time.
//!
//! ```text
//!   planner ──► Plan ──► show ──► the user agrees
//!                │
//!                ▼            for each step: observe ► journal ► perform ► observe ► journal
//!             executor ─────► what to do with a step: recovery (pure)          │ all done
//!                │ failed, or cut off by a crash                               ▼
//!                └──► finished or rolled back, by inverse (pure) ◄── undo_plan ── receipt: what is installed
//! ```
//!
//! [`host`] is the machine behind a trait: `host/real.rs` is the real one, and tests have a model (`tests/it/plan`).
//! This room must not decide what to install, print, or change anything outside of a step.

mod commands;
pub mod content;
pub mod daemon;
pub mod events;
pub mod executor;
pub mod fault;
pub mod host;
mod inverse;
pub mod journal;
pub mod observed;
#[expect(clippy::module_inception, reason = "the file of the type that gives the room its name")]
mod plan;
pub mod receipt;
pub mod recovery;
pub(crate) mod redact;
pub mod run_options;
pub mod show;
pub mod step;
mod summary;

pub use self::executor::{OnStuck, Remaining, Rollback, resume, roll_back, run};
pub use self::inverse::{UndoScope, undo_plan};
pub use self::plan::{Note, Plan, Promise, Verb};
