//! Invariants under every fault: at most one run per module, no process left after a stop, no foreign process touched,
//! a hub that answers and stays small, and no data lost on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::support::processes;
use crate::support::world::{World, fixture, free_port};
use crate::support::{eventually, is_late};

/// Limit of a hub's own memory (RssAnon, proc_pid_status(5)) in these tests, in kB. Program text is not in
/// it: a debug build has a hundred megabytes of that.
const OWN_MEMORY: u64 = 64 * 1024;

/// Watches one world from before a fault until after the last stop.
pub struct Watch<'a> {
    world: &'a World,
    strangers: Vec<Stranger>,
    kept: BTreeMap<PathBuf, Vec<u8>>,
    rows: Value,
}

/// A foreign process.
struct Stranger {
    what: &'static str,
    child: Child,
    started: u64,
}

impl<'a> Watch<'a> {
    /// Starts watching. The world has its modules already.
    pub fn over(world: &'a World) -> Self {
        let data = world.home().join("vault-data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("live.db"), [0, 1, 2, 3].repeat(5000)).unwrap();
        let watch = Self { world, strangers: strangers(world), kept: kept(world), rows: rows(world) };
        assert!(watch.kept.len() > 1, "{:?}", watch.kept.keys());
        watch
    }

    /// Checks a running hub now.
    #[track_caller]
    pub fn holds(&self) {
        self.one_life_a_module();
        self.strangers_live();
        eventually("the API answers", || {
            self.world.get("/health").is_some_and(|answer| answer.status == 200)
        });
        self.stays_small();
    }

    /// The same while the module `flood` writes; `look` is called now and then. The flood may take long, but it must
    /// progress.
    #[track_caller]
    pub fn holds_while_flooded(&self, mut look: impl FnMut()) {
        let (mut moved, mut last) = (Instant::now(), String::new());
        loop {
            let late = is_late(moved);
            self.holds();
            look();
            let log = self.world.read_or_empty("flood/logs/flood.log");
            // It listens afterwards: the end of the flood may be the last line of a rotated file.
            if log.contains("flood over") || log.contains("listening on") {
                return;
            }
            // Each line has the time before it.
            let now = log.lines().next_back().unwrap_or_default();
            if now != last {
                (moved, last) = (Instant::now(), now.to_owned());
                continue;
            }
            assert!(!late, "the flood stands still at {last:?}\n{}", self.world.hub_log());
        }
    }

    /// With or without a running hub.
    #[track_caller]
    pub fn one_life_a_module(&self) {
        let mut lives: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let together = processes::together(&self.world.home());
        for process in &together {
            lives.entry(process.module.clone()).or_default().insert(process.life.clone());
        }
        assert!(lives.values().all(|lives| lives.len() <= 1), "{together:#?}\n{}", self.world.hub_log());
    }

    /// Limit of the hub's own memory; not checked on other systems.
    #[track_caller]
    pub fn stays_small(&self) {
        let own = own_memory(self.world.hub_pid());
        assert!(own < OWN_MEMORY, "the hub has {own} kB of its own");
    }

    #[track_caller]
    fn strangers_live(&self) {
        for stranger in &self.strangers {
            assert!(
                processes::alive(stranger.child.id(), stranger.started),
                "{} was touched\n{}",
                stranger.what,
                self.world.hub_log()
            );
        }
    }

    /// Stops the hub; no process is left, and no data was lost.
    #[track_caller]
    pub fn ends(self) {
        self.holds();
        self.world.stop_hub();
        self.at_rest();
    }

    /// The hub has stopped: no process is left, and no data was lost.
    #[track_caller]
    pub fn at_rest(self) {
        self.world.expect_no_processes();
        self.strangers_live();
        assert_eq!(rows(self.world), self.rows, "services.json has changed");
        let now = kept(self.world);
        for (path, bytes) in &self.kept {
            assert_eq!(now.get(path), Some(bytes), "{} is not what it was", path.display());
        }
        let log = self.world.hub_log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        for stranger in &mut self.strangers {
            let _ = stranger.child.kill();
            let _ = stranger.child.wait();
        }
    }
}

/// Similar processes: the same program with the same arguments; one that works inside a module's directory; and a
/// module of another home, with all marks.
fn strangers(world: &World) -> Vec<Stranger> {
    let start = |what, program: &str, args: &[&str], set: &dyn Fn(&mut Command)| {
        let mut command = Command::new(program);
        command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        set(&mut command);
        let child = command.spawn().unwrap();
        let started = crate::support::until("it runs", || processes::identity(child.id())).0;
        Stranger { what, child, started }
    };
    let program = fixture();
    let program = program.to_str().unwrap();
    let inside = world.home();
    vec![
        start("the look-alike", program, &["server"], &|command| {
            command.env("PORT", free_port().to_string());
        }),
        start("who works in the home", "sleep", &["100000"], &|command| {
            command.current_dir(&inside);
        }),
        start("the module of another home", program, &["server"], &|command| {
            command.env("PORT", free_port().to_string()).env("PARACHUTE_HOME", "/nonexistent/home");
            command.env("PARACHUTE_MODULE", "plain").env("PARACHUTE_INCARNATION", "x:plain:1");
        }),
    ]
}

/// The user's files in a home: all except the hub's own files, and the rows, which are compared by meaning.
fn kept(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(dir: &std::path::Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let written =
                ["logs", "run", "hub", "services.json", "operator.token"].iter().any(|own| name == *own);
            if written || name.to_string_lossy().starts_with(".services") {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&world.home(), &mut found);
    found
}

fn rows(world: &World) -> Value {
    serde_json::from_str(&world.read("services.json")).unwrap()
}

/// Memory that a process does not share, in kB.
pub fn own_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
