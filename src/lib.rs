//! Parachute supervises a user's background services.
//!
//! Two columns of rooms share the lower ranks and meet only in [`api`]: on the left the running hub, on the right its
//! installation.
//!
//! ```text
//!                  rank
//! cli                6   one file a verb: arguments → facts → report → screen
//! hub                4   lock → sockets → boot; the HTTP server; shutdown
//!           doctor   5   which parts are ok, which are not, which are unknown, and the next command
//!           migrate  5   the detached model, which parts of it are ours → the plan of a cutover
//!           purge    4   a home, deleted as a whole: its content, and whether it may be deleted
//!           install  4   the facts about this machine and the request → a plan, or a refusal
//! supervisor         3   one state machine a module (pure), one actor that performs it
//!           plan     3   steps that can be shown, run, journalled and undone
//! logs               2   bytes → lines → files, rings, followers
//!        api         2   the types on the control socket
//!           manager  2   systemd and launchd: their state, and how to run their verbs
//! process home       1   which processes run and listen · the files on disk
//! module ui unit     0   names, manifests · the terminal (knows nothing of parachute) · unit files as text
//! sync               0   locks within the process
//! ```
//!
//! A room imports only rooms of a lower rank; `tests/it/layers.rs` holds the table. Only [`error_chain`] and
//! [`duration`] are not rooms, and any may use them. Decisions are pure functions over plain data; effects live in the few files that
//! `tests/it/edges.rs` lists.

pub mod api;
pub mod cli;
pub mod doctor;
pub mod duration;
pub mod error_chain;
pub mod home;
pub mod hub;
pub mod install;
pub mod logs;
pub mod manager;
pub mod migrate;
pub mod module;
pub mod plan;
pub mod process;
pub mod purge;
pub mod supervisor;
pub mod sync;
pub mod ui;
pub mod unit;
