//! Accepts connections and serves them, with a bound on everything a client can make the hub hold.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tower_service::Service;

use super::auth::Peer;

/// Connections served at once on each listener. More wait in the kernel's backlog.
const CONNECTIONS: usize = 256;
/// Request line and headers must arrive within this time; also the longest an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Largest request head and read buffer, bytes.
const BUFFER: usize = 16 * 1024;
/// A first request that is on its way when the hub stops arrives within this long.
const FIRST: Duration = Duration::from_millis(200);
/// An ordered stop waits so long for connections that were accepted.
const FAREWELL: Duration = Duration::from_secs(1);
/// After a failed accept (out of descriptors), the listener rests this long.
const REST: Duration = Duration::from_millis(100);

/// Serves the control socket until `closing`. Peers of another user, root apart, are turned away.
pub async fn socket(listener: UnixListener, router: Router, uid: u32, mut closing: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Some(slot) = slot(&slots, &mut closing).await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => match stream.peer_cred() {
                Ok(peer) if peer.uid() == uid || peer.uid() == 0 => {
                    connection(stream, Peer::Socket, router.clone(), slot, closing.clone());
                }
                // Dropping the stream is the answer: another user must not even learn what speaks here.
                Ok(_) | Err(_) => {}
            },
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
    drain(&slots).await;
}

/// Serves TCP until `closing`.
pub async fn tcp(listener: TcpListener, router: Router, mut closing: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Some(slot) = slot(&slots, &mut closing).await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
        };
        match accepted {
            Ok((stream, addr)) => {
                // Small answers must not wait for Nagle; a socket that refuses the option is still a socket.
                let _ = stream.set_nodelay(true);
                connection(stream, Peer::Tcp(addr), router.clone(), slot, closing.clone());
            }
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
    drain(&slots).await;
}

/// Who was accepted gets the whole answer, unless it takes too long to fetch it.
async fn drain(slots: &Semaphore) {
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    // Whoever is still there then is cut off: a stop is bounded.
    let _ = tokio::time::timeout(FAREWELL, slots.acquire_many(all)).await;
}

async fn slot(slots: &Arc<Semaphore>, closing: &mut watch::Receiver<bool>) -> Option<OwnedSemaphorePermit> {
    if *closing.borrow() {
        return None;
    }
    tokio::select! {
        slot = Arc::clone(slots).acquire_owned() => slot.ok(),
        _ = closing.changed() => None,
    }
}

fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    slot: OwnedSemaphorePermit,
    mut closing: watch::Receiver<bool>,
) {
    let asked = Arc::new(Notify::new());
    let heard = Arc::clone(&asked);
    let service = service_fn(move |mut request: Request<Incoming>| {
        // One is remembered if nobody waits yet.
        heard.notify_one();
        request.extensions_mut().insert(peer);
        let mut router = router.clone();
        async move {
            match router.call(request.map(Body::new)).await {
                Ok(response) => Ok::<_, Infallible>(response),
                Err(never) => match never {},
            }
        }
    });
    tokio::spawn(async move {
        let _slot = slot;
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(serving);
        // A client that breaks off or talks nonsense is its own problem; hyper has answered what could be answered.
        tokio::select! {
            _ = serving.as_mut() => return,
            _ = closing.changed() => {}
        }
        // hyper takes a connection on which nothing was asked yet for an idle one. Whoever has just connected has its
        // request on the way, and would be cut off in the middle of it.
        tokio::select! {
            _ = serving.as_mut() => return,
            () = asked.notified() => {}
            () = tokio::time::sleep(FIRST) => {}
        }
        serving.as_mut().graceful_shutdown();
        let _ = serving.await;
    });
}
