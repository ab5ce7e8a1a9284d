//! Log lines: from modules to the hub's stdout, to a file, to a ring in memory, and to followers.
//!
//! ```text
//!  a module's pipes ──► pump ──► formatter ─┬─► ring ──► tail · follower    (never held back)
//!    (thread `logs`)      line_splitter     ├─► <short>.log, rotate         (a failing disk is counted)
//!                                           └─► stdout/backlog ──► stdout   (thread `stdout`)
//!  notes of the supervisor (module_log) ────┘ ring and file
//!  lines of the hub itself (collector) ──► hub_log, rotate · stdout, with its priority in the journal
//!  files ──► file_reader: the last lines, since a time · file_follower: as they grow     (no hub needed)
//! ```
//!
//! Everything is bounded: a line is cut at 64 KiB, a ring keeps 64 KiB, the backlog 512 KiB, all pumps share one read
//! buffer, a file is rotated. Only a full backlog blocks modules, and for a second at most (`stdout/backlog.rs`); a
//! slow follower misses lines and learns how many (`follower.rs`). A terminal gets no control characters
//! (`sanitize.rs`). The format of a line on disk and on screens: `line.rs`.
//!
//! Events of `tracing` end here (`hub::diagnostics`), so this room emits none: it writes its own failures itself.
//! This room must not know a module's state, start or stop anything, or decide what is shown about a crash.

pub mod collector;
pub(crate) mod file_follower;
mod file_ops;
pub(crate) mod file_reader;
pub(crate) mod follower;
pub mod formatter;
mod hub_log;
pub mod line;
mod line_splitter;
pub(crate) mod log_entry;
mod log_thread;
pub mod module_log;
mod module_state;
pub mod priority;
pub mod pump;
pub(crate) mod ring;
mod rotate;
pub(crate) mod sanitize;
pub mod stdout;
