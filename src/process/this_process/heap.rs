//! How much memory the allocator may keep for itself.

use crate::process::os;

/// Makes the allocator give back what is freed, for a process that runs for months. To be called before the first
/// thread starts. Says whether it could be done; nothing but memory depends on it.
///
/// Left alone, glibc gives each thread an arena of its own and lets its thresholds grow with every large block that
/// is freed (up to 32 MiB), so that a hub that once had to do with 1 MiB of log lines keeps several MiB for good. One
/// arena is no loss: the hub's threads allocate seldom and wait mostly. A macOS allocator gives back by itself.
pub fn settle() -> bool {
    os::settle_heap()
}

/// Gives back what lies free between what is in use: the allocator by itself gives back only what is free at the end
/// of its heap, and in a process that runs for months something always lies there. Says whether it could be done.
///
/// Takes about a millisecond for a hub of twenty modules. A macOS allocator gives back by itself.
pub fn trim() -> bool {
    os::trim_heap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::table;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn what_lies_free_between_what_is_in_use_is_given_back() {
        const BLOCK: usize = 1000;
        let mut blocks: Vec<Option<Vec<u8>>> = (0..100_000).map(|_| Some(vec![1; BLOCK])).collect();
        // Every hundredth stays, so that nothing is free at the end of the heap.
        for (n, block) in blocks.iter_mut().enumerate().filter(|(n, _)| n % 100 != 99) {
            assert!(block.take().is_some(), "{n}");
        }
        let before = table::own_memory().unwrap();
        assert!(trim());
        let after = table::own_memory().unwrap();
        assert!(after + 50_000_000 < before, "{before} {after}");
        assert_eq!(blocks.iter().flatten().map(Vec::len).sum::<usize>(), 1000 * BLOCK);
    }
}
