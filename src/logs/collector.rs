//! The thread `logs`, and the handles to it. Edge: threads, and the clock for the supervisor's lines.
//!
//! One single-threaded runtime runs every pump of every module, away from supervision: a slow disk holds up log
//! lines and nothing else.

#![expect(
    clippy::disallowed_methods,
    reason = "edge: the logs thread: a supervisor line is stamped when it is said"
)]

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};

use super::follower::Follower;
use super::hub_log::HubLog;
use super::line::{Line, Stream, head};
use super::module_state::ModuleState;
use super::pump::{Hub, pump, to_file};
use super::start::Start;
use super::stdout::{Stdout, StdoutSink, StdoutState};
use crate::module::launch::LogLimits;
use crate::module::name::Short;
use crate::module::stamp::Stamp;
use crate::sync::mutex::lock;

/// All log work of a hub: two threads, and what they know of each module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Logs {
    hub: Arc<Hub>,
    modules: Arc<Mutex<BTreeMap<Short, Arc<ModuleState>>>>,
}

impl Logs {
    /// Starts the threads `logs` and `stdout`.
    ///
    /// # Errors
    /// If a thread or its event queue cannot be had.
    pub fn start(sink: StdoutSink) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let stdout = Stdout::start(sink)?;
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || runtime.block_on(stopped.notified()))?;
        let (scratch, own) = (tokio::sync::Mutex::default(), OnceLock::new());
        let hub = Hub { handle, stop, stdout, scratch, own };
        Ok(Self { hub: Arc::new(hub), modules: Arc::default() })
    }

    /// The log of module `short`. The same ring and file again if it was opened before (a module keeps them over
    /// its restarts); `limits` replace the earlier ones, `file` does not.
    #[must_use]
    pub fn open(&self, short: &Short, file: PathBuf, limits: LogLimits) -> ModuleLog {
        let mut modules = lock(&self.modules);
        let module = modules
            .entry(short.clone())
            .or_insert_with(|| Arc::new(ModuleState::new(short.clone(), file, limits)));
        lock(&module.state).limits = limits;
        ModuleLog { hub: Arc::clone(&self.hub), module: Arc::clone(module) }
    }

    /// Forgets a module that was removed: its followers are told, its pumps end. Its files stay.
    pub fn forget(&self, short: &Short) {
        let module = lock(&self.modules).remove(short);
        if let Some(module) = module {
            self.hub.handle.spawn(async move { module.end().await });
        }
    }

    /// From here on what the hub and the supervisor say is also kept in this file. Only the first name counts.
    pub fn keep_own(&self, file: PathBuf, limits: LogLimits) {
        // A second name is a mistake of the caller, and changes nothing.
        let _ = self.hub.own.set(HubLog::new(file, limits));
    }

    /// A line of the hub itself: `[hub] text` on stdout, and in its own file.
    pub fn hub_line(&self, text: &str) {
        self.hub.say(text);
    }

    /// How the hub's stdout is doing.
    #[must_use]
    pub fn stdout(&self) -> StdoutState {
        self.hub.stdout.state()
    }

    /// Ends the log work: what the pipes still hold is read, followers are told, stdout is flushed. Takes no longer
    /// than `within`, whatever stdout or the disk do. Returns whether everything was written.
    pub async fn shutdown(&self, within: Duration) -> bool {
        let modules: Vec<Arc<ModuleState>> = lock(&self.modules).values().map(Arc::clone).collect();
        let flush = async {
            for module in &modules {
                module.ending.send_replace(true);
            }
            for module in &modules {
                module.end().await;
            }
            let hub = Arc::clone(&self.hub);
            // The logs thread writes it, after everything it was told before.
            let _ = self.hub.handle.spawn(async move { hub.write_own() }).await;
            self.hub.stdout.flush().await;
        };
        let flushed = tokio::time::timeout(within, flush).await.is_ok();
        for module in &modules {
            module.close();
        }
        self.hub.stdout.stop();
        self.hub.stop.notify_one();
        flushed
    }
}

/// The log of one module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ModuleLog {
    hub: Arc<Hub>,
    module: Arc<ModuleState>,
}

impl ModuleLog {
    /// Reads `fd`, the read end of the module's pipe, until its end. It goes on without the [`Pump`].
    pub fn attach(&self, stream: Stream, fd: OwnedFd) -> Pump {
        let (done, drained) = oneshot::channel();
        let (hub, module) = (Arc::clone(&self.hub), Arc::clone(&self.module));
        let ending = module.ending.subscribe();
        self.hub.handle.spawn(async move {
            if let Err(error) = pump(&hub, &module, stream, fd, ending).await {
                hub.say(&format!("{}: its output cannot be read: {error}", module.short));
            }
            // The receiver may have been dropped; nobody waits then.
            let _ = done.send(());
        });
        Pump { drained: Some(drained) }
    }

    /// A line (or several) of the supervisor about this module: stdout, ring, followers, file. Never waits.
    pub fn note(&self, text: &str) {
        let at = Stamp::of(SystemTime::now());
        let mut file = Vec::new();
        let mut lines = 0;
        for line in text.lines() {
            self.hub.stdout.line(&format!("[supervisor] {}: {line}", self.module.short));
            self.hub.keep(Stream::Hub, &format!("{}: {line}", self.module.short));
            file.extend_from_slice(&head(at, Stream::Hub, false));
            file.extend_from_slice(line.as_bytes());
            file.push(b'\n');
            lines += 1;
        }
        if lines > 0 && self.module.keep_note(at, &file, lines) {
            let (hub, module) = (Arc::clone(&self.hub), Arc::clone(&self.module));
            // Held until the note is written: the end of the module waits for it.
            let ending = module.ending.subscribe();
            self.hub.handle.spawn(async move {
                let (notes, limits) = module.take_notes();
                to_file(&hub, &module, &notes, limits);
                drop(ending);
            });
        }
    }

    /// The last `lines` lines that the ring has.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Vec<Line> {
        let state = lock(&self.module.state);
        let from = state.ring.next().saturating_sub(lines as u64);
        state.ring.from(from, lines, usize::MAX)
    }

    /// The lines from number `seq` on that the ring has.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<Line> {
        lock(&self.module.state).ring.from(seq, usize::MAX, usize::MAX)
    }

    /// Number that the next line will get.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        lock(&self.module.state).ring.next()
    }

    /// Follows the lines as they come.
    #[must_use]
    pub fn follow(&self, start: Start) -> Follower {
        Follower::new(Arc::clone(&self.module), start)
    }
}

/// One stream that is being read. Dropping it changes nothing: the stream is read until its end.
#[derive(Debug)]
pub struct Pump {
    /// `None` once it has been drained.
    drained: Option<oneshot::Receiver<()>>,
}

impl Pump {
    /// Completes when the stream has ended and all of it is in the ring. Bound it: an escaped child may hold the
    /// other end for ever. May be called again.
    pub async fn drained(&mut self) {
        if let Some(drained) = &mut self.drained {
            // An error means the logs thread is gone, and the stream with it.
            let _ = drained.await;
            self.drained = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::follower::Followed;
    use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
    use std::time::Duration;

    /// Long enough that only a hang reaches it.
    const HANG: Duration = Duration::from_secs(20);

    struct World {
        logs: Logs,
        dir: tempfile::TempDir,
        stdout: PipeReader,
    }

    impl World {
        fn new() -> Self {
            let (stdout, sink) = pipe().unwrap();
            let logs = Logs::start(StdoutSink::new(sink.into())).unwrap();
            Self { logs, dir: tempfile::tempdir().unwrap(), stdout }
        }

        fn module(&self, short: &str) -> ModuleLog {
            let file = self.dir.path().join(format!("{short}.log"));
            self.logs.open(&Short::new(short).unwrap(), file, LogLimits::default())
        }

        #[expect(clippy::disallowed_methods, reason = "test: looks at what was written")]
        fn file(&self, short: &str) -> String {
            std::fs::read_to_string(self.dir.path().join(format!("{short}.log"))).unwrap()
        }

        /// Everything stdout got until the end of the hub.
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
    async fn a_line_goes_three_ways_and_the_ring_outlives_a_restart() {
        let mut world = World::new();
        let log = world.module("vault");
        for life in ["first", "second"] {
            let (mut out, pump) = stream(&world.module("vault"), Stream::Out);
            write!(out, "{life}\ntail of {life}").unwrap();
            drop(out);
            drained(pump).await;
            log.note(&format!("ended {life}"));
        }
        let want = ["first", "tail of first", "ended first", "second", "tail of second", "ended second"];
        assert_eq!(texts(&log.tail(99)), want);
        assert_eq!(texts(&log.tail(2)), want[4..]);
        assert_eq!(log.since(4).iter().map(|l| l.seq).collect::<Vec<_>>(), [4, 5]);
        let text = world.end().await;
        assert_eq!(
            text,
            "[vault] first\n[vault] tail of first\n[supervisor] vault: ended first\n\
             [vault] second\n[vault] tail of second\n[supervisor] vault: ended second\n"
        );
        let mut stored: Vec<String> = world.file("vault").lines().map(|l| l[25..].to_owned()).collect();
        // A note may reach the file a moment later than the lines after it: the time stamps tell.
        stored.sort();
        assert_eq!(
            stored,
            ["# ended first", "# ended second", "| first", "| second", "| tail of first", "| tail of second"]
        );
    }

    #[tokio::test]
    async fn what_the_hub_says_is_kept_in_its_own_file_too() {
        let mut world = World::new();
        world.logs.hub_line("before it has a file");
        let limits = LogLimits { max_bytes: 400, keep: 2 };
        world.logs.keep_own(world.dir.path().join("hub").join("hub.log"), limits);
        world.logs.hub_line("listening");
        world.module("vault").note("started\nready");
        for n in 0..100 {
            world.logs.hub_line(&format!("line {n}"));
        }
        world.logs.hub_line("stopped");
        assert!(
            world
                .end()
                .await
                .starts_with("[hub] before it has a file\n[hub] listening\n[supervisor] vault: ")
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
        let mut follower = log.follow(Start::Tail(9));
        let (mut err, pump) = stream(&log, Stream::Err);
        writeln!(err, "one").unwrap();
        let mut got = Vec::new();
        while got.len() < 2 {
            let Followed::Lines(lines) = follower.next().await else { panic!("lines expected") };
            got.extend(lines);
        }
        // Still open when the hub stops: what the pipe holds is read, then the follower is told.
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
    async fn a_slow_follower_is_told_how_much_it_missed() {
        let world = World::new();
        let log = world.module("vault");
        let mut follower = log.follow(Start::Now);
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
                Followed::Closed => panic!("nobody closed it"),
            }
        }
        assert!(lost > 0 && seen > 0 && lost + seen == 40_000);
        drop(follower);
        assert!(log.since(0).len() < 2_000, "nobody follows: the ring is small again");
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
        assert!(matches!(world.logs.stdout(), StdoutState::Stalled { lost: 1.., .. }));
        assert_eq!(world.file("vault").lines().count(), 3_000, "the file has them all");
        assert!(!world.logs.shutdown(Duration::from_millis(50)).await, "a stop is bounded too");

        // The reader comes back.
        let read = tokio::task::spawn_blocking(move || io::read_to_string(world.stdout));
        let text = read.await.unwrap().unwrap();
        let shown = text.lines().filter(|l| l.starts_with("[vault] x")).count();
        let told = text.lines().find_map(|l| l.strip_prefix("[hub] ")?.split(' ').next()?.parse().ok());
        assert_eq!(told, Some(3_000 - shown), "shown and missing lines add up");
    }

    #[tokio::test]
    async fn lines_of_modules_never_interleave() {
        let mut world = World::new();
        let mut pumps = Vec::new();
        for short in ["a", "b"] {
            let (mut out, pump) = stream(&world.module(short), Stream::Out);
            pumps.push(pump);
            tokio::task::spawn_blocking(move || {
                for n in 0..200 {
                    // Torn writes on purpose.
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
        let (_still_open, pump) = stream(&log, Stream::Out);
        let mut follower = log.follow(Start::Now);
        world.logs.forget(&Short::new("vault").unwrap());
        let end = tokio::time::timeout(HANG, follower.next()).await;
        assert_eq!(end, Ok(Followed::Closed));
        drained(pump).await;
        assert_eq!(world.module("vault").next_seq(), 0, "opened again it is a new one");
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
}
