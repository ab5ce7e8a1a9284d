//! What macOS reports about a daemon that is to be started again. The files of its output could be read with
//! `PROC_PIDFDVNODEPATHINFO`; this is left out because no test has run on a Mac: a daemon is then known by its
//! pidfile, its port and its command, and writes to its own log again.

use std::time::Duration;

use super::proc::{look, now};
use crate::process::id::Started;
use crate::process::system::{Identity, Stream};

/// How long ago that was: start times are microseconds since the epoch here.
pub(in crate::process) fn age(started: Started) -> Duration {
    Duration::from_micros(now().0.saturating_sub(started.0))
}

/// How long ago the machine booted: not read. Start times are wall-clock times here, so nothing needs it.
pub(in crate::process) fn uptime() -> Option<Duration> {
    None
}

/// Not known.
pub(in crate::process) fn streams(_pid: u32) -> [Option<Stream>; 3] {
    [None, None, None]
}

/// Its ids. Its supplementary groups are those of its user, which the starter has as well.
pub(in crate::process) fn identity(pid: u32) -> Option<Identity> {
    let info = look(pid)?;
    let person = crate::process::user::by_uid(info.uid).ok()?;
    Some(Identity { uid: info.uid, gid: person.gid, groups: vec![person.gid], umask: None })
}
