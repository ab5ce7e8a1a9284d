//! One home, its modules and its hub.

use std::cell::RefCell;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::http::{self, Answer};
use super::processes::{self, Process};
pub use super::program::{BINARY, Outcome, fixture};
use super::{eventually, until};

/// Controls the output of a worker.
pub struct Speaker {
    path: PathBuf,
}

impl Speaker {
    /// The worker writes this line, now or when it starts.
    pub fn says(&self, line: &str) {
        use std::io::Write;
        let mut file = File::options().append(true).open(&self.path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// A separate home.
pub struct World {
    dir: tempfile::TempDir,
    rows: RefCell<Vec<Value>>,
    hub: RefCell<Option<Child>>,
    port: u16,
}

impl World {
    /// A new home with no modules. `/tmp` keeps the socket's path short (unix(7): 108 bytes).
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pw").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir, rows: RefCell::default(), hub: RefCell::default(), port: free_port() }
    }

    /// The home.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// The only directory whose tools the binary may run.
    pub fn tools(&self) -> PathBuf {
        self.file("tools")
    }

    /// A file of this test, outside the home.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The hub's TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds a module that runs the fixture; returns its port.
    pub fn module(&self, short: &str, args: &[&str]) -> u16 {
        let program = fixture();
        let mut argv = vec![program.to_str().unwrap(), "server"];
        argv.extend(args);
        self.command(short, &argv)
    }

    /// Adds a module that runs any command; returns its port.
    pub fn command(&self, short: &str, argv: &[&str]) -> u16 {
        self.define(short, argv, json!({}))
    }

    /// Adds a module with `supervise` settings; returns its port.
    pub fn define(&self, short: &str, argv: &[&str], supervise: Value) -> u16 {
        let port = free_port();
        let dir = self.home().join(short);
        std::fs::create_dir_all(dir.join(".parachute")).unwrap();
        let row = json!({
            "name": short, "port": port, "paths": [format!("/{short}")], "health": "/health", "version": "1",
            "installDir": dir,
        });
        let manifest = json!({
            "name": short, "manifestName": short, "port": port, "paths": [format!("/{short}")],
            "health": "/health", "startCmd": argv, "supervise": supervise,
        });
        std::fs::write(dir.join(".parachute/module.json"), manifest.to_string()).unwrap();
        self.rows.borrow_mut().push(row);
        self.write_rows();
        port
    }

    /// Writes services.json from the rows of this world.
    pub fn write_rows(&self) {
        let text = serde_json::to_string_pretty(&json!({ "services": *self.rows.borrow() })).unwrap();
        self.write_services(&text);
    }

    /// The rows, to be changed; call [`Self::write_rows`] afterwards.
    pub fn rows(&self) -> std::cell::RefMut<'_, Vec<Value>> {
        self.rows.borrow_mut()
    }

    /// Replaces services.json by rename, as its writers do.
    pub fn write_services(&self, text: &str) {
        let temp = self.home().join(".services.test");
        std::fs::write(&temp, text).unwrap();
        std::fs::rename(temp, self.home().join("services.json")).unwrap();
    }

    /// A command of the binary that sees only this world.
    pub fn parachute(&self, args: &[&str]) -> Command {
        self.fenced(BINARY.as_ref(), args)
    }

    /// The same for a copy of the binary.
    pub fn fenced(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", "/dev/null")
            .env("PARACHUTE_HOME", self.home())
            // Tools of a service manager are run from there only; a world without one has no manager.
            .env("PARACHUTE_TOOLS_UNDER", self.tools())
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.parachute(args).output().unwrap())
    }

    /// Starts a hub and waits until it answers.
    #[track_caller]
    pub fn start_hub(&self) {
        self.spawn_hub();
        self.hub_answers();
    }

    /// Starts a hub and does not wait.
    pub fn spawn_hub(&self) {
        self.spawn(self.parachute(&["serve", "--port", &self.port.to_string()]));
    }

    /// Starts this command as the hub of this world and does not wait.
    pub fn spawn(&self, mut hub: Command) {
        let log = File::options().create(true).append(true).open(self.hub_log_path()).unwrap();
        self.hold(hub.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Takes a started process as the hub of this world.
    pub fn hold(&self, hub: Child) {
        *self.hub.borrow_mut() = Some(hub);
    }

    /// Adds a worker that writes the lines appended to the returned file.
    pub fn speaker(&self, short: &str) -> Speaker {
        let path = self.file(&format!("{short}.says"));
        File::create(&path).unwrap();
        let argv = ["tail", "-n", "+1", "-f", path.to_str().unwrap()];
        self.define(short, &argv, json!({ "listen": false }));
        Speaker { path }
    }

    /// Waits until the hub answers.
    #[track_caller]
    pub fn hub_answers(&self) {
        until("the hub answers", || {
            let ended = self.hub.borrow_mut().as_mut().and_then(|hub| hub.try_wait().unwrap());
            assert!(ended.is_none(), "the hub ended ({ended:?}):\n{}", self.hub_log());
            self.get("/health").filter(|answer| answer.status == 200)
        });
    }

    /// Pid of the hub.
    #[track_caller]
    pub fn hub_pid(&self) -> u32 {
        self.hub.borrow().as_ref().expect("a hub").id()
    }

    /// Signals the hub.
    #[track_caller]
    pub fn signal_hub(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.hub_pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for the hub's exit.
    #[track_caller]
    pub fn hub_ends(&self) -> ExitStatus {
        let mut hub = self.hub.borrow_mut().take().expect("a hub");
        until("the hub ends", || hub.try_wait().unwrap())
    }

    /// SIGTERM, and the exit must be clean.
    #[track_caller]
    pub fn stop_hub(&self) {
        self.signal_hub(Signal::SIGTERM);
        let status = self.hub_ends();
        assert_eq!(status.code(), Some(0), "{}", self.hub_log());
    }

    /// SIGKILL, like the out-of-memory killer.
    #[track_caller]
    pub fn kill_hub(&self) {
        self.signal_hub(Signal::SIGKILL);
        self.hub_ends();
    }

    fn hub_log_path(&self) -> PathBuf {
        self.file("hub.out")
    }

    /// The output of all hubs of this world.
    pub fn hub_log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.hub_log_path()).unwrap_or_default()).into_owned()
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.home().join("run/hub.sock")
    }

    /// GET on the socket.
    pub fn get(&self, target: &str) -> Option<Answer> {
        http::socket(&self.socket(), "GET", target, &[("host", "hub")])
    }

    /// POST on the socket.
    pub fn post(&self, target: &str) -> Option<Answer> {
        http::socket(&self.socket(), "POST", target, &[("host", "hub")])
    }

    /// POST to a module, decoded.
    #[track_caller]
    pub fn op(&self, short: &str, op: &str) -> Value {
        self.post(&format!("/api/modules/{short}/{op}")).expect("the hub answers").json()
    }

    /// `GET /api/status`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.get("/api/status").unwrap_or_else(|| panic!("no answer:\n{}", self.hub_log())).json()
    }

    /// One module of the status; `null` if it does not exist.
    #[track_caller]
    pub fn view(&self, short: &str) -> Value {
        let status = self.status();
        let modules = status["modules"].as_array().unwrap();
        modules.iter().find(|module| module["short"] == short).cloned().unwrap_or(Value::Null)
    }

    /// Waits until a module is ready; returns its pid.
    #[track_caller]
    pub fn ready(&self, short: &str) -> u32 {
        let began = std::time::Instant::now();
        loop {
            let late = super::is_late(began);
            let view = self.view(short);
            if view["ready"] == true {
                return u32::try_from(view["pid"].as_u64().unwrap()).unwrap();
            }
            assert!(!late, "{short} is never ready: {view:#}\n{}", self.hub_log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// The same for a hub that may not answer yet.
    #[track_caller]
    pub fn ready_soon(&self, short: &str) -> u32 {
        eventually("the hub answers", || self.get("/health").is_some());
        self.ready(short)
    }

    /// A file of the home as text; empty if it does not exist.
    pub fn read_or_empty(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.home().join(path)).unwrap_or_default()
    }

    /// Waits until a module's problem is of this type; returns the view.
    #[track_caller]
    pub fn problem(&self, short: &str, kind: &str) -> Value {
        until(&format!("{short} has the problem {kind}"), || {
            Some(self.view(short)).filter(|view| view["problem"]["error_type"] == kind)
        })
    }

    /// Live processes of this world's modules.
    pub fn processes(&self) -> Vec<Process> {
        processes::of_home(&self.home())
    }

    /// Asserts that no process of any module is left now.
    #[track_caller]
    pub fn expect_no_processes(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "left: {left:#?}\n{}", self.hub_log());
    }

    /// Waits until no process of a module is left.
    #[track_caller]
    pub fn gone(&self, short: &str) {
        let began = std::time::Instant::now();
        loop {
            let late = super::is_late(began);
            let left: Vec<_> = self.processes().into_iter().filter(|p| p.module == short).collect();
            if left.is_empty() {
                return;
            }
            assert!(!late, "{short} is never gone, left: {left:#?}\n{}", self.hub_log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// A file of the home as text.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.home().join(path)).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.home().join("hub/logs/hub.log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(40).collect();
            let last: String = last.iter().rev().map(|line| format!("{line}\n")).collect();
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- the hub's own log:\n{last}").as_bytes(),
            );
        }
        if let Some(hub) = self.hub.borrow_mut().as_mut() {
            let _ = hub.kill();
            let _ = hub.wait();
        }
        for process in self.processes() {
            processes::kill(&process);
        }
    }
}

/// The first of all ports of tests; the last is below the kernel's ephemeral ports (32768, ip(7)).
const PORTS: u16 = 12_000;
/// How many test processes may run at once.
const SLOTS: u16 = 20;
/// How many ports each of them has.
const SLOT: u16 = 1_000;

/// A free port. Assigned upwards from the range of this process, so that two tests never
/// get the same one, even of other test runs on this machine.
pub fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed) % SLOT;
        let port = PORTS + slot() * SLOT + n;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The slot of this process, held by a lock until it ends.
fn slot() -> u16 {
    static MINE: OnceLock<(u16, Flock<File>)> = OnceLock::new();
    MINE.get_or_init(|| {
        until("a slot is free", || {
            (0..SLOTS).find_map(|n| {
                let path = std::env::temp_dir().join(format!("parachute-tests-{n}.lock"));
                // Not O_CREAT on an existing file: in /tmp that is refused for another user's file
                // (proc_sys_fs(5), protected_regular).
                let file = File::open(&path).or_else(|_| File::create_new(&path)).ok()?;
                Some((n, Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?))
            })
        })
    })
    .0
}
