//! What the hub says about itself, and what `-v` shows.

use std::os::fd::AsFd;
use std::process::Stdio;

use crate::support::http;
use crate::support::mac::Mac;
use crate::support::stream::Live;
use crate::support::world::World;

fn hub(world: &World, log: &str) {
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    hub.env("PARACHUTE_LOG", log);
    world.spawn(hub);
    world.hub_answers();
}

/// Both places where the hub's lines go.
fn lines(world: &World) -> [String; 2] {
    [world.hub_log(), world.read("hub/logs/hub.log")]
}

#[test]
fn more_is_said_when_it_is_asked_for_and_no_secret() {
    let world = World::new();
    world.module("web", &[]);
    hub(&world, "debug");
    let pid = world.ready("web");
    let token = world.read("operator.token");
    let bearer = format!("Bearer {}", token.trim());
    let host = format!("127.0.0.1:{}", world.port());
    let headers = [("host", host.as_str()), ("authorization", bearer.as_str())];
    let answer = http::tcp(world.port(), "GET", "/api/status?key=s3cret", &headers).unwrap();
    assert_eq!(answer.status, 200);
    world.stop_hub();
    for text in lines(&world) {
        for said in [
            format!(
                "debug parachute::supervisor::actor::beginning: spawned module=web program={}",
                crate::support::program::fixture().display()
            ),
            format!(" pid={pid} "),
            "its port is bound module=web".to_owned(),
            "a request was answered method=GET path=/api/status status=200 ms=".to_owned(),
            "debug parachute::supervisor::supervisor: services.json is read rows=1".to_owned(),
            "its process has ended module=web".to_owned(),
        ] {
            assert!(text.contains(&said), "{said:?} is not in:\n{text}");
        }
        assert!(!text.contains("s3cret") && !text.contains(token.trim()), "{text}");
    }
    assert!(world.hub_log().contains(&format!("[supervisor] web: ready pid={pid}\n")), "{}", world.hub_log());
}

#[test]
fn by_default_a_line_is_a_sentence() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    world.stop_hub();
    for text in lines(&world) {
        assert!(text.contains("listening on http://127.0.0.1:") && text.contains("web: ready\n"), "{text}");
        assert!(!text.contains("debug") && !text.contains("pid=") && !text.contains("<6>"), "{text}");
    }
}

#[test]
fn a_module_keeps_its_lines_when_the_hub_is_told_to_be_silent() {
    let world = World::new();
    world.module("web", &[]);
    hub(&world, "off");
    world.ready("web");
    world.stop_hub();
    let own = world.read("web/logs/web.log");
    assert!(own.contains("# ready"), "{own}");
    assert!(
        !world.hub_log().contains("[hub]") && !world.hub_log().contains("[supervisor]"),
        "{}",
        world.hub_log()
    );
}

#[test]
fn a_value_that_cannot_be_used_is_told_and_the_default_counts() {
    let world = World::new();
    hub(&world, "dbug");
    world.stop_hub();
    let text = world.hub_log();
    assert!(
        text.contains("[hub] PARACHUTE_LOG is not used: \"dbug\" is no level: use error, warn, info"),
        "{text}"
    );
    assert!(text.contains("[hub] listening on"), "{text}");
}

/// The journal is a stream that `$JOURNAL_STREAM` names: here it is a pipe.
#[test]
fn the_journal_gets_a_priority_before_each_line() {
    let world = World::new();
    world.command("web", &["/no/such/program"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let stat = nix::sys::stat::fstat(writer.as_fd()).unwrap();
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    hub.env("JOURNAL_STREAM", format!("{}:{}", stat.st_dev, stat.st_ino));
    hub.stdout(Stdio::from(writer.try_clone().unwrap())).stderr(Stdio::from(writer));
    let live = Live::of(reader);
    world.hold(hub.spawn().unwrap());
    drop(hub);
    live.sees("<3>[supervisor] web: not started: ");
    live.sees("<6>[hub] listening on ");
    let second = world.run(&["serve"]).code(78);
    assert!(second.err.starts_with("error: "), "no journal, no priority: {second:?}");
    world.stop_hub();
    live.sees("<6>[hub] stopped\n");
    assert!(live.text().lines().all(|line| line.starts_with('<')), "{}", live.text());
    assert!(!world.read("hub/logs/hub.log").contains('<'));
}

/// A screen without times.
fn timeless(text: &str) -> String {
    let line = |line: &str| match (line.starts_with("+ "), line.rfind(" ("), line.rfind(", exit ")) {
        (true, Some(open), Some(exit)) if open < exit => {
            format!("{} (TIME{}\n", &line[..open], &line[exit..])
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn each_command_of_a_verb_is_shown_when_it_is_asked_for() {
    let mac = Mac::new();
    mac.installed();
    let quiet = mac.run(&["status"]);
    assert!(!quiet.err.contains("+ "), "{quiet:?}");
    let told = mac.run(&["-v", "status"]);
    assert_eq!(
        mac.plain(&told.out).lines().count(),
        mac.plain(&quiet.out).lines().count(),
        "the screen is the same"
    );
    insta::assert_snapshot!("status_verbose", timeless(&mac.plain(&told.err)));
    let more = mac.run(&["stop", "-vv"]).code(0);
    let all = timeless(&more.err);
    assert!(all.contains("+ launchctl bootout ") && all.contains("(TIME, exit 0)\n  | "), "{all}");
}
