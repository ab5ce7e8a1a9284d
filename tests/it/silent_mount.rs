//! A file system that never answers stops the modules that need it, and nothing else.
//!
//! Needs root, for a mount in a mount namespace of its own; elsewhere it reports that it was skipped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::world::{BINARY, World, fixture};
use crate::support::{processes, until};

/// The daemon of a silent file system, in its own mount namespace. Everything that hangs in it ends with the daemon.
struct SilentMount {
    daemon: Child,
    dir: PathBuf,
}

impl SilentMount {
    /// `None` where this user may not mount.
    fn at(dir: PathBuf) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() || !Path::new("/dev/fuse").exists() {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"SKIPPED silent_mount: needs root and /dev/fuse\n",
            );
            return None;
        }
        std::fs::create_dir(&dir).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).arg(fixture()).arg("silent-mount").arg(&dir);
        let mut daemon = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n");
        Some(Self { daemon, dir })
    }

    /// Starts a hub that sees it, and waits until it answers.
    fn start_hub(&self, world: &World) {
        let pid = self.daemon.id().to_string();
        let port = world.port().to_string();
        let args = ["--target", &pid, "--mount", BINARY, "serve", "--port", &port];
        world.spawn(world.fenced("nsenter".as_ref(), &args));
        world.hub_answers();
    }

    /// How many processes hang in it: not even SIGKILL ends them (D, proc_pid_stat(5)).
    fn stuck(&self) -> usize {
        self.helpers().iter().filter(|(_, state)| state == "D").count()
    }

    /// Processes that look at paths in this namespace, and the letter of their state.
    fn helpers(&self) -> Vec<(u32, String)> {
        let ours = std::fs::read_link(format!("/proc/{}/ns/mnt", self.daemon.id())).unwrap();
        let named = |pid: &u32| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"parachute-path-helper\0")
        };
        let there = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|ns| ns == ours);
        let state = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, stat.rsplit_once(") ")?.1.chars().next()?.to_string()))
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(named).filter(there).filter_map(state).collect()
    }
}

impl Drop for SilentMount {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn kill_leader(world: &World, short: &str) {
    let pid = world.view(short)["pid"].as_u64().unwrap();
    processes::kill(world.processes().iter().find(|p| u64::from(p.pid) == pid).unwrap());
}

fn with_cwd(world: &World, short: &str, cwd: &Path) {
    let program = fixture();
    world.define(short, &[program.to_str().unwrap(), "server"], json!({ "cwd": cwd }));
}

/// The problem names the mount and the path, and a command that works.
fn is_silent(world: &World, mount: &SilentMount, short: &str, needs: &Path) {
    let view = world.problem(short, "path_silent");
    let (dir, needs) = (mount.dir.display(), needs.display());
    let problem = &view["problem"];
    assert_eq!(problem["error_description"], format!("{dir} does not answer, and {short} needs {needs}"));
    assert_eq!(problem["next"], format!("grep -F ' {dir} ' /proc/self/mounts"));
    assert_eq!((&view["pid"], &view["restarts_in_window"]), (&Value::Null, &json!(0)), "{view:#}");
}

#[test]
fn nine_modules_run_beside_one_on_a_silent_mount() {
    let world = World::new();
    let Some(mount) = SilentMount::at(world.file("silent")) else { return };
    let nine: Vec<String> = (1..=9).map(|n| format!("m{n}")).collect();
    for short in &nine {
        world.module(short, &[]);
    }
    let below = mount.dir.join("app");
    with_cwd(&world, "tenth", &below);
    mount.start_hub(&world);
    for short in &nine {
        world.ready(short);
    }
    is_silent(&world, &mount, "tenth", &below);

    // Each is started again after a crash, and the verbs answer.
    for short in &nine {
        let before = world.ready(short);
        kill_leader(&world, short);
        until("another run", || (world.view(short)["pid"].as_u64()? != u64::from(before)).then_some(()));
        world.ready(short);
    }
    let status = world.run(&["status"]).code(1);
    assert!(status.out.contains("does not answer"), "{}", status.out);
    let shown = Command::new("sh").args(["-c", "grep -F ' /proc ' /proc/self/mounts"]).output().unwrap();
    assert!(shown.status.success(), "the form of the hint works");

    // SIGKILL of the hub: what hangs holds neither its lock nor its port.
    assert_eq!(mount.stuck(), 1, "{:?}", mount.helpers());
    world.kill_hub();
    assert_eq!(mount.stuck(), 1, "it was killed with the hub, and cannot die");
    mount.start_hub(&world);
    for short in &nine {
        world.ready(short);
    }
    is_silent(&world, &mount, "tenth", &below);
    world.stop_hub();
    world.expect_no_processes();
}

/// A program, an install directory, a directory of PATH and a link to one of them hang like a working directory. However
/// many modules need the mount, and however often they are checked, one process hangs in it.
#[test]
fn one_process_at_most_hangs_in_a_mount() {
    let world = World::new();
    let Some(mount) = SilentMount::at(world.file("silent")) else { return };
    world.module("web", &[]);
    let below = mount.dir.join("app");
    let link = world.file("link");
    std::os::unix::fs::symlink(&below, &link).unwrap();
    with_cwd(&world, "linked", &link);
    let program = below.join("bin/serve");
    world.command("program", &[program.to_str().unwrap()]);
    world.command("search", &["no-such-program"]);
    let path = format!("PATH=/usr/bin:{}\n", mount.dir.join("bin").display());
    std::fs::write(world.home().join("search/.env"), path).unwrap();
    world.module("installed", &[]);
    world.rows().last_mut().unwrap()["installDir"] = json!(below);
    world.write_rows();
    mount.start_hub(&world);
    world.ready("web");
    let needs = [
        ("linked", link.clone()),
        ("program", program),
        ("search", mount.dir.join("bin/no-such-program")),
        ("installed", below.clone()),
    ];
    for (short, path) in &needs {
        is_silent(&world, &mount, short, path);
    }
    for _ in 0..3 {
        for (short, _) in &needs {
            let said = world.op(short, "start");
            assert_eq!(said["problem"]["error_type"], "path_silent", "{said:#}");
        }
    }
    let helpers = mount.helpers();
    assert!(mount.stuck() == 1 && helpers.len() <= 2, "{helpers:?}");
    // The list of modules reads module.json of each.
    let listed = world.get("/api/modules").unwrap().json();
    assert!(listed.to_string().contains("installed"), "{listed:#}");

    // Its daemon has died: every look fails at once, and says why.
    drop(mount);
    let problem = until("the problem is another one", || {
        let problem = world.op("linked", "start")["problem"].clone();
        (problem["error_type"] == "missing_cwd").then_some(problem)
    });
    let text = problem["error_description"].as_str().unwrap();
    assert!(text.contains("cannot be used: ") && text.contains("not connected"), "{text}");
    assert_eq!(world.view("web")["restarts_in_window"], 0);
    world.stop_hub();
    world.expect_no_processes();
}
