//! Detached daemons of the model.

use parachute::plan::daemon::{Daemon, RunningDaemon};
use parachute::process::detached::LaunchRecord;
use parachute::process::id::{BootId, ProcessId, Started};
use parachute::process::os_bytes::OsBytes;

/// A daemon of this model: its process is identified by its start time.
pub fn daemon(name: &str, started: u64) -> Daemon {
    let leader = ProcessId { pid: 200, started: Started(started), boot: BootId("b".into()) };
    Daemon {
        name: name.to_owned(),
        leader,
        below: Vec::new(),
        number: None,
        uid: 0,
        command: name.to_owned(),
        ports: vec![1940],
        why: "its pidfile names it, its output goes to its log".to_owned(),
        pidfile: None,
        port_file: None,
        grace_ms: 1,
    }
}

pub fn running_daemon(name: &str, leader: &ProcessId) -> RunningDaemon {
    let raw = |text: &str| OsBytes(text.into());
    let record = LaunchRecord {
        exe: raw("/bin/d"),
        argv: vec![raw("d"), raw(name)],
        env: vec![raw("TOKEN=planted")],
        cwd: raw("/"),
        output: [Some(raw("/log")), None],
        umask: None,
        uid: 0,
        gid: 0,
        groups: Vec::new(),
    };
    RunningDaemon {
        name: name.to_owned(),
        id: leader.clone(),
        ports: vec![1940],
        pidfile: None,
        port_file: None,
        record,
    }
}
