//! Streams that arrive in pieces: a process's output, a followed response.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{eventually, http, world::World};

/// A stream that is read by its own thread.
pub struct Live {
    seen: Arc<Mutex<(Vec<u8>, bool)>>,
    child: Option<Child>,
}

impl Live {
    /// Reads `source` from now on.
    pub fn of(mut source: impl Read + Send + 'static) -> Self {
        let seen = Arc::new(Mutex::new((Vec::new(), false)));
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while let Ok(n @ 1..) = source.read(&mut buffer) {
                sink.lock().unwrap().0.extend_from_slice(&buffer[..n]);
            }
            sink.lock().unwrap().1 = true;
        });
        Self { seen, child: None }
    }

    /// Standard output of a command, which is killed on drop.
    pub fn output(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut live = Self::of(stdout);
        live.child = Some(child);
        live
    }

    /// A GET on the control socket.
    pub fn get(world: &World, target: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = UnixStream::connect(world.socket()).unwrap();
        let headers: Vec<_> = headers.iter().copied().chain([("host", "hub")]).collect();
        stream.write_all(http::request("GET", target, &headers).as_bytes()).unwrap();
        Self::of(stream)
    }

    /// All text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().0).into_owned()
    }

    /// Waits for a text.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        eventually(&format!("the stream brings {text:?}"), || self.text().contains(text));
    }

    /// Waits for the end.
    #[track_caller]
    pub fn ends(&self) {
        eventually("the stream ends", || self.seen.lock().unwrap().1);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
