//! One collector from its pipes to ring, file and stdout, with real pipes and threads.

use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};

use super::*;
use crate::logs::follower::Followed;
use crate::logs::line::{Line, Stream};
use crate::logs::pump::Pump;
use crate::logs::ring::FollowFrom;

/// Reached only if something hangs.
const HANG: Duration = Duration::from_secs(20);

struct World {
    logs: LogCollector,
    dir: tempfile::TempDir,
    stdout: PipeReader,
}

impl World {
    fn new() -> Self {
        let (stdout, sink) = pipe().unwrap();
        let logs = LogCollector::start(StdoutSink::new(sink.into())).unwrap();
        Self { logs, dir: tempfile::tempdir().unwrap(), stdout }
    }

    fn module(&self, short: &str) -> ModuleLog {
        let file = self.dir.path().join(format!("{short}.log"));
        self.logs.open(&Short::new(short).unwrap(), file, LogLimits::default())
    }

    /// As an actor of the supervisor says it, and `hub::diagnostics` writes it.
    fn note(&self, short: &str, text: &str) {
        self.module(short).note(text);
        self.logs.module_line(Priority::Info, short, text);
    }

    #[expect(clippy::disallowed_methods, reason = "test: looks at what was written")]
    fn file(&self, short: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("{short}.log"))).unwrap()
    }

    /// All output on stdout until the end of the hub.
    async fn end(&mut self) -> String {
        assert!(self.logs.shutdown(HANG).await, "flushed in time");
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        text
    }
}

fn stream(log: &ModuleLog, stream: Stream) -> (PipeWriter, Pump) {
    let (reader, writer) = pipe().unwrap();
    (writer, log.attach(stream, reader.into()))
}

async fn drained(mut pump: Pump) {
    tokio::time::timeout(HANG, pump.drained()).await.expect("the end of the stream");
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|l| String::from_utf8(l.text.clone()).unwrap()).collect()
}

#[tokio::test]
async fn a_line_reaches_ring_file_and_stdout_and_the_ring_survives_a_restart() {
    let mut world = World::new();
    let log = world.module("vault");
    for run in ["first", "second"] {
        let (mut out, pump) = stream(&world.module("vault"), Stream::Out);
        write!(out, "{run}\ntail of {run}").unwrap();
        drop(out);
        drained(pump).await;
        world.note("vault", &format!("ended {run}"));
    }
    let want = ["first", "tail of first", "ended first", "second", "tail of second", "ended second"];
    assert_eq!(texts(&log.tail(99)), want);
    assert_eq!(texts(&log.tail(2)), want[4..]);
    assert_eq!(log.tail(2).iter().map(|l| l.seq).collect::<Vec<_>>(), [4, 5]);
    let text = world.end().await;
    assert_eq!(
        text,
        "[vault] first\n[vault] tail of first\n[supervisor] vault: ended first\n\
         [vault] second\n[vault] tail of second\n[supervisor] vault: ended second\n"
    );
    let mut stored: Vec<String> = world.file("vault").lines().map(|l| l[25..].to_owned()).collect();
    // A note may reach the file slightly later than the lines after it: sort by time.
    stored.sort();
    assert_eq!(
        stored,
        ["# ended first", "# ended second", "| first", "| second", "| tail of first", "| tail of second"]
    );
}

#[tokio::test]
async fn hub_lines_are_written_to_the_hubs_own_file_too() {
    let mut world = World::new();
    world.logs.hub_line(Priority::Info, "before it has a file");
    let limits = LogLimits { max_bytes: 400, keep: 2 };
    world.logs.keep_hub_log(world.dir.path().join("hub").join("hub.log"), limits);
    world.logs.hub_line(Priority::Info, "listening");
    world.note("vault", "started\nready");
    for n in 0..100 {
        world.logs.hub_line(Priority::Info, &format!("line {n}"));
    }
    world.logs.hub_line(Priority::Info, "stopped");
    assert!(
        world.end().await.starts_with("[hub] before it has a file\n[hub] listening\n[supervisor] vault: ")
    );
    let live = world.file("hub/hub");
    assert!(live.len() <= 400 && live.ends_with("| stopped\n"), "{live}");
    #[expect(clippy::disallowed_methods, reason = "test: looks at what was written")]
    let older = std::fs::read_to_string(world.dir.path().join("hub/hub.log.1")).unwrap();
    assert!(
        !older.contains("before") && older.lines().all(|line| line[25..].starts_with("| line ")),
        "{older}"
    );
}

#[tokio::test]
async fn a_follower_gets_all_lines_and_then_the_end() {
    let mut world = World::new();
    let log = world.module("vault");
    log.note("before");
    let mut follower = log.follow(FollowFrom::Tail(9));
    let (mut err, pump) = stream(&log, Stream::Err);
    writeln!(err, "one").unwrap();
    let mut got = Vec::new();
    while got.len() < 2 {
        let Followed::Lines(lines) = follower.next().await else { panic!("lines expected") };
        got.extend(lines);
    }
    // Still open when the hub stops: the pipe is read to its end, then the follower is told.
    write!(err, "two").unwrap();
    let _ = world.end().await;
    while let Followed::Lines(lines) = follower.next().await {
        got.extend(lines);
    }
    assert_eq!(texts(&got), ["before", "one", "two"]);
    assert_eq!(follower.next().await, Followed::Closed);
    drained(pump).await;
    drop(err);
}

#[tokio::test]
async fn a_slow_follower_learns_how_many_lines_it_missed() {
    let world = World::new();
    let log = world.module("vault");
    let mut follower = log.follow(FollowFrom::Tail(0));
    for n in 0..40_000 {
        log.note(&format!("{n} {}", "x".repeat(50)));
    }
    let (mut lost, mut seen, mut next) = (0, 0, 0);
    while next < 40_000 {
        match follower.next().await {
            Followed::Dropped { lost: n } => (lost, next) = (lost + n, next + n),
            Followed::Lines(lines) => {
                assert_eq!(lines[0].seq, next);
                seen += lines.len() as u64;
                next += lines.len() as u64;
            }
            Followed::Closed => panic!("it was not closed"),
        }
    }
    assert!(lost > 0 && seen > 0 && lost + seen == 40_000);
    drop(follower);
    assert!(log.tail(usize::MAX).len() < 2_000, "without followers the ring is small again");
}

#[tokio::test]
async fn a_reader_that_stops_does_not_stop_the_modules() {
    let world = World::new();
    let log = world.module("vault");
    let (mut out, pump) = stream(&log, Stream::Out);
    let line = [vec![b'x'; 999], b"\n".to_vec()].concat();
    let all = line.repeat(3_000);
    let feeder = tokio::task::spawn_blocking(move || out.write_all(&all));
    drained(pump).await;
    feeder.await.unwrap().unwrap();
    assert!(world.logs.thread.stdout.stalled() > Some(0));
    assert_eq!(world.file("vault").lines().count(), 3_000, "the file has them all");
    assert!(!world.logs.shutdown(Duration::from_millis(50)).await, "a stop is bounded too");

    // The reader continues.
    let read = tokio::task::spawn_blocking(move || io::read_to_string(world.stdout));
    let text = read.await.unwrap().unwrap();
    let shown = text.lines().filter(|l| l.starts_with("[vault] x")).count();
    let told = text.lines().find_map(|l| l.strip_prefix("[hub] ")?.split(' ').next()?.parse().ok());
    assert_eq!(told, Some(3_000 - shown), "shown and missing lines add up");
}

#[tokio::test]
async fn lines_of_modules_are_never_mixed() {
    let mut world = World::new();
    let mut pumps = Vec::new();
    for short in ["a", "b"] {
        let (mut out, pump) = stream(&world.module(short), Stream::Out);
        pumps.push(pump);
        tokio::task::spawn_blocking(move || {
            for n in 0..200 {
                // Split writes on purpose.
                write!(out, "{short}{short}").unwrap();
                writeln!(out, "{n}").unwrap();
            }
        });
    }
    for pump in pumps {
        drained(pump).await;
    }
    let text = world.end().await;
    for short in ["a", "b"] {
        let own: Vec<&str> = text.lines().filter(|l| l.starts_with(&format!("[{short}] "))).collect();
        let want: Vec<String> = (0..200).map(|n| format!("[{short}] {short}{short}{n}")).collect();
        assert_eq!(own, want);
    }
}

#[tokio::test]
async fn a_forgotten_module_ends_its_followers() {
    let world = World::new();
    let log = world.module("vault");
    log.note("before");
    let (_still_open, pump) = stream(&log, Stream::Out);
    let mut follower = log.follow(FollowFrom::Tail(0));
    world.logs.forget(&Short::new("vault").unwrap());
    let end = tokio::time::timeout(HANG, follower.next()).await;
    assert_eq!(end, Ok(Followed::Closed));
    drained(pump).await;
    assert!(world.module("vault").tail(1).is_empty(), "opened again, it is empty");
}

#[tokio::test]
async fn a_failing_disk_stops_neither_ring_nor_stdout() {
    let mut world = World::new();
    #[expect(clippy::disallowed_methods, reason = "test: a directory where the file should be")]
    std::fs::create_dir(world.dir.path().join("vault.log")).unwrap();
    let log = world.module("vault");
    let (mut out, pump) = stream(&log, Stream::Out);
    writeln!(out, "hello").unwrap();
    drop(out);
    drained(pump).await;
    assert_eq!(texts(&log.tail(9)), ["hello"]);
    let text = world.end().await;
    assert!(text.starts_with("[vault] hello\n[hub] vault: "), "{text}");
    assert!(text.contains("vault.log cannot be written: "), "{text}");
}
