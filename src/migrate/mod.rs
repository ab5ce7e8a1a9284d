//! What an older version left at the root of the home: into the archive, and back.
//!
//! ```text
//!   sweep (reads, links as links) ──► Leftovers ── archive (pure) ──► Plan
//!   guard (reads) ──► who uses the home, so that nothing is moved
//! ```
//!
//! Must not: change anything (that is the plan's), print, or delete.

pub mod archive;
pub mod guard;
pub mod sweep;
