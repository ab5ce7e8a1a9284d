//! A world with a launchd: the model of `tests/fixture/launchd.rs`, behind a `launchctl` that is the only
//! usable tool. Nothing here has run on a Mac; the tests prove that the program and the model agree.
//!
//! Root has no agents, so where tests run as root the user of this world is `nobody`.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::executable;
use super::program::{BINARY, Outcome, fixture};
use super::world::World;
use super::{DEADLINE, until};

/// The hub's label.
pub const LABEL: &str = "computer.parachute.hub";
/// In passwd(5) everywhere: 65534 on Linux.
const NOBODY: u32 = 65_534;

/// A world with a launchd.
pub struct Mac {
    /// The world.
    pub world: World,
    uid: u32,
}

impl Mac {
    /// A new one, without an installation.
    pub fn new() -> Self {
        let me = nix::unistd::getuid().as_raw();
        let mac = Self { world: World::new(), uid: if me == 0 { NOBODY } else { me } };
        let world = &mac.world;
        for dir in ["launchd", "person", "tools", "programs"] {
            std::fs::create_dir(world.file(dir)).unwrap();
        }
        // The directories above the built ones may be closed to other users; where a link does not work, a copy is
        // used.
        for (from, name) in [(Path::new(BINARY), "parachute"), (&fixture(), "fixture")] {
            let to = world.file("programs").join(name);
            if std::fs::hard_link(from, &to).is_err() {
                executable::copy(from, &to);
            }
        }
        symlink(mac.fixture(), world.tools().join("launchctl")).unwrap();
        std::fs::write(world.file("launchd/owner"), std::process::id().to_string()).unwrap();
        let top = world.file("");
        std::fs::set_permissions(&top, std::fs::Permissions::from_mode(0o755)).unwrap();
        mac.give();
        mac
    }

    /// The fixture program, at a path that the user of this world can reach.
    pub fn fixture(&self) -> PathBuf {
        self.world.file("programs/fixture")
    }

    /// Adds a module that runs the fixture.
    pub fn module(&self, short: &str, args: &[&str]) {
        let program = self.fixture();
        let mut argv = vec![program.to_str().unwrap(), "server"];
        argv.extend(args);
        self.world.command(short, &argv);
        self.give();
    }

    /// Gives the files of the test to the user.
    pub fn give(&self) {
        if nix::unistd::getuid().is_root() {
            chown(self.world.file(""), Some(self.uid), Some(self.uid)).unwrap();
            for dir in ["home", "person", "launchd"] {
                give(&self.world.file(dir), self.uid);
            }
        }
    }

    /// `gui/65534`
    pub fn domain(&self) -> String {
        format!("gui/{}", self.uid)
    }

    /// `gui/65534/computer.parachute.hub`
    pub fn target(&self) -> String {
        format!("{}/{LABEL}", self.domain())
    }

    /// The path of the hub's plist.
    pub fn plist(&self) -> PathBuf {
        self.world.file("person/Library/LaunchAgents").join(format!("{LABEL}.plist"))
    }

    /// A command of the binary, as the user of this world.
    pub fn parachute(&self, args: &[&str]) -> Command {
        let mut command = self.world.fenced(&self.world.file("programs/parachute"), args);
        self.person(&mut command);
        command
    }

    fn person(&self, command: &mut Command) {
        let path = std::env::join_paths([&self.world.tools(), Path::new("/usr/bin"), Path::new("/bin")]);
        command
            .env("PATH", path.unwrap())
            .env("HOME", self.world.file("person"))
            .env("PARACHUTE_MANAGER", "launchd")
            .env("LAUNCHD_MODEL", self.world.file("launchd"))
            .env("LAUNCHD_MODEL_THROTTLE_MS", "300");
        if nix::unistd::getuid().is_root() {
            command.uid(self.uid).gid(self.uid);
        }
    }

    /// Runs a verb to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.parachute(args).output().unwrap())
    }

    /// The same, and it must succeed.
    #[track_caller]
    pub fn does(&self, args: &[&str]) {
        let _ = self.run(args).code(0);
    }

    /// [`Self::init`], and it must succeed.
    #[track_caller]
    pub fn installed(&self) {
        let _ = self.init().code(0);
    }

    /// `init --yes` on the port of this world.
    pub fn init(&self) -> Outcome {
        self.run(&["init", "--yes", "--port", &self.world.port().to_string()])
    }

    /// The same, with this fault of the plan.
    pub fn init_with(&self, fault: &str) -> Outcome {
        let port = self.world.port().to_string();
        let mut init = self.parachute(&["init", "--yes", "--port", &port]);
        Outcome::of(init.env("PARACHUTE_FAULT", fault).output().unwrap())
    }

    /// Runs the model's `launchctl`, as another program of the user would.
    pub fn launchctl(&self, args: &[&str]) -> Outcome {
        let mut command = Command::new(self.world.tools().join("launchctl"));
        command.args(args).env_clear();
        self.person(&mut command);
        Outcome::of(command.output().unwrap())
    }

    /// The same, and it must succeed.
    #[track_caller]
    pub fn manager_does(&self, args: &[&str]) {
        let _ = self.launchctl(args).code(0);
    }

    /// The next faults: see `tests/fixture/launchctl.rs`.
    pub fn faults(&self, lines: &str) {
        std::fs::write(self.world.file("launchd/faults"), lines).unwrap();
        self.give();
    }

    /// The calls so far that change something, by their verbs.
    pub fn changes(&self) -> String {
        let calls = std::fs::read_to_string(self.world.file("launchd/calls")).unwrap_or_default();
        let verbs = calls.lines().filter_map(|line| line.split(' ').next());
        verbs.filter(|verb| !verb.starts_with("print")).collect::<Vec<_>>().join(" ")
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        let _ = std::fs::remove_file(self.world.file("launchd/calls"));
    }

    /// The hub's job in the model.
    pub fn job(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.world.file("launchd/jobs").join(LABEL)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Pid of the hub's job, when it runs.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        let pid = until("the job runs", || self.job()?["pid"].as_u64());
        u32::try_from(pid).unwrap()
    }

    /// The overrides in the model.
    pub fn overrides(&self) -> Value {
        let text = std::fs::read_to_string(self.world.file("launchd/disabled")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Every file and directory of the user and of the home, with mode and size.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut dirs = vec![self.world.home(), self.world.file("person")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let (path, meta) = (entry.path(), entry.metadata().unwrap());
                let len = if meta.is_dir() { 0 } else { meta.len() };
                found.push(format!("{} {:o} {len}", path.display(), meta.permissions().mode()));
                if meta.is_dir() {
                    dirs.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// A screen without values that differ between worlds.
    pub fn plain(&self, text: &str) -> String {
        let top = self.world.file("");
        let text = text.replace(top.to_str().unwrap().trim_end_matches('/'), "WORLD");
        text.replace(&self.uid.to_string(), "UID").replace(&self.world.port().to_string(), "PORT")
    }
}

/// A tree, except for links.
fn give(path: &Path, uid: u32) {
    if path.is_symlink() {
        return;
    }
    chown(path, Some(uid), Some(uid)).unwrap();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        give(&entry.path(), uid);
    }
}

impl Drop for Mac {
    fn drop(&mut self) {
        let dir = self.world.file("launchd");
        let _ = std::fs::write(dir.join("halt"), "");
        let began = Instant::now();
        let jobs = || std::fs::read_dir(dir.join("jobs")).map_or(0, Iterator::count);
        // Not `until`: a second panic would hide the first.
        while jobs() > 0 && began.elapsed() < DEADLINE {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
