//! The module of `serve --demo`: a very small web server on `$PORT` that can be made to crash.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use crate::ui::terminal::Terminal;

use super::context::Context;
use super::error::{CliError, Kind};
use super::run::Said;

/// A client that says nothing for this long is left.
const PATIENCE: Duration = Duration::from_secs(5);

const PAGE: &str = "This is the demo module of parachute.\n\
    /health   says that it is well\n\
    /crash    makes it fail; the hub starts it again\n";

/// Serves until it is killed or asked to crash.
///
/// # Errors
/// No usable `$PORT`, or the port is taken.
pub fn run(cx: &Context) -> Result<Said, CliError> {
    let port = cx
        .env
        .get(OsStr::new("PORT"))
        .and_then(|port| port.to_str())
        .and_then(|port| port.parse::<u16>().ok());
    let port =
        port.ok_or_else(|| CliError::new(Kind::Usage, "PORT is not set").hint("parachute serve --demo"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map_err(|error| CliError::from_error(Kind::Failed, &error).hint("parachute status"))?;
    say(&format!("listening on http://127.0.0.1:{port}"));
    for stream in listener.incoming() {
        // A client that breaks off, or that only looked whether somebody listens, is no event.
        let Ok(Some(request)) = stream.and_then(|stream| answer(&stream)) else { continue };
        say(&request);
        if request.split(' ').nth(1) == Some("/crash") {
            let message = "somebody opened /crash: these are the last words of this life";
            return Err(CliError::new(Kind::Failed, message));
        }
    }
    Ok(Said::done(""))
}

fn say(line: &str) {
    // Without a reader there is nothing to say; the server goes on.
    let _ = Terminal.out(format!("{line}\n").as_bytes());
}

/// Answers one request and returns its first line; `None` if there was none.
fn answer(mut stream: &TcpStream) -> std::io::Result<Option<String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    if reader.read_line(&mut head)? == 0 {
        return Ok(None);
    }
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let body = if head.starts_with("GET /health") { "{\"status\":\"ok\"}\n" } else { PAGE };
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
    Ok(Some(head.trim_end().to_owned()))
}
