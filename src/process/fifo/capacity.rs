//! How much a FIFO of a module may hold, so that the FIFOs of all modules leave room for other pipes of the user. Pure.

/// What Linux gives a new pipe with pages of 4 KiB: pipe(7).
const MOST: u64 = 64 * 1024;
/// Each module writes to two.
const EACH: u64 = 2;

/// Bytes for each FIFO: a power of two, at least one page and at most 64 KiB.
///
/// `soft` is the number of pages that all pipes of a user may have (`pipe-user-pages-soft`, 0: any number; proc(5)). Beyond
/// it the kernel gives a user without privileges two pages a pipe, whatever program makes it: the FIFOs of all modules
/// take no more than half, so that the modules' own pipes have their usual size.
#[must_use]
pub(super) fn capacity(soft: u64, page: u64, modules: usize) -> u64 {
    let page = page.max(1);
    let most = (MOST / page).max(1);
    let fifos = (modules as u64).max(1).saturating_mul(EACH);
    let share = if soft == 0 { most } else { soft / 2 / fifos };
    let pages = share.clamp(1, most);
    // The greatest power of two that is not greater.
    (1 << pages.ilog2()) * page
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_more_modules_the_smaller_their_fifos() {
        const KIB: u64 = 1024;
        for (soft, page, modules, bytes) in [
            (16384, 4 * KIB, 0, 64 * KIB),
            (16384, 4 * KIB, 1, 64 * KIB),
            (16384, 4 * KIB, 256, 64 * KIB),
            (16384, 4 * KIB, 257, 32 * KIB),
            (16384, 4 * KIB, 1000, 16 * KIB),
            (16384, 4 * KIB, 5000, 4 * KIB),
            (0, 4 * KIB, 5000, 64 * KIB),
            (1, 4 * KIB, 1, 4 * KIB),
            (16384, 16 * KIB, 1000, 64 * KIB),
            (16384, 64 * KIB, 1, 64 * KIB),
        ] {
            assert_eq!(capacity(soft, page, modules), bytes, "{soft} pages of {page}, {modules} modules");
        }
    }

    proptest! {
        #[test]
        fn all_fifos_together_take_half_of_the_limit_or_a_page_each(
            soft in any::<u64>(), shift in 12..=16_u32, modules in 0..100_000_usize,
        ) {
            let page = 1 << shift;
            let bytes = capacity(soft, page, modules);
            prop_assert!(bytes.is_power_of_two() && bytes >= page && bytes <= MOST.max(page));
            let pages = bytes / page * EACH * modules as u64;
            prop_assert!(soft == 0 || bytes == page || pages <= soft / 2, "{} pages of {}", pages, soft);
        }
    }
}
