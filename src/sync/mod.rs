//! Locks within this process. Files are locked in `home::lock`.
//!
//! Rank 0. Must not: know what is guarded.

pub(crate) mod mutex;
