//! Supervises the modules: for each of them one state machine, and one actor that does what it says.
//!
//! ```text
//! requests ─┐                                        ┌─► spawn, signal, drain   (process)
//! host ─────┼─► Machine::on(event, now) ─► effects ──┼─► note, tail             (logs)
//! deadline ─┘        pure                            ├─► ledger, last failure   (home)
//!                                                    └─► replies, snapshots     (supervisor, hub)
//! ```
//!
//! `machine` and `restart_policy` decide on `state` and `event`, and say it as `effect`; `actor` does it. `start_checks`
//! asks what must hold before every start, `readiness` and `health` watch a run, `remnants` finds what is left of it.
//! `supervisor` keeps all actors in step with services.json. Must not: know HTTP, print, or leave a child that is not
//! in the `ledger`: that is how the next hub finds it.

/// The target of events that are the supervisor's words about one module; the field `module` names it. They are written as
/// `[supervisor] web: …`.
pub const MODULE: &str = "parachute::module";

mod actor;
mod actor_context;
pub mod clock;
mod config_cache;
pub mod effect;
pub mod event;
mod failure_file;
pub(crate) mod handle;
mod health;
pub mod ledger;
pub mod machine;
mod readiness;
mod remnants;
mod resolve_program;
mod restart_policy;
pub mod snapshot;
mod start_checks;
pub mod state;
#[expect(clippy::module_inception, reason = "the file is named for what it holds")]
pub mod supervisor;
