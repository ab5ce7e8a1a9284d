//! Locks within this process. Files are locked in `home::lock`.
//!
//! Pure: every file of this room. Rank 0. It must not know what is guarded.

pub(crate) mod mutex;
