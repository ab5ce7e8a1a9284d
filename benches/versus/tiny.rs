//! The trivial module that every manager runs: reports when it runs, and performs its arguments. Built alone, static.
//!
//! `tiny SOCKET NAME idle | bind | lines BYTES LENGTH | line BYTES`; sends `KIND NAME PID NANOSECONDS` to SOCKET.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn say(socket: &str, name: &str, what: &str) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let text = format!("{what} {name} {} {at}", std::process::id());
    // The listener may be gone.
    let _ = UnixDatagram::unbound().and_then(|sender| sender.send_to(text.as_bytes(), socket));
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (socket, name) = (&args[1], &args[2]);
    say(socket, name, "begun");
    // Bound as long as it runs, if it has a port.
    let port = std::env::var("PORT").ok().and_then(|text| text.parse::<u16>().ok()).filter(|_| args[3] == "bind");
    let _bound = port.map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free"));
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    match args[3].as_str() {
        "lines" => write(socket, name, number(4), number(5)),
        "line" => write(socket, name, number(4), number(4)),
        _ => {}
    }
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn write(socket: &str, name: &str, bytes: usize, length: usize) {
    let line = [vec![b'x'; length - 1], b"\n".to_vec()].concat();
    let block = line.repeat((256 * 1024 / length).max(1));
    // Every manager is up and idle first.
    std::thread::sleep(Duration::from_millis(1500));
    say(socket, name, "writing");
    let mut out = std::io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(block.len());
        if out.write_all(&block[..piece]).is_err() {
            return;
        }
        left -= piece;
    }
    let _ = out.write_all(b"all over\n");
    let _ = out.flush();
    say(socket, name, "wrote");
}
