//! `parachute logs`: the same from files with and without a running hub, across restarts of module and hub.

use serde_json::{Value, json};

use crate::support::stream::Live;
use crate::support::world::{World, fixture};
use crate::support::{eventually, until};

/// A module with only a log file, as an earlier hub left it.
fn left(world: &World, short: &str, lines: &[&str]) {
    world.command(short, &["true"]);
    let dir = world.home().join(short).join("logs");
    std::fs::create_dir_all(&dir).unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(dir.join(format!("{short}.log")), text).unwrap();
}

fn shown(world: &World, args: &[&str]) -> Vec<String> {
    let args: Vec<&str> = std::iter::once("logs").chain(args.iter().copied()).collect();
    world.run(&args).code(0).out.lines().map(str::to_owned).collect()
}

#[test]
fn the_last_lines_before_a_crash_are_shown_with_the_hub_up_and_down_and_after_its_restart() {
    let world = World::new();
    let port = world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    crate::support::http::tcp(port, "GET", "/crash", &[]);
    eventually("it was respawned", || world.view("web")["restarts"] == 1);
    world.ready("web");
    let words = || {
        let lines = shown(&world, &["web"]);
        lines.iter().filter(|line| *line == "last words").count()
    };
    eventually("its last words are in the file", || words() == 1);
    world.stop_hub();
    assert_eq!(words(), 1, "with the hub down");
    let before = shown(&world, &["web"]).len();
    world.start_hub();
    world.ready("web");
    assert_eq!(words(), 1, "after the hub's restart");
    eventually("the new life is written after the old one", || shown(&world, &["web"]).len() > before);
    let api = world.get("/api/modules/web/logs?n=1000").unwrap().json();
    assert!(api["text"].as_str().unwrap().contains("[web] last words\n"), "{api:#}");
    world.stop_hub();
}

#[test]
fn number_of_lines_and_since() {
    let world = World::new();
    let lines: Vec<String> =
        (0..300).map(|n| format!("2020-01-01T00:{:02}:{:02}.000Z | line {n}", n / 60, n % 60)).collect();
    left(&world, "web", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(shown(&world, &["web"]).len(), 200, "the default");
    assert_eq!(shown(&world, &["web", "-n", "2"]), ["line 298", "line 299"]);
    let since = shown(&world, &["web", "--since", "2020-01-01T00:00:10Z"]);
    assert_eq!((since.len(), since[0].as_str()), (290, "line 10"));
    assert_eq!(shown(&world, &["web", "--since", "2020-01-01T00:00:10Z", "-n", "1"]), ["line 299"]);
    assert!(shown(&world, &["web", "--since", "10m"]).is_empty());
    let bad = world.run(&["logs", "web", "--since", "teatime"]).code(2);
    assert!(bad.err.contains("hint:"), "{bad:#?}");
}

#[test]
fn several_modules_are_merged_by_time_and_prefixed() {
    let world = World::new();
    left(&world, "a", &["2020-01-01T00:00:01.000Z | one", "2020-01-01T00:00:04.000Z ! four"]);
    left(&world, "b", &["2020-01-01T00:00:02.000Z | two", "2020-01-01T00:00:03.000Z # three"]);
    let all = shown(&world, &[]);
    assert_eq!(all, ["[a] one", "[b] two", "[b] [supervisor] three", "[a] four"]);
    assert_eq!(shown(&world, &["a", "b"]), all);
    assert_eq!(shown(&world, &["b"]), ["two", "[supervisor] three"], "one alone needs no prefix");
    assert_eq!(shown(&world, &["--no-prefix"]), ["one", "two", "[supervisor] three", "four"]);
    let parsed: Vec<Value> =
        shown(&world, &["--json"]).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = json!({"module": "a", "at": "2020-01-01T00:00:01.000Z", "stream": "out", "text": "one"});
    assert_eq!(parsed[0], first);
    let streams: Vec<_> = parsed.iter().map(|line| line["stream"].as_str().unwrap()).collect();
    assert_eq!(streams, ["out", "out", "hub", "err"]);
}

#[test]
fn lines_of_the_original_hub_are_shown_too() {
    let world = World::new();
    left(&world, "web", &["listening on 1940", "", "2020-01-01T00:00:01.000Z | ours"]);
    assert_eq!(shown(&world, &["web"]), ["listening on 1940", "", "ours"]);
}

#[test]
fn an_unknown_module_is_an_error_that_names_the_known_ones() {
    let world = World::new();
    left(&world, "a", &[]);
    left(&world, "b", &[]);
    for name in ["c", "../a", ""] {
        let said = world.run(&["logs", name]).code(1);
        assert!(said.err.contains("a, b") && said.err.contains("hint:"), "{said:#?}");
    }
    let said = World::new().run(&["logs"]).code(1);
    assert!(said.err.contains("hint: parachute add"), "{said:#?}");
}

#[test]
fn a_follower_continues_across_restarts_of_module_and_hub() {
    let world = World::new();
    let speaker = world.speaker("web");
    world.start_hub();
    world.ready("web");
    let follow = Live::output(world.parachute(&["logs", "web", "-f"]));
    speaker.says("first");
    follow.sees("first\n");
    assert_eq!(world.op("web", "restart")["ok"], true);
    speaker.says("after the module's restart");
    follow.sees("after the module's restart\n");
    world.stop_hub();
    world.start_hub();
    world.ready("web");
    speaker.says("after the hub's restart");
    follow.sees("after the hub's restart\n");
    world.kill_hub();
    world.start_hub();
    world.ready("web");
    speaker.says("after the hub was killed");
    follow.sees("after the hub was killed\n");
    world.stop_hub();
}

/// A module may not fill the disk.
#[test]
fn files_are_rotated_and_a_limited_number_is_kept() {
    let world = World::new();
    let program = fixture();
    let argv = [program.to_str().unwrap(), "server", "--flood", "200000", "100"];
    world.define("web", &argv, json!({"log": {"max_bytes": 20_000, "keep": 3}}));
    world.start_hub();
    world.ready("web");
    let dir = world.home().join("web/logs");
    eventually("all is written", || shown(&world, &["web"]).iter().any(|line| line.starts_with("listening")));
    let mut names: Vec<String> =
        std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["web.log", "web.log.1", "web.log.2"]);
    for name in &names {
        let len = std::fs::metadata(dir.join(name)).unwrap().len();
        assert!(len <= 20_000, "{name}: {len}");
    }
    assert!(shown(&world, &["web", "-n", "100000"]).len() > 200, "older files are read too");
    world.stop_hub();
}

/// Foreign text in a module's log must not control the reader's terminal; a pipe gets every byte.
#[test]
fn no_line_of_a_module_controls_a_terminal() {
    let world = World::new();
    let line = "printf '\\033]0;title\\007 \\033[31mred\\033[0m\\n'; exec sleep 1000";
    world.define("web", &["sh", "-c", line], json!({ "listen": false }));
    world.start_hub();
    world.ready("web");
    let raw = "\u{1b}]0;title\u{7} \u{1b}[31mred\u{1b}[0m";
    let _ = until("the line is kept", || {
        Some(world.run(&["logs", "web"]).code(0)).filter(|said| said.out.contains(raw))
    });
    let logs = world.parachute(&["logs", "web"]);
    let shown = std::process::Command::new("script")
        .args(["-qec", &format!("{} logs web", crate::support::world::BINARY), "/dev/null"])
        .env_clear()
        .envs(logs.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("\\u{1b}]0;title\\u{7} \u{1b}[31mred\u{1b}[0m"), "{shown:?}");
    assert!(!shown.contains("\u{1b}]0;"), "{shown:?}");
    world.stop_hub();
}

/// A response is held in memory several times over: it is limited, and contains the newest lines.
#[test]
fn a_response_of_the_api_is_limited_in_bytes_and_has_the_newest_lines() {
    let world = World::new();
    let long = "x".repeat(2048);
    let lines: Vec<String> = (0..10_000).map(|n| format!("2020-01-01T00:00:00.000Z | {n} {long}")).collect();
    left(&world, "web", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    world.start_hub();
    let reply = world.get("/api/modules/web/logs?n=10000").unwrap().json();
    let (text, entries) = (reply["text"].as_str().unwrap(), reply["entries"].as_array().unwrap());
    assert!(text.len() < 5 << 20 && entries.len() > 1000, "{} bytes, {} lines", text.len(), entries.len());
    assert!(text.contains("[web] 9999 x") && !text.contains("[web] 0 x"), "the newest are kept");
    assert_eq!(reply["lines"].as_array().unwrap().len(), entries.len());
    world.stop_hub();
}
