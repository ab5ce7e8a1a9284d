//! The text of `/proc/<pid>/stat` and its neighbours (proc_pid_stat(5)). Pure.

/// The fields that we need of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat<'a> {
    pub(super) pid: u32,
    /// Field 2. Any bytes but NUL, so also `) R 1 1` and newlines; at most 15 of them, 63 for kernel workers.
    pub(super) comm: &'a [u8],
    pub(super) state: u8,
    pub(super) ppid: u32,
    pub(super) pgrp: u32,
    pub(super) session: u32,
    /// Field 22, clock ticks since boot.
    pub(super) started: u64,
}

impl<'a> Stat<'a> {
    /// Fields after `comm` hold no `)`, so the *last* one closes it.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let open = memchr::memchr(b'(', line)?;
        let close = memchr::memrchr(b')', line)?;
        let comm = line.get(open + 1..close)?;
        let mut fields = line[close + 1..].split(|b| b.is_ascii_whitespace()).filter(|f| !f.is_empty());
        let state = *fields.next()?.first()?;
        Some(Self {
            pid: number(line[..open].trim_ascii())?,
            comm,
            state,
            ppid: number(fields.next()?)?,
            pgrp: number(fields.next()?)?,
            session: number(fields.next()?)?,
            // ppid, pgrp and session were fields 4, 5 and 6; 15 more precede field 22.
            started: number(fields.nth(15)?)?,
        })
    }

    /// `Z` zombie, `X` and `x` dead.
    pub(super) fn zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Decimal digits and nothing else.
pub(super) fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok().filter(|t| t.starts_with(|c: char| c.is_ascii_digit()))?.parse().ok()
}

/// Bytes of a `Key:   123 kB` line of `status` or `smaps_rollup`.
pub(super) fn kilobytes(text: &[u8], key: &str) -> Option<u64> {
    let line = text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()))?;
    let digits = line.strip_suffix(b"kB")?.trim_ascii();
    number::<u64>(digits)?.checked_mul(1024)
}

/// The control group in the hierarchy of systemd, of the lines of `/proc/<pid>/cgroup`: the unified one, or that named
/// `systemd` where the unified one is not used (cgroups(7), "/proc files").
pub(super) fn cgroup(text: &[u8]) -> Option<String> {
    let after = |mark: &[u8]| {
        let mut lines = text.split(|b| *b == b'\n');
        lines.find_map(|line| memchr::memmem::find(line, mark).map(|at| &line[at + mark.len()..]))
    };
    let all = [after(b"0::"), after(b":name=systemd:")];
    let path = all.iter().flatten().find(|path| **path != b"/").or_else(|| all.iter().flatten().next())?;
    std::str::from_utf8(path).ok().map(str::to_owned)
}

/// Clock ticks of `/proc/uptime`. Its two decimals are exactly USER_HZ, 100 on every architecture Rust's std
/// supports for Linux, and like `starttime` it counts suspended time (proc_uptime(5)).
#[cfg(test)]
pub(super) fn uptime_ticks(text: &[u8]) -> Option<u64> {
    let first = text.split(|b| *b == b' ').next()?;
    let dot = memchr::memchr(b'.', first)?;
    let seconds: u64 = number(&first[..dot])?;
    let hundredths: u64 = number(first.get(dot + 1..dot + 3)?)?;
    seconds.checked_mul(100)?.checked_add(hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_lines() {
        let line =
            b"1432 (tmux: server) S 1 1432 1430 0 -1 4194624 986 0 0 0 12 3 0 0 20 0 1 0 34512 10797056 \
            1024 18446744073709551615 1 1 0 0 0 0 0 0 134300163 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.ppid, stat.pgrp, stat.session, stat.started),
            (1432, 1, 1432, 1430, 34512)
        );
        assert_eq!(stat.comm, b"tmux: server");
        assert!(!stat.zombie());
        assert_eq!(Stat::parse(b""), None);
        assert_eq!(Stat::parse(b"1 (x"), None);
        assert_eq!(Stat::parse(b"1 )x( S 1"), None);
        assert_eq!(Stat::parse(b"1 (x) S 1 2 3"), None, "a truncated line is refused");
        let reaped = b"7 (sh) X 1 -1 -1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 34512 0 0\n";
        assert_eq!(Stat::parse(reaped), None, "a process that is being reaped is in no group");
    }

    #[test]
    fn neighbours() {
        assert_eq!(kilobytes(b"VmHWM:\t  9 kB\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234 * 1024));
        assert_eq!(kilobytes(b"Name:\tVmRSS\n", "VmRSS:"), None);
        assert_eq!(uptime_ticks(b"2520.07 4900.11\n"), Some(252_007));
        assert_eq!(uptime_ticks(b"2520\n"), None);
        assert_eq!(cgroup(b"0::/init.scope\n").as_deref(), Some("/init.scope"));
        for both in
            ["1:name=systemd:/system.slice/a.service\n0::/\n", "1:name=systemd:/\n0::/system.slice/a.service"]
        {
            assert_eq!(cgroup(both.as_bytes()).as_deref(), Some("/system.slice/a.service"));
        }
        assert_eq!(cgroup(b"1:name=systemd:/\n0::/\n").as_deref(), Some("/"));
        assert_eq!(cgroup(b"4:cpu:/x\n"), None);
    }

    proptest! {
        /// A process can choose its name, but its numbers are read after the name.
        #[test]
        fn names_cannot_forge_fields(
            comm in proptest::collection::vec(1_u8.., 0..=15),
            pid: u32, ppid: u32, pgrp: u32, session: u32, started: u64,
        ) {
            let mut line = format!("{pid} (").into_bytes();
            line.extend_from_slice(&comm);
            line.extend_from_slice(format!(") Z {ppid} {pgrp} {session} ").as_bytes());
            for field in 7..22 {
                line.extend_from_slice(format!("-{field} ").as_bytes());
            }
            line.extend_from_slice(format!("{started} 1 2 3\n").as_bytes());
            let expected = Stat { pid, comm: &comm, state: b'Z', ppid, pgrp, session, started };
            prop_assert_eq!(Stat::parse(&line), Some(expected));
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = Stat::parse(&bytes);
            let _ = uptime_ticks(&bytes);
            let _ = kilobytes(&bytes, "Pss:");
            let _ = cgroup(&bytes);
        }
    }
}
