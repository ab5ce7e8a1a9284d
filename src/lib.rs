//! Parachute gives a person's background services a supervised home.
//!
//! Two wings stand on one ground floor and meet only in [`api`]: on the left what runs, on the right what installs it.
//!
//! ```text
//!                  rank
//! cli                6   one file a verb: arguments → facts → report → screen
//! hub                4   lock → sockets → boot; the HTTP server; shutdown
//!           doctor   5   what is well, what is not, what cannot be told, and what to type
//!           migrate  5   what there is of the detached model, whose it is → the plan of a cutover
//!           purge    4   a home, deleted as a whole: what is in it, and whether it may be
//!           install  4   what is on this machine and what was asked → a plan, or a refusal
//! supervisor         3   one state machine a module (pure), one actor that performs it
//!           plan     3   steps that can be shown, run, journalled and taken back
//! logs               2   bytes → lines → files, rings, followers
//!        api         2   what is said over the socket
//!           manager  2   systemd and launchd: what they know, how to make them do things
//! process home       1   who is who and who listens · what is on disk
//! module ui unit     0   names, manifests · the terminal (knows nothing of parachute) · unit files as text
//! sync               0   locks within the process
//! ```
//!
//! A room imports only rooms of a lower rank; `tests/it/layers.rs` holds the table. Only [`error_chain`] and
//! [`duration`] are no rooms, and any may use them. Decisions are pure functions over plain data; effects live in the few files that
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
