//! Locks within this process. Files are locked in `home::lock`.
//!
//! Rank 0. It must not know what is guarded.

pub(crate) mod mutex;
