//! Limits what the allocator may keep.

/// One arena, and fixed thresholds; see [`crate::process::this_process::heap::settle`].
///
/// Sources: mallopt(3), M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "mallopt is a C function")]
pub(in crate::process) fn settle() -> bool {
    use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};
    const LARGE: c_int = 128 * 1024;
    let settings = [(M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, LARGE)];
    // SAFETY: takes two numbers and changes only the allocator's own settings, under its own lock. What was
    // allocated before stays valid, and is freed as before.
    settings.into_iter().all(|(which, value)| unsafe { mallopt(which, value) } == 1)
}

/// Other C libraries have no such settings.
#[cfg(not(target_env = "gnu"))]
pub(in crate::process) fn settle() -> bool {
    true
}

/// Returns free pages to the system, wherever they are; see [`crate::process::this_process::heap::trim`].
///
/// Source: malloc_trim(3).
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "malloc_trim is a C function")]
pub(in crate::process) fn trim() -> bool {
    // SAFETY: takes a number, and works under the allocator's own lock on free memory only.
    unsafe { nix::libc::malloc_trim(0) };
    true // its result only tells whether any memory was released
}

/// Other C libraries have no such call.
#[cfg(not(target_env = "gnu"))]
pub(in crate::process) fn trim() -> bool {
    true
}
