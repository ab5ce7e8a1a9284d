//! Parachute gives a person's background services a supervised home.
//!
//! Two wings stand on one ground floor and meet only in [`api`]:
//!
//! ```text
//!            rank
//! cli          6   one file a verb: arguments → facts → report → screen
//! hub          4   lock → sockets → boot; the HTTP server; shutdown
//! supervisor   3   one state machine a module (pure), one actor that performs it
//! logs api     2   bytes → lines → files, rings, followers · what is said over the socket
//! process home 1   who is who and who listens · what is on disk
//! module ui    0   names, manifests, one start's data · the terminal (knows nothing of parachute)
//! ```
//!
//! A room imports only rooms of a lower rank; `tests/it/layers.rs` holds the table. Decisions are pure functions
//! over plain data; effects live in the few files that `tests/it/edges.rs` lists.

pub mod api;
pub mod cli;
pub mod home;
pub mod hub;
pub mod install;
pub mod logs;
pub mod manager;
pub mod module;
pub mod plan;
pub mod process;
pub mod supervisor;
pub mod ui;
pub mod unit;
