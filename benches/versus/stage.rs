//! One running manager: started, observed, stopped. The whole bench is alone in its own PID namespace (`main`), so
//! every process here is the bench, the manager, or a module.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::peer::{Module, Peer};

/// A report of a module.
#[derive(Debug, Clone)]
pub struct Said {
    pub what: String,
    pub name: String,
    pub pid: u32,
    /// Nanoseconds since the epoch.
    pub at: u64,
}

/// A manager and its modules.
pub struct Stage<'a> {
    pub peer: &'a dyn Peer,
    pub dir: PathBuf,
    pub names: Vec<String>,
    /// Read by a thread as reports arrive: a full datagram socket blocks its writers, unix(7).
    heard: Receiver<Said>,
    first: Option<Child>,
}

/// The current time, as in reports.
pub fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

impl<'a> Stage<'a> {
    /// Configured with this many modules of this kind; nothing runs.
    pub fn set(peer: &'a dyn Peer, tiny: &Path, kind: &[&str], count: usize) -> Self {
        Self::set_with(peer, tiny, kind, count, &[])
    }

    /// The same, with every module started by this command.
    pub fn set_with(peer: &'a dyn Peer, tiny: &Path, kind: &[&str], count: usize, by: &[&str]) -> Self {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/versus/{n}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let socket = dir.join("heard.sock");
        let heard = listen(UnixDatagram::bind(&socket).unwrap());
        let names: Vec<String> = (0..count).map(|n| format!("m{n:04}")).collect();
        let modules: Vec<Module> = names
            .iter()
            .map(|name| {
                let own = [tiny.to_str().unwrap(), socket.to_str().unwrap(), name];
                let argv = by.iter().chain(&own).chain(kind).map(|word| (*word).to_owned()).collect();
                Module { name: name.clone(), argv }
            })
            .collect();
        peer.configure(&dir, &modules);
        Self { peer, dir, names, heard, first: None }
    }

    /// Starts the manager; returns the time before.
    pub fn start(&mut self) -> u64 {
        let before = now();
        let commands = self.peer.start(&self.dir);
        let out = fs::File::options().create(true).append(true).open(self.dir.join("out")).unwrap();
        for mut command in commands {
            command.stdout(out.try_clone().unwrap()).stderr(out.try_clone().unwrap());
            self.first = Some(command.spawn().unwrap());
        }
        if let Some(child) = &self.first {
            fs::write(self.dir.join("first.pid"), child.id().to_string()).unwrap();
        }
        before
    }

    /// The next report of this kind.
    pub fn hear(&self, what: &str, within: Duration) -> Option<Said> {
        let end = Instant::now() + within;
        loop {
            let said = self.heard.recv_timeout(end.checked_duration_since(Instant::now())?).ok()?;
            if said.what == what {
                return Some(said);
            }
        }
    }

    /// The next report of this kind from this module.
    pub fn hear_of(&self, name: &str, what: &str, within: Duration) -> Option<Said> {
        let end = Instant::now() + within;
        loop {
            let said = self.hear(what, end.checked_duration_since(Instant::now())?)?;
            if said.name == name {
                return Some(said);
            }
        }
    }

    /// Waits until each module has begun: their pids, and the time of the last one. `None`: not all of them did.
    pub fn all_begun(&self, within: Duration) -> Option<(BTreeMap<String, u32>, u64)> {
        let end = Instant::now() + within;
        let (mut pids, mut last) = (BTreeMap::new(), 0);
        while pids.len() < self.names.len() {
            let said = self.hear("begun", end.checked_duration_since(Instant::now())?)?;
            last = last.max(said.at);
            pids.insert(said.name, said.pid);
        }
        Some((pids, last))
    }

    /// Wall time of a command; `None` if it failed.
    pub fn time(command: &mut Command) -> Option<Duration> {
        let before = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        status.success().then(|| before.elapsed())
    }

    /// Live modules.
    pub fn modules(&self) -> Vec<u32> {
        processes().into_iter().filter(|(_, line)| line.contains("heard.sock")).map(|(pid, _)| pid).collect()
    }

    /// Live processes of the manager: all except modules and the bench.
    pub fn managers(&self) -> Vec<u32> {
        let all = processes().into_iter().filter(|(_, line)| !line.contains("heard.sock"));
        all.filter(|(_, line)| self.peer.is_manager(line)).map(|(pid, _)| pid).collect()
    }

    /// A sum over the manager's processes.
    pub fn sum(&self, of: fn(u32) -> u64) -> u64 {
        self.managers().into_iter().map(of).sum()
    }

    /// Stops it; returns how long it took until no process was left, or how many modules were left after `within`.
    pub fn stop(&mut self, within: Duration) -> Result<Duration, usize> {
        let before = Instant::now();
        match self.peer.stop(&self.dir) {
            Some(mut command) => {
                let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            }
            None => self.signal(Signal::SIGTERM),
        }
        while before.elapsed() < within {
            self.reap();
            let left = if self.peer.resident() { self.modules().len() } else { processes().len() };
            if left == 0 {
                return Ok(before.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(self.modules().len())
    }

    /// `kill -9` of its first process; of several independent ones, the oldest.
    pub fn kill(&mut self) {
        let managers = self.managers();
        let top = match &self.first {
            Some(child) if managers.contains(&child.id()) => child.id(),
            // A daemon that left its parent: the oldest.
            _ => managers.into_iter().min().unwrap_or(0),
        };
        if top > 1 {
            let _ = kill(Pid::from_raw(i32::try_from(top).unwrap()), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(50));
        self.reap();
        self.first = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.first {
            let _ = kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal);
        }
    }

    /// The bench is the init of its namespace: it adopts orphans.
    fn reap(&mut self) {
        while let Ok(status) = waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            if status.pid().is_none() {
                break;
            }
        }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // An empty datagram ends the listening thread.
        let _ = UnixDatagram::unbound().and_then(|sender| sender.send_to(b"", self.dir.join("heard.sock")));
        if self.peer.resident() {
            let _ = self.stop(Duration::from_secs(30));
            return;
        }
        // All processes in this namespace except the bench belong to this stage.
        for _ in 0..500 {
            let left = processes();
            if left.is_empty() {
                break;
            }
            for (pid, _) in left {
                let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(10));
            self.reap();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Receives reports until an empty datagram.
fn listen(socket: UnixDatagram) -> Receiver<Said> {
    let (hand_on, heard) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 128];
        while let Ok(len @ 1..) = socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
            let mut words = text.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let said = Said {
                what: word(),
                name: word(),
                pid: word().parse().unwrap_or(0),
                at: word().parse().unwrap_or(0),
            };
            if hand_on.send(said).is_err() {
                return;
            }
        }
    });
    heard
}

/// All live processes here except the bench: pid and command line.
fn processes() -> Vec<(u32, String)> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != own)
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let state = stat.rsplit_once(") ")?.1.chars().next()?;
            if matches!(state, 'Z' | 'X') {
                return None;
            }
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        })
        .collect()
}

/// Anonymous memory in KiB: not backed by a file, so only of this process.
pub fn anonymous(pid: u32) -> u64 {
    kilobytes(pid, "smaps_rollup", "Anonymous:")
}

/// PSS in KiB.
pub fn pss(pid: u32) -> u64 {
    kilobytes(pid, "smaps_rollup", "Pss:")
}

/// Largest resident set in KiB.
pub fn peak(pid: u32) -> u64 {
    kilobytes(pid, "status", "VmHWM:")
}

/// CPU time so far in milliseconds (proc_pid_stat(5); a tick is 10 ms).
pub fn cpu(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let tick = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    (tick(11) + tick(12)) * 10
}

fn kilobytes(pid: u32, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
