//! The module of `serve --demo`: a very small web server on `$PORT` that can be made to crash.
//!
//! One task per client, so that a browser's idle connection does not delay the health check.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::output::VerbOutput;
use crate::ui::terminal::Terminal;

/// A client that sends nothing for this long is disconnected.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two log lines, so that `logs -f` has something to show.
const BEAT: Duration = Duration::from_secs(2);
/// Longest request head, bytes.
const MAX_HEAD: u64 = 16 * 1024;

const PAGE: &str = "This is the demo module of parachute.\n\
    /health   answers ok\n\
    /crash    makes it exit with code 1; the hub restarts it\n\
    Then try: parachute why demo, parachute logs demo -f\n";

/// The reaction to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Page,
    Health,
    Crash,
}

impl Answer {
    /// From the first line of a request.
    fn to(request: &str) -> Self {
        match request.split_whitespace().nth(1) {
            Some("/health") => Self::Health,
            Some("/crash") => Self::Crash,
            _ => Self::Page,
        }
    }

    fn body(self) -> &'static str {
        match self {
            Self::Page => PAGE,
            Self::Health => "{\"status\":\"ok\"}\n",
            Self::Crash => "exiting with code 1; then try `parachute why demo`\n",
        }
    }
}

/// Serves until it is asked to stop (done) or to crash (failed).
///
/// # Errors
/// No usable `$PORT`, or the port is taken.
pub(crate) async fn run(cx: &Context) -> Result<VerbOutput, CliError> {
    let port = cx.env.get(OsStr::new("PORT")).and_then(|port| port.to_str()?.parse::<u16>().ok());
    let port =
        port.ok_or_else(|| CliError::new(ExitKind::Usage, "PORT is not set").hint("parachute serve --demo"))?;
    let failed =
        |error: std::io::Error| CliError::from_error(ExitKind::Failed, error).hint("parachute status");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    say(&format!("listening on http://127.0.0.1:{port}"));
    let (crash, mut crashed) = mpsc::channel(1);
    let mut beat = tokio::time::interval(BEAT);
    let mut beats: u64 = 0;
    loop {
        tokio::select! {
            stream = listener.accept() => {
                // For example too many open files: the log lines and the next accept continue.
                let Ok((stream, _)) = stream else { continue };
                let crash = crash.clone();
                tokio::spawn(async move {
                    let answered = tokio::time::timeout(PATIENCE, answer(stream)).await;
                    if matches!(answered, Ok(Ok(Answer::Crash))) {
                        // Full: it is crashing already.
                        let _ = crash.try_send(());
                    }
                });
            }
            _ = beat.tick() => {
                beats += 1;
                say(&format!("still running, {beats}"));
            }
            _ = terminate.recv() => {
                say("stopping: SIGTERM");
                return Ok(VerbOutput::done(""));
            }
            Some(()) = crashed.recv() => {
                Terminal.err("/crash was requested: exiting with code 1\n");
                return Ok(VerbOutput { out: String::new(), kind: ExitKind::Failed });
            }
        }
    }
}

fn say(line: &str) {
    // Without a reader there is no output; the server continues.
    let _ = Terminal.out(format!("{line}\n").as_bytes());
}

/// Answers one request, and returns what it was.
async fn answer(stream: TcpStream) -> std::io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let mut head = (&mut reader).take(MAX_HEAD);
    let mut request = String::new();
    head.read_line(&mut request).await?;
    let mut line = String::new();
    while head.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let answer = Answer::to(&request);
    // Health checks, and probes that only connect, would hide the user's requests.
    if answer != Answer::Health && !request.is_empty() {
        say(request.trim_end());
    }
    let body = answer.body();
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let mut stream = reader.into_inner();
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_path_crashes_it() {
        let table = [
            ("GET /health HTTP/1.1\r\n", Answer::Health),
            ("GET /crash HTTP/1.1\r\n", Answer::Crash),
            ("POST /crash HTTP/1.1\r\n", Answer::Crash),
            ("GET /crash-report HTTP/1.1\r\n", Answer::Page),
            ("GET / HTTP/1.1\r\n", Answer::Page),
            ("", Answer::Page),
        ];
        for (request, expected) in table {
            assert_eq!(Answer::to(request), expected, "{request:?}");
        }
    }

    #[tokio::test]
    async fn an_idle_client_does_not_delay_another() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let idle = TcpStream::connect(at).await.unwrap();
        let waiting = tokio::spawn(answer(listener.accept().await.unwrap().0));
        let mut asking = TcpStream::connect(at).await.unwrap();
        tokio::spawn(answer(listener.accept().await.unwrap().0));
        asking.write_all(b"GET /health HTTP/1.1\r\n\r\n").await.unwrap();
        let mut text = String::new();
        asking.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("{\"status\":\"ok\"}\n"), "{text}");
        assert!(!waiting.is_finished(), "the idle one is still being waited for");
        drop(idle);
    }
}
