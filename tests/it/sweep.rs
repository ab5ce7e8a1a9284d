//! `parachute migrate` without a mode: leftovers are moved into the archive of the day, restored, and never lost.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::eventually;
use crate::support::world::{Outcome, World, fixture};

/// A verb that queries no service manager of this machine.
fn migrate(world: &World, args: &[&str]) -> Command {
    let mut command = world.parachute(&["migrate"]);
    command.args(args).env("PARACHUTE_TOOLS_UNDER", world.file("no tools"));
    command
}

fn run(world: &World, args: &[&str]) -> Outcome {
    Outcome::of(migrate(world, args).output().unwrap())
}

fn json(world: &World, args: &[&str]) -> Value {
    serde_json::from_str(&run(world, &[args, &["--json"]].concat()).code(0).out).unwrap()
}

/// The archive of today, by the program's date.
fn archive(world: &World) -> PathBuf {
    json(world, &["--dry-run"])["archive"].as_str().unwrap().into()
}

fn put(world: &World, name: &str, text: &str) {
    let path = world.home().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Every kind of leftover, and what must stay.
fn lay_out(world: &World) {
    for name in
        ["daily.db", "daily.db-wal", "daily.db-shm", "server.yaml", "logs/deep/a.log", "hub/x", "theirs"]
    {
        put(world, name, name);
    }
    put(world, "tokens.db-\n\u{1b}[2J", "hostile");
    let home = world.home();
    let odd = std::ffi::OsStr::from_bytes(b"daily.db-\xff\x1b[2J");
    std::fs::write(home.join(odd), "not UTF-8").unwrap();
    symlink("/nowhere", home.join("logs/dangling")).unwrap();
    symlink("cycle2", home.join("logs/cycle1")).unwrap();
    symlink("cycle1", home.join("logs/cycle2")).unwrap();
    symlink(world.file("outside"), home.join("logs/out")).unwrap();
    std::fs::write(world.file("outside"), "outside").unwrap();
    symlink(world.file("outside"), home.join("channel.log")).unwrap();
    symlink("/nowhere", home.join("channel.err")).unwrap();
}

/// Everything below a directory: its kind, and its content or link target.
fn all(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(at) = dirs.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let holds = if meta.is_symlink() {
                format!("-> {}", path.read_link().unwrap().display())
            } else if meta.is_dir() {
                dirs.push(path.clone());
                String::new()
            } else {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            };
            let times = if meta.is_dir() { 0 } else { meta.mtime_nsec() };
            found.insert(
                path.strip_prefix(dir).unwrap().to_owned(),
                format!("{:o} {times} {holds}", meta.mode()),
            );
        }
    }
    found
}

#[test]
fn leftovers_are_moved_into_the_archive_of_the_day_and_restored_unchanged() {
    let world = World::new();
    lay_out(&world);
    let before = all(&world.home());
    for args in [&["--list"][..], &["--dry-run"], &["--list", "--json"], &["--dry-run", "--json"]] {
        let said = run(&world, args).code(0);
        assert!(said.out.contains("daily.db-wal") && !said.out.contains('\u{1b}'), "{said:#?}");
    }
    assert_eq!(all(&world.home()), before, "listing changes nothing");
    let to = archive(&world);
    let said = run(&world, &["--yes"]).code(0);
    assert!(said.out.starts_with("✓ 8 things moved into .archive-"), "{said:#?}");
    assert!(!said.err.contains('\u{1b}'), "{said:#?}");
    let left: Vec<PathBuf> =
        all(&world.home()).into_keys().filter(|path| path.components().count() == 1).collect();
    let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"daily.db-\xff\x1b[2J"));
    assert_eq!(
        left,
        [PathBuf::from(to.file_name().unwrap()), odd, "hub".into(), "theirs".into()],
        "no install"
    );
    assert_eq!(
        std::fs::read_link(to.join("channel.log")).unwrap(),
        world.file("outside"),
        "the link is moved"
    );
    assert_eq!(std::fs::read(world.file("outside")).unwrap(), b"outside");
    assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o777, 0o700);
    // Again: nothing is left to do.
    let again = run(&world, &[]).code(0);
    assert!(again.out.contains("nothing here would be moved"), "{again:#?}");
    let day = to.file_name().unwrap().to_str().unwrap().strip_prefix(".archive-").unwrap().to_owned();
    let listed = run(&world, &["--list"]).code(0);
    assert!(listed.out.contains(&format!("parachute migrate --unarchive {day}")), "{listed:#?}");
    let _ = run(&world, &["--unarchive", &day, "--yes"]).code(0);
    assert_eq!(all(&world.home()), before);
    let none = run(&world, &["--unarchive", &day, "--yes"]).code(1);
    assert!(none.err.contains("there is no archive of") && none.err.contains("--list"), "{none:#?}");
}

#[test]
fn nothing_to_do_wrong_usage_and_no_terminal() {
    let world = World::new();
    assert!(run(&world, &[]).code(0).out.contains(" has no files of an older version"));
    let nowhere = Outcome::of(world.parachute(&["migrate", "--home", "/nowhere/at/all"]).output().unwrap());
    assert!(nowhere.code(0).out.contains(" has no files of an older version"));
    put(&world, "theirs", "x");
    assert!(run(&world, &[]).code(0).out.contains("unknown, left as it is"));
    put(&world, "server.yaml", "x");
    let said = run(&world, &[]).code(1);
    assert!(said.err.contains("hint: parachute migrate --yes"), "{said:#?}");
    for args in
        [&["--unarchive", "../../etc"][..], &["--unarchive", "2026-3-1"], &["--list", "--yes"], &["x"]]
    {
        let _ = run(&world, args).code(2);
    }
    assert!(world.home().join("server.yaml").exists());
}

#[test]
fn the_same_day_again_replaces_nothing() {
    let world = World::new();
    put(&world, "daily.db", "one");
    put(&world, "daily.db-wal", "one");
    let to = archive(&world);
    let _ = run(&world, &["--yes"]).code(0);
    // A dangling link counts as a file, too.
    symlink("/nowhere", to.join("server.yaml")).unwrap();
    for text in ["two", "three"] {
        put(&world, "daily.db", text);
        put(&world, "server.yaml", text);
        let _ = run(&world, &["--yes"]).code(0);
    }
    let read = |name: &str| std::fs::read_to_string(to.join(name)).unwrap();
    let texts =
        ["daily.db", "daily.db.dup-1", "daily.db.dup-2", "server.yaml.dup-1", "server.yaml.dup-2"].map(read);
    assert_eq!(texts, ["one", "two", "three", "two", "three"]);
    assert_eq!(std::fs::read_link(to.join("server.yaml")).unwrap(), Path::new("/nowhere"));
    // Back: the first one, with its related files, unless a name is taken; the rest stays.
    put(&world, "daily.db-wal", "new");
    let day = to.file_name().unwrap().to_str().unwrap().strip_prefix(".archive-").unwrap().to_owned();
    let said = run(&world, &["--unarchive", &day, "--yes"]).code(1);
    assert!(
        said.out.contains("daily.db stays: ") && said.out.contains("server.yaml.dup-1 stays: "),
        "{said:#?}"
    );
    assert_eq!(std::fs::read_link(world.home().join("server.yaml")).unwrap(), Path::new("/nowhere"));
    assert_eq!(std::fs::read_to_string(world.home().join("daily.db-wal")).unwrap(), "new");
    // No database is placed beside the write-ahead log of another.
    assert!(
        !world.home().join("daily.db").exists() && said.out.contains("daily.db.dup-2 stays: "),
        "{said:#?}"
    );
    assert_eq!((read("daily.db-wal"), read("daily.db.dup-1")), ("one".to_owned(), "two".to_owned()));
}

/// A process of the test, killed on drop.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn nothing_is_moved_while_a_process_uses_the_home() {
    let world = World::new();
    put(&world, "server.yaml", "x");
    let port = world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let said = run(&world, &["--yes"]).code(1);
    let pid = format!("pid {}", world.hub_pid());
    assert!(said.err.contains(&pid) && said.err.contains("hint: parachute stop"), "{said:#?}");
    let _ = run(&world, &["--dry-run"]).code(0);
    let _ = run(&world, &["--list"]).code(0);
    world.stop_hub();

    // A process of the detached hub, by its pidfile.
    let sleeper = Sleeper::start();
    let pidfile = world.home().join("vault/run/vault.pid");
    put(&world, "vault/run/vault.pid", &format!("{}\n", sleeper.0.id()));
    let said = run(&world, &["--yes"]).code(1);
    assert!(said.err.contains(&format!("pid {} (sleep) runs", sleeper.0.id())), "{said:#?}");
    // The file is older than the process: its pid was reused.
    let file = std::fs::File::options().write(true).open(&pidfile).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400 * 400)).unwrap();
    assert!(world.home().join("server.yaml").exists());

    // A listener on a port of this home that works in it; one that works elsewhere is a foreign process.
    let serve = |dir: PathBuf| {
        let mut command = Command::new(fixture());
        command.arg("server").env_clear().env("PORT", port.to_string()).current_dir(dir);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Sleeper(child)
    };
    let server = serve(world.home());
    let said = run(&world, &["--yes"]).code(1);
    assert!(said.err.contains(&format!("pid {} listens on port {port}", server.0.id())), "{said:#?}");
    drop(server);
    let _stranger = serve("/".into());
    let _ = run(&world, &["--yes"]).code(0);
    assert!(!world.home().join("server.yaml").exists());
}

#[test]
fn a_sweep_killed_anywhere_is_finished_by_the_next_run() {
    for fault in ["kill 1", "kill-after 1", "kill 2", "kill-after 2", "kill 4", "kill-after 9"] {
        let world = World::new();
        lay_out(&world);
        let before = all(&world.home());
        let to = archive(&world);
        let killed = migrate(&world, &["--yes"]).env("PARACHUTE_FAULT", fault).output().unwrap();
        let _ = Outcome::of(killed).code(128 + 9);
        assert!(world.home().join("install/journal.jsonl").exists());
        assert!(run(&world, &["--list"]).code(0).out.contains("was interrupted; the next one"), "{fault}");
        let said = run(&world, &["--yes"]).code(0);
        assert!(said.err.contains("was interrupted; it is finished first"), "{fault}: {said:#?}");
        assert!(to.join("daily.db-shm").exists() && !world.home().join("install").exists(), "{fault}");
        let day = to.file_name().unwrap().to_str().unwrap().strip_prefix(".archive-").unwrap().to_owned();
        let _ = run(&world, &["--unarchive", &day, "--yes"]).code(0);
        assert_eq!(all(&world.home()), before, "{fault}");
    }
}

#[test]
fn a_step_that_fails_undoes_everything() {
    for at in 1..=9 {
        let world = World::new();
        lay_out(&world);
        let before = all(&world.home());
        let failed =
            migrate(&world, &["--yes"]).env("PARACHUTE_FAULT", format!("fail {at}")).output().unwrap();
        let failed = Outcome::of(failed).code(1);
        assert!(failed.err.contains("everything is as it was before"), "{failed:#?}");
        assert_eq!(all(&world.home()), before, "a failure at step {at}");
    }
}

/// Another program created a file in the place of a killed sweep's target: it stays, and the sweep is undone.
#[test]
fn a_file_created_meanwhile_stays() {
    let world = World::new();
    lay_out(&world);
    let before = all(&world.home());
    let to = archive(&world);
    let _ =
        Outcome::of(migrate(&world, &["--yes"]).env("PARACHUTE_FAULT", "kill 5").output().unwrap()).code(137);
    std::fs::write(to.join("server.yaml"), "theirs").unwrap();
    let said = run(&world, &["--yes"]).code(1);
    assert!(said.err.contains("a file at ") && said.err.contains("server.yaml is in the way"), "{said:#?}");
    assert_eq!(std::fs::read(to.join("server.yaml")).unwrap(), b"theirs");
    std::fs::remove_file(to.join("server.yaml")).unwrap();
    std::fs::remove_dir(&to).unwrap();
    assert_eq!(all(&world.home()), before);
}

/// The archive is on another file system.
#[test]
fn between_file_systems_files_are_copied_and_removed() {
    let memory = Path::new("/dev/shm");
    let world = World::new();
    let dev = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    if dev(memory).is_none() || dev(memory) == dev(&world.home()) {
        eprintln!(
            "SKIPPED: /dev/shm is no file system of its own here, so nothing can be moved to another one"
        );
        return;
    }
    for fault in ["", "kill 7", "kill-after 7", "fail 7"] {
        let other = tempfile::tempdir_in(memory).unwrap();
        let world = World::new();
        lay_out(&world);
        let before = all(&world.home());
        let to = archive(&world);
        symlink(other.path(), &to).unwrap();
        if !fault.is_empty() {
            let code = if fault.starts_with("kill") { 137 } else { 1 };
            let broken = migrate(&world, &["--yes"]).env("PARACHUTE_FAULT", fault).output().unwrap();
            let _ = Outcome::of(broken).code(code);
        }
        if fault.starts_with("kill") {
            // The result of a copy that was killed in the middle; one that was killed after it leaves the copy.
            let dir = if fault == "kill 7" { other.path() } else { &world.home() };
            std::fs::create_dir_all(dir.join(".logs.tmp-1-2/half")).unwrap();
        }
        let _ = run(&world, &["--yes"]).code(0);
        let there = all(other.path());
        assert!(
            there.contains_key(Path::new("logs/deep/a.log")) && !world.home().join("logs").exists(),
            "{fault}"
        );
        let day = to.file_name().unwrap().to_str().unwrap().strip_prefix(".archive-").unwrap().to_owned();
        let _ = run(&world, &["--unarchive", &day, "--yes"]).code(0);
        std::fs::remove_file(&to).unwrap();
        assert_eq!(all(&world.home()), before, "{fault}");
    }
}

/// The day is the local one, not that of UTC: these two zones never have the same date.
#[test]
fn the_day_is_a_local_one() {
    let world = World::new();
    put(&world, "server.yaml", "x");
    let day = |zone: &str| {
        let said =
            Outcome::of(migrate(&world, &["--dry-run", "--json"]).env("TZ", zone).output().unwrap()).code(0);
        let value: Value = serde_json::from_str(&said.out).unwrap();
        value["archive"].as_str().unwrap().to_owned()
    };
    assert!(day("XXX-14") > day("YYY12"), "{} {}", day("XXX-14"), day("YYY12"));
}
