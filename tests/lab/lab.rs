//! A separate machine for one test.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::host::{self, Turn};
use crate::program::{self, BINARY, Outcome};

/// How long to wait for a condition before a test fails. Generous: it is not an assertion about speed.
const DEADLINE: Duration = Duration::from_secs(120);
/// Seconds after which a forgotten lab destroys itself.
const TTL: &str = "7200";
/// The cargo target directory, as seen inside.
pub const PROGRAMS: &str = "/opt/parachute";
/// The program that plays modules, as seen inside.
pub const FIXTURE: &str = "/opt/parachute/examples/fixture";
/// The user that every lab has.
pub const PERSON: &str = "lab";

/// The user of a command inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Root, in no session.
    Root,
    /// This user, logged in: PAM, a session, the user's bus.
    LoggedIn(String),
    /// This user, as with cron, `su` or `sudo -u`: no session, no `XDG_RUNTIME_DIR`.
    NoSession(String),
}

/// A booted systemd with `parachute` and [`FIXTURE`] in its PATH, a user [`PERSON`], and no other file of ours.
pub struct Lab {
    name: String,
    _turn: Turn,
}

/// A login that lasts until this is dropped.
pub struct Login(Child);

/// One process of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks since boot: with the pid, its identity.
    pub started: u64,
    pub module: String,
    /// Its control groups, as in /proc/PID/cgroup.
    pub cgroups: String,
}

impl Lab {
    /// Boots one. `None` where the machine cannot, with a message on stderr.
    #[track_caller]
    pub fn up() -> Option<Self> {
        Self::boot(&[])
    }

    /// One where `MemoryMax=` and the like are enforced for system units, even if the controllers are on cgroup v1.
    #[track_caller]
    pub fn with_limits() -> Option<Self> {
        Self::boot(&["--limits"])
    }

    #[track_caller]
    fn boot(options: &[&str]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = Turn::wait()?;
        let name = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let fixture = program::fixture();
        let built = fixture.ancestors().nth(2).unwrap();
        assert!(BINARY.starts_with(built.to_str().unwrap()), "{BINARY} is not below {}", built.display());
        // The directory, not the files: cargo replaces them, and an overlay may keep a stale entry.
        let bind = format!("{}:{PROGRAMS}", built.display());
        let lab = Self { name, _turn: turn };
        let _ = lab.script("up").args(&["--ttl", TTL, "--bind", &bind]).args(options).run(b"").code(0);
        Some(lab)
    }

    fn script(&self, verb: &str) -> Script {
        // A command that hangs inside fails the test, instead of blocking it for ever.
        let mut command = Command::new("timeout");
        command.args(["-k", "10", "600"]).arg(host::script()).args([verb, &self.name]);
        Script(command)
    }

    /// A shell script as root.
    pub fn root(&self, script: &str) -> Outcome {
        self.run(&Who::Root, script)
    }

    /// A shell script as [`PERSON`], logged in.
    pub fn user(&self, script: &str) -> Outcome {
        self.run(&Who::LoggedIn(PERSON.to_owned()), script)
    }

    /// A shell script as [`PERSON`], as from cron.
    pub fn no_session(&self, script: &str) -> Outcome {
        self.run(&Who::NoSession(PERSON.to_owned()), script)
    }

    /// A shell script that ends at the first command that fails.
    pub fn run(&self, who: &Who, script: &str) -> Outcome {
        self.exec(who, script, &[], b"")
    }

    /// The same, with arguments `$1 …` and standard input.
    pub fn exec(&self, who: &Who, script: &str, args: &[&str], stdin: &[u8]) -> Outcome {
        self.command(who, script, args).run(stdin)
    }

    fn command(&self, who: &Who, script: &str, args: &[&str]) -> Script {
        let mut command = self.script("exec");
        match who {
            Who::Root => {}
            Who::LoggedIn(user) => command = command.args(&["--user", user]),
            Who::NoSession(user) => command = command.args(&["--user", user, "--no-session"]),
        }
        let script = format!("PATH={PROGRAMS}:$PATH\nexport PATH\n{script}");
        command.args(&["--", "sh", "-ec", &script, "sh"]).args(args)
    }

    /// Logs [`PERSON`] in until the value is dropped.
    pub fn login(&self) -> Login {
        let who = Who::LoggedIn(PERSON.to_owned());
        let mut child = self
            .command(&who, "echo in; exec cat", &[])
            .0
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 2];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Login(child)
    }

    /// Writes a file, with the directories above it.
    #[track_caller]
    pub fn write(&self, who: &Who, path: &str, content: &str) {
        let script = r#"mkdir -p "${1%/*}" && cat > "$1""#;
        let _ = self.exec(who, script, &[path], content.as_bytes()).code(0);
    }

    /// A file as text; empty if it does not exist.
    pub fn read(&self, path: &str) -> String {
        self.exec(&Who::Root, r#"cat "$1""#, &[path], b"").out
    }

    /// A clean reboot; returns when the machine is up again.
    #[track_caller]
    pub fn reboot(&self) {
        let _ = self.script("reboot").run(b"").code(0);
    }

    /// The power fails, and returns.
    #[track_caller]
    pub fn power_cut(&self) {
        let _ = self.script("reboot").args(&["--hard"]).run(b"").code(0);
    }

    /// The manager of [`PERSON`] runs from boot on, as after `loginctl enable-linger`.
    #[track_caller]
    pub fn linger(&self) {
        let _ = self.root(&format!("loginctl enable-linger {PERSON}")).code(0);
        let asked = format!("systemctl is-active user@$(id -u {PERSON}).service");
        self.eventually("the user's manager runs", || self.root(&asked).code == 0);
    }

    /// Waits until `look` returns a value; panics with `what` and the journal if it never does.
    #[track_caller]
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            // Read before the last check: a test that was not scheduled checks once more before it fails.
            let late = began.elapsed() >= DEADLINE;
            if let Some(found) = look() {
                return found;
            }
            // Dropping the lab prints the journal.
            assert!(!late, "never happened: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same for a condition.
    #[track_caller]
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        self.until(what, || holds().then_some(()));
    }

    /// Live processes of modules, on the whole machine.
    #[track_caller]
    pub fn processes(&self) -> Vec<Process> {
        let listed = self.root(&format!("{FIXTURE} processes")).code(0);
        let line = |line: &str| {
            let [pid, started, module, cgroups] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            Process {
                pid: pid.parse().unwrap(),
                started: started.parse().unwrap(),
                module: module.to_owned(),
                cgroups: cgroups.to_owned(),
            }
        };
        listed.out.lines().map(line).collect()
    }

    /// The journal of this boot.
    pub fn journal(&self) -> String {
        self.root("journalctl -b --no-pager -o short-precise").out
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- journal of {}:\n{}", self.name, last(&self.journal(), 150));
            eprintln!("--- console:\n{}", last(&self.script("console").run(b"").out, 40));
        }
        let down = self.script("down").run(b"");
        assert!(down.code == 0 || std::thread::panicking(), "{down:?}");
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // Closes its standard input: the shell inside ends, and the session with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn last(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// One call of `systemd-lab`.
struct Script(Command);

impl Script {
    fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    fn run(mut self, stdin: &[u8]) -> Outcome {
        let piped = self.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A program that ends without reading all its input needs no more.
            scope.spawn(move || drop(input.write_all(stdin)));
            Outcome::of(child.wait_with_output().unwrap())
        })
    }
}
