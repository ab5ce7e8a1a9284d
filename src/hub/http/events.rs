//! State changes as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::hub::app::App;
use crate::hub::views;
use crate::supervisor::snapshot::Change;

use super::auth::Operator;

/// Every state change from now on, until the hub stops or the client leaves.
pub(crate) async fn events(_: Operator, State(app): State<App>) -> Response {
    let state = (app.supervisor.changes(), app.closing.clone(), true);
    let body = stream::unfold(state, |(mut changes, mut closing, first)| async move {
        if first {
            // A first line shows the client that it is connected, before the first change.
            return Some((
                Ok::<_, Infallible>(Bytes::from_static(b": connected\n\n")),
                (changes, closing, false),
            ));
        }
        let text = next(&mut changes, &mut closing).await?;
        Some((Ok(Bytes::from(text)), (changes, closing, false)))
    });
    sse(Body::from_stream(body))
}

async fn next(
    changes: &mut broadcast::Receiver<Arc<Change>>,
    closing: &mut watch::Receiver<bool>,
) -> Option<String> {
    if *closing.borrow() {
        return None;
    }
    tokio::select! {
        change = changes.recv() => match change {
            Ok(change) => Some(event("module", Some(change.seq), &views::event(&change))),
            Err(RecvError::Lagged(lost)) => Some(event("dropped", None, &serde_json::json!({ "lost": lost }))),
            Err(RecvError::Closed) => None,
        },
        _ = closing.changed() => None,
    }
}

/// One event. JSON never contains a raw line break, so one `data:` line holds it.
pub(crate) fn event(name: &str, id: Option<u64>, data: &impl serde::Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {name}\ndata: {data}\n\n")
}

/// A response that carries events.
pub(crate) fn sse(body: Body) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}
