//! Accepts connections and serves them, with a limit on everything that a client can make the hub hold.

use std::convert::Infallible;
use std::io;
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
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tower_service::Service;
use tracing::{Level, debug};

use crate::supervisor::clock::moment;

use super::auth::Peer;
use super::connection_limit::{ConnectionLimit, ConnectionPermit};

/// Connections served at once on each listener. Beyond that the one that has been idle longest is closed; while none is
/// idle, more wait in the kernel's backlog.
const CONNECTIONS: usize = 256;
/// Request line and headers must arrive within this time; also the longest an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Largest request head and read buffer, bytes.
const BUFFER: usize = 16 * 1024;
/// A client sends its request within this time after connecting, even on a busy machine; a stop waits for it.
const FIRST: Duration = Duration::from_secs(1);
/// A stop waits this long for accepted connections. More than `FIRST`, so that the last request is answered.
const FAREWELL: Duration = Duration::from_millis(1500);
/// Pause after a failed accept (out of descriptors).
const REST: Duration = Duration::from_millis(100);

/// The source of connections.
trait Door: Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection; `None`: it was refused.
    fn accept(&self) -> impl Future<Output = io::Result<Option<(Self::Stream, Peer)>>> + Send;
}

/// The control socket of this user.
struct Socket(UnixListener, u32);

impl Door for Socket {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<(UnixStream, Peer)>> {
        let (stream, _) = self.0.accept().await?;
        // Dropping the stream is the answer: another user must not even learn which program listens here.
        let known = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.1 || peer.uid() == 0);
        Ok(known.then_some((stream, Peer::Socket)))
    }
}

struct Tcp(TcpListener);

impl Door for Tcp {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<Option<(TcpStream, Peer)>> {
        let (stream, addr) = self.0.accept().await?;
        // Small responses must not wait for Nagle; a socket that refuses the option is still usable.
        let _ = stream.set_nodelay(true);
        Ok(Some((stream, Peer::Tcp(addr))))
    }
}

/// Serves the control socket until `closing`. Peers of other users, except root, are refused.
pub(crate) async fn socket(listener: UnixListener, router: Router, uid: u32, closing: watch::Receiver<bool>) {
    serve(Socket(listener, uid), router, closing).await;
}

/// Serves TCP until `closing`.
pub(crate) async fn tcp(listener: TcpListener, router: Router, closing: watch::Receiver<bool>) {
    serve(Tcp(listener), router, closing).await;
}

async fn serve(door: impl Door, router: Router, mut closing: watch::Receiver<bool>) {
    let limit = ConnectionLimit::new(CONNECTIONS);
    while !*closing.borrow() {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            _ = closing.changed() => break,
        };
        match accepted {
            Ok(Some((stream, peer))) => {
                let permit = tokio::select! {
                    // A stop at the same time is no reason to drop a connection for which there is room.
                    biased;
                    permit = limit.admit() => permit,
                    _ = closing.changed() => break,
                };
                connection(stream, peer, router.clone(), permit, closing.clone());
            }
            Ok(None) => debug!("a connection of another user was turned away"),
            Err(error) => {
                debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
    // An accepted connection gets its complete response, unless the client reads too slowly: a stop has a time limit.
    let _ = tokio::time::timeout(FAREWELL, limit.gone()).await;
}

fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    permit: ConnectionPermit,
    mut closing: watch::Receiver<bool>,
) {
    let asked = Arc::new(Notify::new());
    let heard = Arc::clone(&asked);
    let activity = permit.activity();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let active = activity.begin_request();
        // A notification is kept if no task waits yet.
        heard.notify_one();
        request.extensions_mut().insert(peer);
        let mut router = router.clone();
        // The path alone: a query or a header may hold a secret.
        let asked = tracing::enabled!(Level::DEBUG)
            .then(|| (moment().mono, request.method().clone(), request.uri().path().to_owned()));
        async move {
            let response = match router.call(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if let Some((begun, method, path)) = asked {
                let ms = moment().mono.saturating_duration_since(begun).as_millis();
                let status = response.status().as_u16();
                debug!(%method, path, status, ms, by = peer.word(), "a request was answered");
            }
            Ok::<_, Infallible>(response.map(|body| active.until_sent(body)))
        }
    });
    tokio::spawn(async move {
        let first = tokio::time::sleep(FIRST);
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(serving, first);
        // A client that disconnects or sends garbage has no claim to more; hyper has answered what it could.
        tokio::select! {
            _ = serving.as_mut() => return,
            () = permit.unwanted() => return,
            _ = closing.changed() => {}
        }
        // hyper takes a connection without a request for an idle one. A new connection may have its
        // request in transit, and would be cut off in the middle of it. An old connection has had its time.
        tokio::select! {
            _ = serving.as_mut() => return,
            () = asked.notified() => {}
            () = first.as_mut() => {}
        }
        serving.as_mut().graceful_shutdown();
        let _ = serving.await;
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::sync::mutex::lock;

    /// Accepts one connection while the hub is told to stop.
    struct LastConnection {
        stream: Mutex<Option<DuplexStream>>,
        close: watch::Sender<bool>,
    }

    impl Door for LastConnection {
        type Stream = DuplexStream;

        async fn accept(&self) -> io::Result<Option<(DuplexStream, Peer)>> {
            let stream = lock(&self.stream).take();
            match stream {
                Some(stream) => {
                    self.close.send_replace(true);
                    Ok(Some((stream, Peer::Socket)))
                }
                None => std::future::pending().await,
            }
        }
    }

    /// What the last connection reads if it sends its request this long after it was accepted.
    async fn answer(asks_after: Duration) -> String {
        let (mut client, server) = tokio::io::duplex(1024);
        let (close, closing) = watch::channel(false);
        let door = LastConnection { stream: Mutex::new(Some(server)), close };
        let router = Router::new().route("/", axum::routing::get(|| async { "answer" }));
        let asking = async {
            tokio::time::sleep(asks_after).await;
            // The listener may be closed by now: then there is nothing to read.
            let _ = client.write_all(b"GET / HTTP/1.1\r\nhost: hub\r\n\r\n").await;
            let mut text = String::new();
            client.read_to_string(&mut text).await.map(|_| text)
        };
        let ((), text) = tokio::join!(serve(door, router, closing), asking);
        text.unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_accepted_during_a_stop_is_answered() {
        // Without an order, `select!` picks one of two ready branches at random.
        for _ in 0..50 {
            assert!(answer(Duration::from_millis(900)).await.ends_with("answer"));
        }
        assert_eq!(answer(FIRST * 2).await, "", "a stop has a time limit");
    }
}
