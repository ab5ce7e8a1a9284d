//! The measured module: binds at once, reports the time, and does nothing else unless told to. Its arguments
//! are `module KIND REPORT [BYTES]`; REPORT is the UDP port of the bench.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{SigSet, Signal};

/// One write of a flood.
const BLOCK: usize = 256 * 1024;
/// Length of its lines, newline included.
const LINE: usize = 100;

/// A report of a module: its pid, the event, and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Its pid.
    pub pid: u32,
    /// The event.
    pub what: What,
    /// Nanoseconds since the epoch, because that clock is the same in both processes.
    pub at: u64,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// `main` runs.
    Begun,
    /// The port is bound.
    Bound,
    /// The first byte is about to be written.
    Writing,
}

/// The current time, as in reports.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

impl Said {
    /// Parses a datagram.
    pub fn parse(bytes: &[u8; 13]) -> Self {
        let what = match bytes[4] {
            0 => What::Begun,
            1 => What::Bound,
            _ => What::Writing,
        };
        let pid = u32::from_ne_bytes(bytes[..4].try_into().unwrap());
        Self { pid, what, at: u64::from_ne_bytes(bytes[5..].try_into().unwrap()) }
    }
}

struct Reporter(UdpSocket);

impl Reporter {
    fn say(&self, what: What, at: u64) {
        let mut bytes = [0; 13];
        bytes[..4].copy_from_slice(&std::process::id().to_ne_bytes());
        bytes[4] = what as u8;
        bytes[5..].copy_from_slice(&at.to_ne_bytes());
        self.0.send(&bytes).unwrap();
    }
}

/// Plays the module; never returns.
pub fn play(args: &[String]) {
    let begun = now();
    let kind = args[0].as_str();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, args[1].parse().unwrap())).unwrap();
    let reporter = Reporter(socket);
    if kind == "deaf" {
        // A blocked signal stays pending: the effect of ignoring it, which std cannot do.
        let mut term = SigSet::empty();
        term.add(Signal::SIGTERM);
        term.thread_block().unwrap();
    }
    if kind == "unbound" {
        reporter.say(What::Begun, begun);
        sleep_for_ever();
    }
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let bound = now();
    reporter.say(What::Begun, begun);
    reporter.say(What::Bound, bound);
    if !matches!(kind, "lines" | "line") {
        sleep_for_ever();
    }
    let bytes: usize = args[2].parse().unwrap();
    let block = if kind == "lines" { lines() } else { vec![b'y'; BLOCK] };
    for stream in listener.incoming() {
        // A readiness probe sends nothing; a byte starts the flood.
        if matches!(stream.unwrap().read(&mut [0]), Ok(1)) {
            reporter.say(What::Writing, now());
            write(&block, bytes);
        }
    }
}

fn lines() -> Vec<u8> {
    let line = [vec![b'x'; LINE - 1], b"\n".to_vec()].concat();
    line.repeat(BLOCK / LINE)
}

fn write(block: &[u8], bytes: usize) {
    let mut out = std::io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(block.len());
        out.write_all(&block[..piece]).unwrap();
        left -= piece;
    }
    out.write_all(if block.ends_with(b"\n") { b"all over\n" } else { b"\nall over\n" }).unwrap();
    out.flush().unwrap();
}

fn sleep_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
