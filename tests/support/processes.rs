//! The processes of a world, found by the mark that every process of a module carries, in any group or session.

use std::path::Path;

/// A live process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Pid.
    pub pid: u32,
    /// Start time, clock ticks since boot: with the pid, its identity.
    pub started: u64,
    /// Short name of the module it belongs to.
    pub module: String,
    /// The run it belongs to.
    pub life: String,
    /// Process group.
    pub group: u32,
    /// Command line, joined by blanks.
    pub command: String,
}

/// Live processes of this home's modules.
pub fn of_home(home: &Path) -> Vec<Process> {
    let mut found: Vec<Process> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| of_pid(pid, home))
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// The same, at one moment: all of them were alive when the search had ended. A plain search takes a while, and may
/// see a process that ends and, later in the search, its successor.
pub fn together(home: &Path) -> Vec<Process> {
    let mut found = of_home(home);
    found.retain(|process| alive(process.pid, process.started));
    found
}

fn of_pid(pid: u32, home: &Path) -> Option<Process> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let var = |name: &str| {
        environ.split(|b| *b == 0).find_map(|entry| {
            let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
    };
    if Path::new(&var("PARACHUTE_HOME")?) != home {
        return None;
    }
    let module = var("PARACHUTE_MODULE")?;
    let life = var("PARACHUTE_INCARNATION")?;
    let (started, group) = identity(pid)?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned();
    Some(Process { pid, started, module, life, group, command })
}

/// Start time and group of a live process; `None` for a zombie.
pub fn identity(pid: u32) -> Option<(u64, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    Some((fields.get(19)?.parse().ok()?, fields.get(2)?.parse().ok()?))
}

/// Whether exactly this process is alive.
pub fn alive(pid: u32, started: u64) -> bool {
    identity(pid).is_some_and(|(now, _)| now == started)
}

/// Kills exactly this process, if it is still alive.
pub fn kill(process: &Process) {
    if alive(process.pid, process.started) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(process.pid).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
}
