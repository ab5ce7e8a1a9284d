//! Bytes that are not a request, and requests of unauthorised clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::executable;
use crate::support::http;
use crate::support::world::{World, fixture};

/// Each is answered with an error, or the connection is closed.
fn broken() -> Vec<Vec<u8>> {
    let text = [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /health\r\n\r\n",
        "GET /health HTTP/9.9\r\nhost: localhost\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost localhost\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        "POST /api/modules/plain/stop HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        "POST /api/modules/nobody/stop HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        "POST /api/modules/..%2f..%2fetc/stop HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
        "DELETE /api/modules/plain HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
    ];
    let mut all: Vec<Vec<u8>> = text.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push([b"GET /".to_vec(), vec![b'a'; 1 << 20], b" HTTP/1.1\r\n\r\n".to_vec()].concat());
    all.push([b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(10_000), b"\r\n".to_vec()].concat());
    all.push([b"GET / HTTP/1.1\r\nhost: ".to_vec(), vec![0xff; 1000], b"\r\n\r\n".to_vec()].concat());
    all
}

/// Sends this, closes its write half, and reads the response, if there is one.
fn say(mut stream: impl Read + Write, bytes: &[u8], end: impl FnOnce()) -> Vec<u8> {
    let mut answer = Vec::new();
    // The hub may close the connection early.
    if stream.write_all(bytes).is_ok() {
        end();
        let _ = stream.read_to_end(&mut answer);
    }
    answer
}

fn over_tcp(world: &World, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(("127.0.0.1", world.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let half = stream.try_clone().unwrap();
    say(stream, bytes, || drop(half.shutdown(std::net::Shutdown::Write)))
}

fn over_socket(world: &World, bytes: &[u8]) -> Vec<u8> {
    let stream = UnixStream::connect(world.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let half = stream.try_clone().unwrap();
    say(stream, bytes, || drop(half.shutdown(std::net::Shutdown::Write)))
}

/// On TCP and on the socket: they have no effect, and the next request is served.
pub fn malformed(scale: &Scale) {
    let (world, mut random) = (World::new(), scale.random("malformed"));
    world.module("plain", &[]);
    let watch = Watch::over(&world);
    world.start_hub();
    let pid = world.ready("plain");
    for bytes in broken() {
        for answer in [over_tcp(&world, &bytes), over_socket(&world, &bytes)] {
            let text = String::from_utf8_lossy(&answer);
            assert!(
                answer.is_empty()
                    || text.starts_with("HTTP/1.1 4")
                    || text.starts_with("HTTP/1.0 4")
                    || text.starts_with("HTTP/1.1 5"),
                "{:?} was answered {text:?}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(100)])
            );
        }
        watch.holds();
    }
    let whole = http::request("GET", "/health", &[("host", "localhost")]).into_bytes();
    for n in 0..scale.of(200, 200_000) {
        // A valid request with some bytes changed, or random bytes.
        let mut bytes = whole.clone();
        if n % 4 == 0 {
            bytes = (0..random.below(500)).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        }
        for _ in 0..=random.below(5) {
            let length = u64::try_from(bytes.len()).unwrap();
            if length > 0 {
                let at = usize::try_from(random.below(length)).unwrap();
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
        let _ = over_tcp(&world, &bytes);
        if n % 50 == 0 {
            watch.holds();
        }
    }
    assert_eq!(world.ready("plain"), pid, "the module was not touched");
    watch.ends();
}

/// A page of another site, a proxy, and another user of this machine: their requests have no effect.
pub fn strangers(_: &Scale) {
    let world = World::new();
    world.module("plain", &[]);
    let watch = Watch::over(&world);
    world.start_hub();
    let pid = world.ready("plain");
    for headers in [
        &[("host", "evil.example")][..],
        &[("host", "127.0.0.1.evil.example")],
        &[("host", "localhost"), ("x-forwarded-for", "10.0.0.1")],
        &[("host", "localhost"), ("x-forwarded-host", "evil.example")],
        &[("host", "localhost"), ("forwarded", "for=10.0.0.1")],
        &[("host", "localhost"), ("origin", "http://evil.example")],
        &[("host", "localhost"), ("authorization", "Bearer guessed")],
    ] {
        for verb in ["stop", "restart", "start"] {
            let target = format!("/api/modules/plain/{verb}");
            let answer = http::tcp(world.port(), "POST", &target, headers).unwrap();
            assert!([401, 403].contains(&answer.status), "{headers:?}: {answer:?}");
        }
        watch.holds();
    }
    another_user(&world);
    assert_eq!(world.ready("plain"), pid, "the module was not touched");
    watch.ends();
}

/// `nobody` is refused on the socket, even if the directories allow access.
fn another_user(world: &World) {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !geteuid().is_root() {
        eprintln!("skipped in part: only root can play another user");
        return;
    }
    // The user may have no access to this tree either.
    let program = world.file("fixture");
    executable::copy(&fixture(), &program);
    let ask = || {
        let mut ask = Command::new(&program);
        ask.args(["post".as_ref(), world.socket().as_os_str(), "/api/modules/plain/stop".as_ref()]);
        let said = ask.current_dir("/").uid(65534).gid(65534).output();
        said.map_or_else(
            |error| error.to_string(),
            |said| String::from_utf8_lossy(&said.stdout).trim().to_owned(),
        )
    };
    let closed = ask();
    for dir in [world.file(""), world.home(), world.home().join("run"), world.socket()] {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let open = ask();
    for dir in [world.home(), world.home().join("run"), world.socket()] {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    // An error or a closed connection: in any case not a success.
    assert!(closed.contains("Permission denied"), "{closed}");
    assert!(["401", "403"].contains(&open.as_str()) || open.contains("os error"), "{open}");
}
