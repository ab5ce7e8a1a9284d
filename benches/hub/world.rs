//! A home in /tmp, its modules, its hub, and queries to the kernel and the API.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::module::{Said, What, now};

/// The measured binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_parachute");
/// Reached only if something hangs.
const HANG: Duration = Duration::from_secs(120);

/// One home and at most one hub.
pub struct World {
    root: PathBuf,
    /// Ports of the modules.
    pub ports: Vec<u16>,
    reports: UdpSocket,
    hub: Option<Child>,
    next_port: u16,
}

impl World {
    /// A home without modules; `settings` is its hub.toml.
    pub fn new(settings: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = PathBuf::from(format!("/tmp/pb{}-{n}", std::process::id()));
        fs::create_dir_all(root.join("home")).unwrap();
        fs::write(root.join("home/hub.toml"), settings).unwrap();
        let reports = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        reports.set_read_timeout(Some(HANG)).unwrap();
        Self { root, ports: Vec::new(), reports, hub: None, next_port: 20_000 }
    }

    /// A home with `count` modules of this kind.
    pub fn with(settings: &str, kind: &str, count: usize) -> Self {
        let mut world = Self::new(settings);
        world.add(kind, count, 0);
        world
    }

    /// Adds modules; writes services.json.
    pub fn add(&mut self, kind: &str, count: usize, bytes: usize) {
        let mut rows = Vec::new();
        for n in 0..count {
            let (short, port) = (format!("m{n:04}"), self.free_port());
            let dir = self.home().join(&short);
            fs::create_dir_all(dir.join(".parachute")).unwrap();
            let manifest = json!({
                "name": short, "manifestName": short, "port": port, "paths": [format!("/{short}")],
                "health": "/health", "startCmd": self.module_command(kind, bytes),
            });
            fs::write(dir.join(".parachute/module.json"), manifest.to_string()).unwrap();
            rows.push(json!({
                "name": short, "port": port, "paths": [format!("/{short}")], "health": "/health",
                "version": "1", "installDir": dir,
            }));
            self.ports.push(port);
        }
        let text = serde_json::to_string_pretty(&json!({ "services": rows })).unwrap();
        fs::write(self.home().join("services.json"), text).unwrap();
    }

    fn module_command(&self, kind: &str, bytes: usize) -> Vec<String> {
        let exe = std::env::current_exe().unwrap();
        let report = self.reports.local_addr().unwrap().port();
        let words = [exe.to_str().unwrap(), "module", kind, &report.to_string(), &bytes.to_string()];
        words.map(str::to_owned).to_vec()
    }

    /// Below the kernel's ephemeral ports, 32768 (ip(7)).
    fn free_port(&mut self) -> u16 {
        loop {
            self.next_port += 1;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, self.next_port)).is_ok() {
                return self.next_port;
            }
        }
    }

    /// The home.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The hub's standard output.
    pub fn output(&self) -> PathBuf {
        self.root.join("hub.out")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/dev/null");
        // No service manager can be used.
        command.env("PARACHUTE_TOOLS_UNDER", self.root.join("tools"));
        command.env("PARACHUTE_HOME", self.home()).current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Starts the hub without waiting; returns the time before.
    pub fn start(&mut self) -> u64 {
        let out = File::options().create(true).append(true).open(self.output()).unwrap();
        let mut command = self.command(&["serve", "--port", "0"]);
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let before = now();
        self.hub = Some(command.spawn().unwrap());
        before
    }

    /// Waits until `/health` answers.
    pub fn healthy(&self) {
        wait("the hub answers", Duration::from_micros(100), || self.get("/health").is_some());
    }

    /// Waits until every module is ready.
    pub fn ready(&self, pause: Duration) {
        let all = || self.get("/api/ready").is_some_and(|answer| answer["ready"] == true);
        // Before the first reload no module is waited for, and the answer is `true` too.
        wait("modules appear", pause, || self.modules() == self.ports.len());
        wait("all modules are ready", pause, all);
    }

    fn modules(&self) -> usize {
        let Some(ready) = self.get("/api/ready") else { return 0 };
        let count = |list: &str| ready[list].as_array().map_or(0, Vec::len);
        count("ready_modules") + count("transient_modules") + count("persistent_modules")
    }

    /// GET over the socket; `None` without a 200 response.
    pub fn get(&self, target: &str) -> Option<Value> {
        get(&self.home().join("run/hub.sock"), target)
    }

    /// The next event of this kind that a module reports.
    pub fn heard(&self, what: What) -> Said {
        loop {
            let mut bytes = [0; 13];
            self.reports.recv(&mut bytes).expect("a module reports in time");
            let said = Said::parse(&bytes);
            if said.what == what {
                return said;
            }
        }
    }

    /// Discards earlier reports: the last ones of a module that has exited.
    fn forget_heard(&self) {
        self.reports.set_nonblocking(true).unwrap();
        while self.reports.recv(&mut [0; 13]).is_ok() {}
        self.reports.set_nonblocking(false).unwrap();
    }

    /// From the start of the trivial module alone, without a hub, to `what`: nanoseconds, sorted.
    pub fn alone(&mut self, what: What, samples: usize) -> Vec<u64> {
        let words = self.module_command("plain", 0);
        let port = self.free_port().to_string();
        let mut took: Vec<u64> = (0..samples)
            .map(|_| {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]).env_clear().env("PORT", &port).stdin(Stdio::null());
                let before = now();
                let mut child = command.stdout(Stdio::null()).spawn().unwrap();
                let said = self.heard(what);
                child.kill().unwrap();
                child.wait().unwrap();
                self.forget_heard();
                said.at - before
            })
            .collect();
        took.sort_unstable();
        took
    }

    /// Pid of the hub.
    pub fn pid(&self) -> u32 {
        self.hub.as_ref().unwrap().id()
    }

    /// Anonymous memory of the hub in KiB: not backed by a file.
    pub fn anonymous(&self) -> u64 {
        kilobytes(&self.proc("smaps_rollup"), "Anonymous:")
    }

    /// PSS of the hub in KiB.
    pub fn pss(&self) -> u64 {
        kilobytes(&self.proc("smaps_rollup"), "Pss:")
    }

    /// PSS and anonymous memory of the hub's helper that looks at paths, in KiB.
    pub fn helper(&self) -> [u64; 2] {
        let hub = self.pid();
        let children = self.proc(&format!("task/{hub}/children"));
        let is_helper = |pid: &&str| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"parachute-path-helper\0")
        };
        let pid = children.split_whitespace().find(is_helper).expect("a helper is kept warm");
        let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        ["Pss:", "Anonymous:"].map(|key| kilobytes(&memory, key))
    }

    /// Every mapping of the hub: proc_pid_smaps(5).
    pub fn smaps(&self) -> String {
        self.proc("smaps")
    }

    /// Largest resident set of the hub so far in KiB.
    pub fn peak(&self) -> u64 {
        kilobytes(&self.proc("status"), "VmHWM:")
    }

    /// CPU time of the hub: user and system, in ticks of 10 ms (proc_pid_stat(5), `_SC_CLK_TCK` is 100 everywhere).
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap()
    }

    /// Wall time of `parachute status`, sorted.
    pub fn status(&self, samples: usize) -> Vec<Duration> {
        let mut took: Vec<Duration> = (0..samples)
            .map(|_| {
                let mut command = self.command(&["status"]);
                let before = Instant::now();
                let output = command.output().unwrap();
                let took = before.elapsed();
                assert!(output.status.success(), "{output:?}");
                took
            })
            .collect();
        took.sort_unstable();
        took
    }

    /// Stops the hub; returns how long it took.
    pub fn stop(&mut self) -> Duration {
        let mut hub = self.hub.take().unwrap();
        let before = Instant::now();
        kill(Pid::from_raw(i32::try_from(hub.id()).unwrap()), Signal::SIGTERM).unwrap();
        let status = hub.wait().unwrap();
        let took = before.elapsed();
        assert!(status.success(), "{status}:\n{}", self.log_tail());
        took
    }

    /// Ends processes that a failed hub left, so that they disturb no later measurement.
    fn end_modules(&self) {
        let mark = format!("PARACHUTE_HOME={}", self.home().display());
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
            let name = entry.file_name();
            if environ.split(|b| *b == 0).any(|word| word == mark.as_bytes())
                && let Some(pid) = name.to_str().and_then(|pid| pid.parse().ok())
            {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    /// The last lines that the hub printed.
    pub fn log_tail(&self) -> String {
        let bytes = fs::read(self.output()).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4000)..]).into_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(hub) = &mut self.hub {
            // SIGTERM, so that no module survives the hub, which limits its own stop.
            let _ = kill(Pid::from_raw(i32::try_from(hub.id()).unwrap()), Signal::SIGTERM);
            let _ = hub.wait();
        }
        self.end_modules();
        if std::thread::panicking() {
            eprintln!("the hub's last words:\n{}", self.log_tail());
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// GET over a Unix socket.
pub fn get(socket: &Path, target: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(HANG)).ok()?;
    write!(stream, "GET {target} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).unwrap())
}

/// Waits for a condition.
pub fn wait(what: &str, pause: Duration, mut met: impl FnMut() -> bool) {
    let before = Instant::now();
    while !met() {
        assert!(before.elapsed() < HANG, "never: {what}");
        std::thread::sleep(pause);
    }
}

fn kilobytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
