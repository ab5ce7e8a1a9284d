//! The memory of a process by kind: sums over `/proc/PID/smaps` (proc_pid_smaps(5)). Pure.

use std::collections::BTreeMap;

/// The kind of a mapping.
fn kind(perms: &str, path: &str, program: &str) -> &'static str {
    match path {
        _ if path == program && perms.contains('x') => "program text",
        _ if path == program && perms.contains('w') => "program statics",
        _ if path == program => "program constants and relocations",
        "[heap]" => "heap",
        "[stack]" => "stack of the first thread",
        "" => "other anonymous memory (thread stacks, large blocks)",
        _ if path.starts_with('[') => "of the kernel",
        _ if path.contains(".so") => "C libraries",
        _ => "other files",
    }
}

/// PSS in KiB by kind, largest first.
pub fn account(smaps: &str, program: &str) -> Vec<(&'static str, u64)> {
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut current = "of the kernel";
    for line in smaps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["Pss:", kib, "kB"] => *kinds.entry(current).or_default() += kib.parse::<u64>().unwrap(),
            [range, perms, _, _, _, ref path @ ..] if range.contains('-') && perms.len() == 4 => {
                current = kind(perms, &path.join(" "), program);
            }
            _ => {}
        }
    }
    let mut sorted: Vec<_> = kinds.into_iter().filter(|(_, kib)| *kib > 0).collect();
    sorted.sort_by_key(|(_, kib)| std::cmp::Reverse(*kib));
    sorted
}
