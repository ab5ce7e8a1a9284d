//! How much memory the allocator may keep for itself.

use super::os;

/// Makes the allocator give back what is freed, for a process that runs for months. To be called before the first
/// thread starts. Says whether it could be done; nothing but memory depends on it.
///
/// Left alone, glibc gives each thread an arena of its own and lets its thresholds grow with every large block that
/// is freed (up to 32 MiB), so that a hub that once had to do with 1 MiB of log lines keeps several MiB for good. One
/// arena is no loss: the hub's threads allocate seldom and wait mostly. A macOS allocator gives back by itself.
pub fn settle() -> bool {
    os::settle_heap()
}
