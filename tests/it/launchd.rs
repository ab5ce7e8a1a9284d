//! A hub that believes that launchd started it: its exit codes, and its log files.

use std::fs::File;
use std::io::Write;

use crate::support::eventually;
use crate::support::world::World;

fn job(world: &World, args: &[&str]) -> std::process::Command {
    let mut hub = world.parachute(args);
    hub.env("XPC_SERVICE_NAME", "computer.parachute.hub");
    hub
}

/// launchd opens the job's file for appending, and its directory exists.
fn file_of_job(world: &World) -> File {
    std::fs::create_dir_all(world.home().join("hub/logs")).unwrap();
    File::options().append(true).create(true).open(world.home().join("hub/logs/launchd.log")).unwrap()
}

/// `KeepAlive{SuccessfulExit:false}` would restart a hub that needs the user's action every ten seconds for ever.
#[test]
fn a_hub_that_needs_the_user_exits_with_zero_under_launchd_and_with_78_elsewhere() {
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
        launchds.contains("not started; it needs you to act first: ") && launchds.contains(reason),
        "{launchds}"
    );
    let log = world.run(&["logs", "hub"]).code(0);
    assert!(log.out.contains(reason) && log.out.contains("hint: "), "{log:?}");
    assert!(log.err.contains("hub/logs/launchd.log"), "{log:?}");
    drop(stranger);
}

/// Neither file grows without limit, and the previous content is kept once.
#[test]
fn launchds_file_is_truncated_at_start_and_gets_no_lines_while_the_hub_runs() {
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
