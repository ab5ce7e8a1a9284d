//! A full home, and a home that cannot be written: on its own small file system.

use std::process::Command;

use nix::unistd::geteuid;
use serde_json::json;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::world::{Outcome, World};
use crate::support::{eventually, http};

/// A world whose hub has its home on a file system of 4 MB, in its own mount namespace.
struct Small {
    world: World,
    port: u16,
}

impl Small {
    /// `None` where mounting is not allowed.
    fn new() -> Option<Self> {
        if !geteuid().is_root() || cfg!(not(target_os = "linux")) {
            eprintln!("skipped: only root can mount a small file system");
            return None;
        }
        let world = World::new();
        // It crashes once a round, and many rounds are not a crash loop.
        let often = json!({ "kill_timeout": "300ms", "restart": { "max": 1_000_000, "cap": "200ms" } });
        let port = world.define("plain", &[fixture().as_str(), "server"], often);
        Some(Self { world, port })
    }

    fn start(&self) {
        let world = &self.world;
        let hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
        let script = "cp -a \"$1\" \"$1.copy\" && mount -t tmpfs -o size=4m,mode=700 none \"$1\" && \
                      cp -a \"$1.copy/.\" \"$1\" && shift && exec \"$@\"";
        let mut shell = Command::new("unshare");
        shell.args(["-m", "--propagation", "private", "/bin/sh", "-c", script, "sh"]).arg(world.home());
        shell.arg(hub.get_program()).args(hub.get_args());
        shell.env_clear().envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))));
        world.spawn(shell);
        let health = || http::tcp(world.port(), "GET", "/health", &[("host", "localhost")]);
        eventually("the hub answers", || health().is_some_and(|answer| answer.status == 200));
    }

    /// A command in the hub's mount namespace.
    fn inside(&self, command: &Command) -> Outcome {
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &self.world.hub_pid().to_string(), "-m", "--"]).arg(command.get_program());
        enter.args(command.get_args()).env_clear();
        enter
            .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))))
            .stdin(std::process::Stdio::null());
        Outcome::of(enter.output().unwrap())
    }

    fn verb(&self, args: &[&str]) -> Outcome {
        self.inside(&self.world.parachute(args))
    }

    /// A script with the home as `$1`.
    fn script(&self, script: &str) -> Outcome {
        let mut command = Command::new("/bin/sh");
        command.env("PATH", "/usr/bin:/bin").args(["-c", script, "sh"]).arg(self.world.home());
        self.inside(&command)
    }

    /// The module in `status --json`.
    fn view(&self) -> serde_json::Value {
        let said = self.verb(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_default();
        status["modules"][0].clone()
    }

    fn restarts(&self) -> u64 {
        self.view()["restarts"].as_u64().unwrap_or(0)
    }
}

fn fixture() -> String {
    crate::support::world::fixture().to_str().unwrap().to_owned()
}

/// Every failed write is reported, existing files stay unchanged, and a crash is followed by a restart.
fn without_writing(small: &Small, spoil: &str, mend: &str, rounds: usize) {
    let world = &small.world;
    let watch = Watch::over(world);
    small.start();
    eventually("it is ready", || small.view()["ready"] == true);
    for round in 0..rounds {
        let before = small.script("cat \"$1/services.json\"").code(0).out;
        let _ = small.script(spoil).code(0);
        let failed = small.verb(&["add", "more", "--no-listen", "--", "sleep", "1000"]);
        assert_eq!(failed.code, 1, "{failed:?}");
        assert!(failed.err.contains("No space left") || failed.err.contains("Read-only"), "{failed:?}");
        assert_eq!(small.script("cat \"$1/services.json\"").code(0).out, before, "round {round}");

        let restarts = small.restarts();
        let _ = http::tcp(small.port, "GET", "/crash", &[]);
        eventually("the crash is counted", || small.restarts() > restarts);
        eventually("it is ready again", || small.view()["ready"] == true);
        watch.one_life_a_module();

        let _ = small.script(mend).code(0);
        let _ = small.verb(&["add", "more", "--no-listen", "--", "sleep", "1000"]).code(0);
        eventually("what is added is started", || world.processes().iter().any(|p| p.module == "more"));
        let _ = small.verb(&["remove", "more", "--purge", "--yes"]).code(0);
        let now: serde_json::Value =
            serde_json::from_str(&small.script("cat \"$1/services.json\"").code(0).out).unwrap();
        assert_eq!(now, serde_json::from_str::<serde_json::Value>(&before).unwrap(), "round {round}");
    }
    watch.stays_small();
    world.stop_hub();
    watch.at_rest();
}

/// The disk is full.
pub fn full(scale: &Scale) {
    let Some(small) = Small::new() else { return };
    let fill = "cat /dev/zero > \"$1/hog\" 2> /dev/null; test -s \"$1/hog\"";
    without_writing(&small, fill, "rm \"$1/hog\"", scale.of(1, 100));
}

/// Files opened from now on cannot be written, as after a disk error.
pub fn read_only(scale: &Scale) {
    let Some(small) = Small::new() else { return };
    // A file system with files open for writing is not made read-only; one mounted over it is.
    let (spoil, mend) = ("mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"", "umount -l \"$1\"");
    without_writing(&small, spoil, mend, scale.of(1, 100));
}
