//! A hub that believes launchd started it: what it may exit with, and what it writes where.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::support::eventually;
use crate::support::world::{Outcome, World};

fn job(world: &World, args: &[&str]) -> std::process::Command {
    let mut hub = world.parachute(args);
    hub.env("XPC_SERVICE_NAME", "computer.parachute.hub");
    hub
}

/// launchd opens the job's file for appending, and its directory is there.
fn file_of_job(world: &World) -> File {
    std::fs::create_dir_all(world.home().join("hub/logs")).unwrap();
    File::options().append(true).create(true).open(world.home().join("hub/logs/launchd.log")).unwrap()
}

/// `KeepAlive{SuccessfulExit:false}` would start a hub that a person must help every ten seconds for ever.
#[test]
fn what_a_person_must_act_on_ends_with_zero_there_and_with_78_elsewhere() {
    let world = World::new();
    let stranger = std::net::TcpListener::bind(("127.0.0.1", world.port())).unwrap();
    let args = ["serve", "--port", &world.port().to_string()];
    let elsewhere = world.run(&args).code(78);
    let file = file_of_job(&world);
    let status = job(&world, &args).stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let reason = elsewhere.err.lines().next().unwrap();
    assert!(reason.contains("is held by pid"), "{reason}");
    let launchds = world.read("hub/logs/launchd.log");
    assert!(
        launchds.contains("not started, until a person acts: ") && launchds.contains(reason),
        "{launchds}"
    );
    let log = world.run(&["logs", "hub"]).code(0);
    assert!(log.out.contains(reason) && log.out.contains("hint: "), "{log:?}");
    assert!(log.err.contains("hub/logs/launchd.log"), "{log:?}");
    drop(stranger);
}

/// U18, P-U6: neither file grows without bound, and what was in them is kept once.
#[test]
fn its_file_is_cut_at_start_and_gets_nothing_while_the_hub_runs() {
    let world = World::new();
    let mut file = file_of_job(&world);
    let line = [vec![b'x'; 99], b"\n".to_vec()].concat();
    file.write_all(&line.repeat(30_000)).unwrap();
    file.write_all(b"panicked at last\n").unwrap();
    world.module("flood", &["--flood", "2000000", "100"]);
    let mut hub = job(&world, &["serve", "--port", &world.port().to_string()]);
    world.hold(hub.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    world.hub_answers();
    world.ready("flood");
    let kept = world.read("hub/logs/launchd.log.1");
    assert!(kept.len() <= 1024 * 1024 && kept.ends_with("panicked at last\n") && kept.starts_with('x'));
    assert_eq!(world.read("hub/logs/launchd.log"), "");
    eventually("the hub's own log has it", || {
        let log = world.run(&["logs", "hub"]).code(0).out;
        log.contains("listening on http://") && log.contains("[supervisor] flood: ready")
    });
    world.stop_hub();
    let log = world.run(&["logs", "hub", "-n", "1"]).code(0);
    assert_eq!(log.out, "stopped\n");
}

/// launchd has no key for it, and a property list is no place for secrets.
#[test]
fn the_hub_reads_its_own_environment_there() {
    let world = World::new();
    let (file, secret) = (world.file("dump"), "planted-secret-77ab");
    world.module("web", &["--dump", file.to_str().unwrap()]);
    let env = world.home().join("hub.env");
    std::fs::write(&env, format!("# of a person\nAPI_KEY='{secret}'\nLANG=C\n")).unwrap();
    let mode = |mode| std::fs::set_permissions(&env, std::fs::Permissions::from_mode(mode)).unwrap();
    let args = ["serve", "--port", &world.port().to_string()];

    mode(0o622);
    let refused = Outcome::of(job(&world, &args).output().unwrap()).code(0);
    assert!(refused.err.contains("not started, until a person acts: "), "{refused:?}");
    assert!(refused.err.contains("hint: chmod 600 "), "{refused:?}");

    mode(0o644);
    let mut hub = job(&world, &args);
    world.spawn({
        hub.env("LANG", "en_US.UTF-8");
        hub
    });
    world.hub_answers();
    world.ready("web");
    let given = std::fs::read_to_string(&file).unwrap();
    assert!(given.contains(&format!("API_KEY={secret}\n")), "{given}");
    assert!(given.contains("LANG=C\n"), "the file wins, as under systemd: {given}");
    let status = world.status();
    assert!(status["notes"].to_string().contains("can be read by others (mode 0644): chmod 600"), "{status}");
    assert!(
        !status.to_string().contains(secret) && !world.read_or_empty("hub/logs/hub.log").contains(secret)
    );
    world.stop_hub();

    // Anywhere else it is the manager's, or the person's, to give.
    std::fs::remove_file(&file).unwrap();
    world.start_hub();
    world.ready("web");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(secret));
    world.stop_hub();
}
