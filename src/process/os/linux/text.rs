//! Which pages of its own program a process has mapped.
#![expect(clippy::disallowed_methods, reason = "edge: reads the map of this process")]

use std::ops::Range;

use rustix::mm::{Advice, madvise};

/// Forgets where the program's machine code is mapped; see [`crate::process::this_process::program_text::forget`].
///
/// Source: madvise(2), MADV_DONTNEED: subsequent accesses of a private mapping of a file see the file again.
#[expect(unsafe_code, reason = "madvise takes an address")]
pub(in crate::process) fn forget() -> bool {
    let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else { return false };
    let here = forget as *const () as usize;
    let Some(text) = clean_text(&smaps, here) else { return false };
    // SAFETY: the range is one whole mapping of this process, as the kernel printed it: of a file, readable and
    // executable, never writable, and without a single page that differs from the file. What is dropped is only where
    // the pages are; whoever runs in them or reads them next, on any thread, finds the same bytes again. The program's
    // own mapping is never unmapped or mapped anew.
    unsafe { madvise(text.start as *mut _, text.len(), Advice::LinuxDontNeed) }.is_ok()
}

/// The mapping that `address` is in, if it is machine code of a file and as the file has it: a breakpoint of somebody
/// who debugs us is a page of our own, and must not be lost. proc_pid_smaps(5).
fn clean_text(smaps: &str, address: usize) -> Option<Range<usize>> {
    let mut lines = smaps.lines();
    let text = lines.by_ref().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let hex = |text| usize::from_str_radix(text, 16).ok();
        let range = hex(start)?..hex(end)?;
        (range.contains(&address) && rest.starts_with("r-xp ")).then_some(range)
    })?;
    let none = |key: &str, line: &str| line.strip_prefix(key).map(|kib| kib.trim() == "0 kB");
    // The first line with each of these words belongs to this mapping: every mapping has them all. Dirty alone is no
    // word for it: so are the pages of a program that was written a moment ago and is not on the disk yet.
    let anonymous = lines.by_ref().find_map(|line| none("Anonymous:", line))?;
    let swapped = lines.find_map(|line| none("Swap:", line))?;
    (anonymous && swapped).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two mappings as Linux 6 prints them; some lines left out.
    fn smaps(own: u32, swapped: u32) -> String {
        format!(
            "55d0c0000000-55d0c0040000 r--p 00000000 fe:00 42                         /home/op/bin/parachute\n\
             Size:                256 kB\nPss:                  10 kB\nPrivate_Dirty:         8 kB\nAnonymous:             8 kB\n\
             Swap:                  0 kB\nVmFlags: rd mr mw me sd \n\
             55d0c0040000-55d0c0500000 r-xp 00040000 fe:00 42                         /home/op/bin/parachute\n\
             Size:               4864 kB\nPss:                2000 kB\nPrivate_Dirty:      2000 kB\n\
             Anonymous:             {own} kB\nSwap:                  {swapped} kB\nVmFlags: rd ex mr mw me sd \n"
        )
    }

    #[test]
    fn only_clean_machine_code_is_forgotten() {
        let text = 0x55d0_c004_0000..0x55d0_c050_0000;
        assert_eq!(clean_text(&smaps(0, 0), text.start), Some(text.clone()));
        assert_eq!(clean_text(&smaps(0, 0), text.end - 1), Some(text.clone()));
        assert_eq!(clean_text(&smaps(0, 0), text.end), None, "no such mapping");
        assert_eq!(clean_text(&smaps(0, 0), text.start - 1), None, "constants, relocated: pages of our own");
        assert_eq!(clean_text(&smaps(4, 0), text.start), None, "a breakpoint is in it");
        assert_eq!(clean_text(&smaps(0, 4), text.start), None, "or was, and is swapped out");
        assert_eq!(clean_text("", text.start), None);
        let cut = smaps(0, 0);
        assert_eq!(clean_text(&cut[..cut.len() - 60], text.start), None, "cut short");
    }

    #[test]
    fn it_goes_on_running() {
        assert!(forget());
        assert!(forget(), "and finds itself again");
    }
}
