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
pub mod budget;
pub mod clock;
pub mod gate;
pub mod handle;
pub mod health;
pub mod ledger;
pub mod machine;
pub mod phase;
pub mod preflight;
pub mod probe;
pub mod reclaim;
pub mod set;
pub mod shared;
pub mod snapshot;
