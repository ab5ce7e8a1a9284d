//! What modules write: to the hub's stdout, to a file, to a ring in memory, and to whoever follows.
//!
//! ```text
//!  a module's pipes ──► pump ──► batch ──┬─► ring ──► tail · followers     (never held back by anybody)
//!    (one thread, `logs`)  cut, prefix   ├─► <short>.log, rotated          (a failing disk is counted)
//!                                        └─► backlog ──► hub stdout        (one thread, `stdout`)
//!                        supervisor notes ─┘ same three ways
//!  lines of the hub itself ─────────────► hub.log, rotated, and stdout     (`own`)
//!  files ──► read ──► the last lines, since a time, as they grow           (no hub needed)
//! ```
//!
//! Bounded everywhere: a line is cut at 64 KiB, a ring keeps 64 KiB, the backlog 512 KiB, all pumps share one read
//! buffer, a file is rotated. Only a full backlog holds modules back, and for a second at most (`backlog.rs`); a slow
//! follower misses lines and is told how many (`follow.rs`). A terminal is shown no control characters (`tame.rs`). How a line looks on disk and on screen: `line.rs`.
//!
//! Must not: know what a module's state is, start or stop anything, decide what a person is told about a crash.

pub mod collector;
pub mod file_follower;
mod file_ops;
pub mod file_reader;
pub mod follower;
pub mod formatter;
pub mod hub_log;
pub mod line;
mod line_splitter;
pub mod log_entry;
mod module_state;
mod pump;
mod ring;
mod rotate;
pub mod sanitize;
pub mod start;
pub mod stdout;
