//! Limits the memory that the allocator keeps.

use crate::process::os;

/// Makes the allocator return freed memory to the system, for a process that runs for months. To be called before the
/// first thread starts. Returns whether it was possible; only memory usage depends on it.
///
/// By default glibc gives each thread an arena of its own and raises its thresholds with every large block that
/// is freed (up to 32 MiB), so that a hub that once handled 1 MiB of log lines keeps several MiB for good. One
/// arena costs nothing: the hub's threads allocate rarely and mostly wait. macOS returns freed memory by itself.
pub(crate) fn settle() -> bool {
    os::settle_heap()
}

/// Returns free memory between used blocks to the system: the allocator by itself returns only free memory at the end
/// of its heap, where a process that runs for months nearly always has a used block. Returns whether it was possible.
///
/// Takes about a millisecond for a hub of twenty modules. macOS returns freed memory by itself.
pub(crate) fn trim() -> bool {
    os::trim_heap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(clippy::disallowed_methods, reason = "test: reads the memory of this process")]
    fn pss() -> u64 {
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let kib = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn free_memory_between_used_blocks_is_returned() {
        const BLOCK: usize = 1000;
        let mut blocks: Vec<Option<Vec<u8>>> = (0..100_000).map(|_| Some(vec![1; BLOCK])).collect();
        // Every hundredth block stays, so that the end of the heap is not free.
        for (n, block) in blocks.iter_mut().enumerate().filter(|(n, _)| n % 100 != 99) {
            assert!(block.take().is_some(), "{n}");
        }
        let before = pss();
        assert!(trim());
        let after = pss();
        assert!(after + 50_000_000 < before, "{before} {after}");
        assert_eq!(blocks.iter().flatten().map(Vec::len).sum::<usize>(), 1000 * BLOCK);
    }
}
