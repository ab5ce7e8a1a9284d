//! Reads from /proc what is needed to start a daemon again: its streams, its user, its age.
#![expect(clippy::disallowed_methods, reason = "edge: reads what /proc tells of a daemon")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::proc::now;
use super::stat::number;
use crate::process::id::Started;
use crate::process::system::{Identity, Stream};

/// Clock ticks a second in /proc; see [`super::proc`].
const TICKS: u64 = 100;
/// O_APPEND in the octal `flags` of fdinfo (proc_pid_fdinfo(5)).
const APPEND: u32 = 0o2000;

/// How long ago that was.
pub(in crate::process) fn age(started: Started) -> Duration {
    Duration::from_millis(now().0.saturating_sub(started.0).saturating_mul(1000 / TICKS))
}

/// How long ago the machine booted.
pub(in crate::process) fn uptime() -> Option<Duration> {
    Some(age(Started(0)))
}

/// The files behind the three standard streams. `None`: closed, or not visible to this user.
pub(in crate::process) fn streams(pid: u32) -> [Option<Stream>; 3] {
    [0, 1, 2].map(|fd| {
        let link = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
        let info = std::fs::read(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
        let (path, deleted) = match link.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
            Some(name) => (PathBuf::from(OsStr::from_bytes(name)), true),
            None => (link, false),
        };
        Some(Stream { path, append: flags(&info)? & APPEND != 0, deleted })
    })
}

/// The flags with which a descriptor was opened.
fn flags(info: &[u8]) -> Option<u32> {
    let value = field(info, b"flags:")?;
    u32::from_str_radix(std::str::from_utf8(value).ok()?, 8).ok()
}

fn field<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(key)).map(<[u8]>::trim_ascii)
}

/// The effective ids of `status` (proc_pid_status(5)).
pub(in crate::process) fn identity(pid: u32) -> Option<Identity> {
    parse(&std::fs::read(format!("/proc/{pid}/status")).ok()?)
}

fn parse(status: &[u8]) -> Option<Identity> {
    let effective = |key| {
        let mut ids = field(status, key)?.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        number(ids.nth(1)?)
    };
    let groups = field(status, b"Groups:")?.split(u8::is_ascii_whitespace);
    // Since Linux 4.7.
    let umask = field(status, b"Umask:").and_then(|text| std::str::from_utf8(text).ok());
    Some(Identity {
        uid: effective(b"Uid:")?,
        gid: effective(b"Gid:")?,
        groups: groups.filter(|word| !word.is_empty()).map(number).collect::<Option<_>>()?,
        umask: umask.and_then(|text| u32::from_str_radix(text, 8).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status() {
        let text = b"Name:\tbun\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t1001\t1000\t1000\n\
            Gid:\t100\t101\t100\t100\nGroups:\t27 100 \n";
        let identity = parse(text).unwrap();
        assert_eq!((identity.uid, identity.gid, identity.umask), (1001, 101, Some(0o022)));
        assert_eq!(identity.groups, [27, 100]);
        assert_eq!(parse(b"Name:\tbun\n"), None);
        assert_eq!(parse(b"Uid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t\n").unwrap().groups, [] as [u32; 0]);
    }

    #[test]
    fn flags_are_octal() {
        assert_eq!(flags(b"pos:\t0\nflags:\t0102001\nmnt_id:\t9\n"), Some(0o102_001));
        assert_eq!(flags(b"pos:\t0\n"), None);
    }

    #[test]
    fn ages() {
        let me = super::super::proc::info(std::process::id()).unwrap().unwrap().id;
        assert!(age(me.started) <= uptime().unwrap());
        assert!(identity(std::process::id()).is_some());
    }
}
