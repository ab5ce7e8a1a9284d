//! Owns the modules: one state machine and one actor each.
//!
//! ```text
//! commands ─┐                                        ┌─► spawn, signal, drain   (process)
//! host ─────┼─► Machine::on(event, now) ─► effects ──┼─► note, tail             (logs)
//! deadline ─┘        pure                            ├─► ledger, last failure   (home)
//!                                                    └─► replies, snapshots     (set, hub)
//! ```
//!
//! `machine` and `budget` decide; `actor` performs; `gate` asks what must hold before any
//! spawn; `set` keeps all actors in step with services.json. Must not: know HTTP, print, or outlive a kill of the
//! hub without a ledger entry for every child.

pub mod actor;
pub mod actor_context;
pub mod clock;
pub mod handle;
pub mod health;
pub mod ledger;
pub mod machine;
pub mod readiness;
pub mod remnants;
pub mod resolve_program;
pub mod restart_policy;
pub mod snapshot;
pub mod start_checks;
pub mod state;
#[expect(clippy::module_inception, reason = "the file is named for what it holds")]
pub mod supervisor;
