//! Supervises the modules: each has one state machine, and one actor that performs its effects.
//!
//! ```text
//! requests ─┐                                        ┌─► spawn, signal, drain   (process)
//! host ─────┼─► Machine::on(event, now) ─► effects ──┼─► note, tail             (logs)
//! deadline ─┘        pure                            ├─► ledger, last failure   (home)
//!                                                    └─► replies, snapshots     (supervisor, hub)
//! ```
//!
//! `machine` and `restart_policy` decide on `state` and `event`, and return `effect`s; `actor` performs them.
//! `start_checks` checks the preconditions of every start, `readiness` and `health` watch a run, `remnants` finds the
//! processes left of it. `supervisor` keeps all actors in step with services.json. This room must not know HTTP,
//! print, or leave a child that is not in the `ledger`: the next hub finds it there.

/// The target of events that are the supervisor's words about one module; the field `module` names it. They are written as
/// `[supervisor] web: …`.
pub const MODULE: &str = "parachute::module";

mod actor;
mod actor_context;
mod adoption;
pub mod clock;
mod config_cache;
pub mod effect;
pub mod event;
mod failure_file;
pub(crate) mod handle;
mod health;
pub mod ledger;
mod looked;
pub mod machine;
pub(crate) mod output_keeper;
mod path_problem;
mod readiness;
mod remnants;
mod resolve_program;
mod restart_policy;
pub mod snapshot;
mod start_checks;
pub mod state;
#[expect(clippy::module_inception, reason = "the file is named for what it holds")]
pub mod supervisor;
