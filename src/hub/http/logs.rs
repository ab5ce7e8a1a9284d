//! A module's log: the last lines, a text stream as in the original, or server-sent events.
//!
//! The ring provides recent lines; older ones come from the files. A follower that is too slow learns how many lines
//! it missed; it never slows a module.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;

use crate::api::wire::{LogLine, LogReply, Stream as WireStream};
use crate::hub::app::App;
use crate::logs::file_reader::{self, Selection};
use crate::logs::follower::{Followed, Follower};
use crate::logs::line::{Line, Stream};
use crate::logs::log_entry::{LogEntry, ReadError};
use crate::logs::module_log::ModuleLog;
use crate::logs::ring::FollowFrom;
use crate::module::name::Short;
use crate::module::timestamp::Timestamp;
use crate::supervisor::supervisor::Member;

use super::auth::Operator;
use super::error::Failure;
use super::events::{event, sse};
use super::modules::{Name, member_to_read};

/// Lines sent if the request gives no number.
const LINES: usize = 200;
/// Most lines of one response; more must be followed or read from the files.
const MOST: usize = 10_000;
/// Most text of one response, which is held several times over while it is made: the newest lines that fit.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// `?n=…&since=…&follow=1&from=…`.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    n: Option<usize>,
    since: Option<String>,
    follow: Option<String>,
    /// The next `seq` for a client that reconnects. `Last-Event-ID` means the one after it.
    from: Option<u64>,
}

/// One module's log.
pub(crate) async fn logs(
    _: Operator,
    State(app): State<App>,
    Name(name): Name,
    headers: HeaderMap,
    query: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Failure> {
    let bad = |text: String| Failure::new(StatusCode::BAD_REQUEST, "bad_request", text);
    let Query(wanted) = query.map_err(|error| bad(error.body_text()))?;
    let Member { short, log, .. } = member_to_read(&app, &name)?;
    let since = match &wanted.since {
        None => None,
        Some(text) => Some(
            Timestamp::parse(text).ok_or_else(|| bad(format!("since={text:?} is not an RFC 3339 time")))?,
        ),
    };
    let n = wanted.n.unwrap_or(LINES).min(MOST);
    if !matches!(wanted.follow.as_deref(), Some("1" | "true")) {
        // Reading files of fifty MiB takes a second, in which the supervising thread would see no crash.
        let answer = move || last(&app, &short, &log, n, since).map(|reply| Json(reply).into_response());
        let answer = tokio::task::spawn_blocking(answer).await;
        // The read is never cancelled and never panics; it fails only if the runtime ends.
        return answer.unwrap_or_else(|_| Err(Failure::shutting_down()));
    }
    let seen =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse::<u64>().ok());
    let start = match (seen.map(|seen| seen + 1).or(wanted.from), since) {
        (Some(seq), _) => FollowFrom::Seq(seq),
        (None, Some(since)) => FollowFrom::Since(since),
        (None, None) => FollowFrom::Tail(n),
    };
    let wants_events = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    let follower = log.follow(start);
    let closing = app.closing.clone();
    if wants_events {
        return Ok(sse(body(follower, closing, as_events)));
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body(follower, closing, move |followed| as_text(&short, followed))).into_response())
}

/// From the ring if it has all requested lines, else from the files.
fn last(
    app: &App,
    short: &Short,
    log: &ModuleLog,
    n: usize,
    since: Option<Timestamp>,
) -> Result<LogReply, Failure> {
    let ring = log.tail(MOST);
    let whole = ring.first().is_some_and(|line| line.seq == 0);
    let reaches = match (ring.first(), since) {
        (Some(first), Some(since)) => first.at < since,
        (_, None) => ring.len() >= n,
        (None, Some(_)) => false,
    };
    let entries: Vec<LogLine> = match ring.first() {
        Some(first) if whole && !reaches => {
            // The ring has all lines of this hub; those of an earlier one are in the files only.
            let mut older = from_files(app, short, n, since)?;
            older.retain(|line| line.at < first.at);
            older.into_iter().chain(ring.iter().map(wire)).collect()
        }
        Some(_) if reaches => ring.iter().map(wire).collect(),
        Some(_) | None => from_files(app, short, n, since)?,
    };
    let wanted = entries.into_iter().filter(|line| since.is_none_or(|since| line.at >= since));
    let entries = newest(wanted.map(Ok::<_, Failure>), n, MOST_BYTES)?;
    let lines: Vec<String> = entries.iter().map(|line| format!("[{short}] {}", line.text)).collect();
    let text = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    Ok(LogReply { short: short.to_string(), lines, text, entries })
}

fn from_files(app: &App, short: &Short, n: usize, since: Option<Timestamp>) -> Result<Vec<LogLine>, Failure> {
    let fail = |error: ReadError| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", error.to_string())
            .next(format!("ls -l {}", error.path.display()))
    };
    let entries =
        file_reader::open(&[app.home.log_file(short)], Selection { last: Some(n), since }).map_err(fail)?;
    newest(entries.map(|entry| entry.map(|entry| stored(&entry)).map_err(fail)), n, MOST_BYTES)
}

/// The last `n` of these lines, fewer if they have more than this many bytes.
fn newest<E>(
    lines: impl Iterator<Item = Result<LogLine, E>>,
    n: usize,
    most: usize,
) -> Result<Vec<LogLine>, E> {
    let (mut kept, mut bytes) = (VecDeque::new(), 0);
    for line in lines {
        let line = line?;
        bytes += line.text.len();
        kept.push_back(line);
        while kept.len() > n || bytes > most {
            let Some(oldest) = kept.pop_front() else { break };
            bytes -= oldest.text.len();
        }
    }
    Ok(kept.into())
}

fn wire(line: &Line) -> LogLine {
    LogLine {
        seq: line.seq,
        at: line.at,
        stream: stream_of(line.stream),
        continued: line.continued,
        text: String::from_utf8_lossy(&line.text).into_owned(),
    }
}

fn stored(entry: &LogEntry) -> LogLine {
    LogLine {
        seq: 0,
        at: entry.at.unwrap_or_default(),
        stream: stream_of(entry.stream),
        continued: entry.continued,
        text: String::from_utf8_lossy(&entry.text).into_owned(),
    }
}

fn stream_of(stream: Stream) -> WireStream {
    match stream {
        Stream::Out => WireStream::Out,
        Stream::Err => WireStream::Err,
        Stream::Hub => WireStream::Hub,
    }
}

/// A body that continues until the hub stops, the module is removed, or the client disconnects.
fn body(
    follower: Follower,
    closing: watch::Receiver<bool>,
    render: impl Fn(&Followed) -> String + Send + 'static,
) -> Body {
    let first = Bytes::new();
    let state = (Some(follower), closing, render, Some(first));
    Body::from_stream(stream::unfold(state, |(follower, mut closing, render, first)| async move {
        if let Some(first) = first {
            // An empty chunk sends the response head at once.
            return Some((Ok::<_, Infallible>(first), (follower, closing, render, None)));
        }
        let mut follower = follower?;
        let followed = if *closing.borrow() {
            Followed::Closed
        } else {
            tokio::select! {
                followed = follower.next() => followed,
                _ = closing.changed() => Followed::Closed,
            }
        };
        let text = Bytes::from(render(&followed));
        let follower = (followed != Followed::Closed).then_some(follower);
        Some((Ok(text), (follower, closing, render, None)))
    }))
}

fn as_events(followed: &Followed) -> String {
    match followed {
        Followed::Lines(lines) => {
            lines.iter().map(|line| event("line", Some(line.seq), &wire(line))).collect()
        }
        Followed::Dropped { lost } => event("dropped", None, &serde_json::json!({ "lost": lost })),
        Followed::Closed => event("end", None, &serde_json::json!({})),
    }
}

fn as_text(short: &Short, followed: &Followed) -> String {
    match followed {
        Followed::Lines(lines) => {
            lines.iter().map(|line| format!("[{short}] {}\n", String::from_utf8_lossy(&line.text))).collect()
        }
        Followed::Dropped { lost } => {
            format!("[{short}] … {lost} lines were not sent: this reader was too slow\n")
        }
        Followed::Closed => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_that_fit_are_kept() {
        let kept = |n: usize, most: usize| {
            let lines = ["a", "bb", "ccc", "d"].map(|text| LogLine {
                seq: 0,
                at: Timestamp(0),
                stream: WireStream::Out,
                continued: false,
                text: text.to_owned(),
            });
            let kept = newest(lines.into_iter().map(Ok::<_, Infallible>), n, most);
            kept.unwrap().into_iter().map(|line| line.text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept(9, 9), "a bb ccc d");
        assert_eq!(kept(2, 9), "ccc d");
        assert_eq!(kept(9, 5), "ccc d");
        assert_eq!(kept(9, 3), "d");
        assert_eq!((kept(0, 9), kept(9, 0)), (String::new(), String::new()));
    }
}
