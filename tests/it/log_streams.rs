//! Log streams: floods, long lines, followers over the API, and a hub whose own output is not read.

use std::process::Stdio;

use serde_json::json;

use crate::support::stream::Live;
use crate::support::world::{World, fixture};
use crate::support::{eventually, until};

/// Every log file of a module, oldest first, as one text.
fn written(world: &World, short: &str) -> String {
    let dir = world.home().join(short).join("logs");
    let older = (1..9).rev().map(|n| format!("{short}.log.{n}"));
    older
        .chain([format!("{short}.log")])
        .filter_map(|name| std::fs::read(dir.join(name)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// Bytes between the head of each line (27) and its newline that are all `byte`.
fn bytes_of(text: &str, byte: char) -> usize {
    let texts = text.lines().filter_map(|line| line.get(27..));
    texts.filter(|text| text.chars().all(|c| c == byte)).map(str::len).sum()
}

#[test]
fn followers_get_new_lines_after_the_ring_is_full_and_end_with_the_hub() {
    let world = World::new();
    let speaker = world.speaker("web");
    world.start_hub();
    world.ready("web");
    let text = Live::get(&world, "/api/modules/web/logs?follow=1", &[]);
    let events = Live::get(&world, "/api/modules/web/logs?follow=1", &[("accept", "text/event-stream")]);
    speaker.says("before");
    text.sees("[web] before\n");
    events.sees("\"text\":\"before\"");
    let line = "x".repeat(1000);
    for _ in 0..300 {
        speaker.says(&line);
    }
    speaker.says("the marker");
    text.sees("[web] the marker\n");
    events.sees("\"text\":\"the marker\"");
    for (live, kind) in [(&text, "text/plain"), (&events, "text/event-stream")] {
        assert!(live.text().contains(kind), "{}", live.text());
        assert_eq!(live.text().matches(&line).count(), 300, "a quick reader misses nothing");
    }
    assert!(events.text().contains("event: line\n") && events.text().contains("id: "));
    // Open followers do not delay the hub.
    world.stop_hub();
    text.ends();
    events.ends();
    assert!(events.text().contains("event: end\n"));
}

#[test]
fn a_client_that_reconnects_continues_where_it_was() {
    let world = World::new();
    let speaker = world.speaker("web");
    world.start_hub();
    world.ready("web");
    let accept = ("accept", "text/event-stream");
    let first = Live::get(&world, "/api/modules/web/logs?follow=1", &[accept]);
    for word in ["one", "two", "three"] {
        speaker.says(word);
    }
    first.sees("\"text\":\"three\"");
    let seen = first.text();
    let (before, _) = seen.split_once("\"text\":\"two\"").unwrap();
    let id = before.rsplit_once("id: ").unwrap().1.split_once('\n').unwrap().0.to_owned();
    let second = Live::get(&world, "/api/modules/web/logs?follow=1", &[accept, ("last-event-id", &id)]);
    second.sees("\"text\":\"three\"");
    assert!(!second.text().contains("\"text\":\"two\""), "{}", second.text());
    world.stop_hub();
}

#[test]
fn a_hub_with_unread_output_blocks_neither_modules_nor_the_api() {
    let world = World::new();
    world.module("web", &["--flood", "4000000", "100"]);
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    // The reader exists as long as the hub, and never reads.
    let mut child = hub.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let reader = child.stdout.take().unwrap();
    world.hold(child);
    world.hub_answers();
    world.ready("web");
    eventually("the file has the whole flood", || written(&world, "web").contains("flood over"));
    assert_eq!(bytes_of(&written(&world, "web"), 'x'), 4_000_000 / 100 * 99);
    assert_eq!(world.op("web", "restart")["ok"], true);
    world.stop_hub();
    world.expect_no_processes();
    drop(reader);
}

#[test]
fn a_hub_with_closed_output_keeps_running() {
    let world = World::new();
    world.module("web", &["--flood", "200000", "100"]);
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    let mut child = hub.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    world.hold(child);
    world.hub_answers();
    world.ready("web");
    eventually("the file has the whole flood", || written(&world, "web").contains("flood over"));
    assert_eq!(bytes_of(&written(&world, "web"), 'x'), 200_000 / 100 * 99);
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn a_line_of_ten_megabytes_comes_in_pieces_with_nothing_lost() {
    let world = World::new();
    world.module("web", &["--long-line", "10000000"]);
    world.start_hub();
    world.ready("web");
    eventually("the file has the whole line", || written(&world, "web").contains("line over"));
    let text = written(&world, "web");
    assert_eq!(bytes_of(&text, 'y'), 10_000_000);
    let pieces = text.lines().filter(|line| line.get(27..).is_some_and(|text| text.starts_with('y')));
    let continued = pieces.filter(|line| line.get(25..27) == Some("|+")).count();
    assert_eq!(continued, 10_000_000 / (64 * 1024), "every piece but the first is marked as continued");
    world.stop_hub();
}

/// stdout is a pipe, not a socket, so that it can be opened by name.
#[test]
fn a_module_may_open_its_output_by_name() {
    let world = World::new();
    world.module("web", &["--reopen"]);
    world.start_hub();
    world.ready("web");
    eventually("its line is there", || written(&world, "web").contains("through /dev/stdout"));
    world.stop_hub();
}

#[test]
fn stderr_and_supervisor_lines_are_distinguished() {
    let world = World::new();
    let argv = ["sh", "-c", "echo to out; echo to err >&2; exit 7"];
    world.define("web", &argv, json!({"listen": false, "restart": {"max": 1}}));
    world.start_hub();
    eventually("it crashed too often", || world.view("web")["state"] == "crashed");
    // A module's output arrives by another thread than the supervisor's notes.
    let reply = until("both streams are heard", || {
        let reply = world.get("/api/modules/web/logs")?.json();
        let heard = |stream: &str| reply["entries"].as_array().unwrap().iter().any(|e| e["stream"] == stream);
        (heard("out") && heard("err")).then_some(reply)
    });
    let entries = reply["entries"].as_array().unwrap();
    let of = |stream: &str| -> Vec<String> {
        let mine = entries.iter().filter(|entry| entry["stream"] == stream);
        mine.map(|entry| entry["text"].as_str().unwrap().to_owned()).collect()
    };
    assert!(of("out").iter().all(|line| line == "to out") && !of("out").is_empty(), "{reply:#}");
    assert!(of("err").iter().all(|line| line == "to err") && !of("err").is_empty(), "{reply:#}");
    assert!(of("hub").iter().any(|line| line.contains("crashed")), "{reply:#}");
    let program = fixture();
    assert!(!of("hub").iter().any(|line| line.contains(program.to_str().unwrap())));
    world.stop_hub();
}
