//! Talks to a running hub over its control socket.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::wire::{ApiError, Health};

/// Longest wait for an answer that involves no module.
pub const READ: Duration = Duration::from_secs(5);
/// Longest wait for a start, stop or restart: enough for stop, kill and readiness of a slow module.
pub const OP: Duration = Duration::from_secs(120);
/// Largest answer that is read, bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Why a request to a hub failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No process listens: no hub runs on this home.
    #[error("no hub is running (nothing answers on {})", socket.display())]
    NoHub {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket exists, but this user may not connect to it.
    #[error("cannot talk to the hub on {}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// No answer from this address.
    #[error("nothing answers on {address}")]
    NoAnswer {
        /// Host and port.
        address: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The connection was lost.
    #[error("the hub closed the connection early")]
    Broken(#[source] hyper::Error),
    /// The connection was lost in the middle of the answer, or the answer is too long.
    #[error("the hub's answer (HTTP {status}) was incomplete")]
    Partial {
        /// The status.
        status: StatusCode,
        /// The error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("the hub did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The hub refused, with a reason.
    #[error("{}", .0.error_description)]
    Refused(Box<ApiError>, StatusCode),
    /// The answer is not the hub's.
    #[error("the hub answered HTTP {status} with a body that this version does not know")]
    Foreign {
        /// The status.
        status: StatusCode,
    },
}

/// A connection to one hub.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the hub on this socket. Each call connects again.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// GET.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, READ).await
    }

    /// POST without a body.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, within: Duration) -> Result<T, ClientError> {
        self.call(Method::POST, path, within).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        within: Duration,
    ) -> Result<T, ClientError> {
        let exchange = async {
            let stream =
                UnixStream::connect(&self.socket).await.map_err(|source| self.no_connection(source))?;
            answer(stream, "hub", method, path).await
        };
        tokio::time::timeout(within, exchange).await.unwrap_or(Err(ClientError::Timeout(within)))
    }
    /// A socket file without a listener is left by a killed hub.
    fn no_connection(&self, source: std::io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                ClientError::NoHub { socket }
            }
            _ => ClientError::Socket { socket, source },
        }
    }
}

/// The process that answers `/health` on the hub's port, as every other program on this machine sees it. It may not
/// be the hub.
///
/// # Errors
/// [`ClientError`].
pub async fn health_on(host: &str, port: u16) -> Result<Health, ClientError> {
    // A wildcard address is asked on the loopback.
    let (host, named) = match host {
        "0.0.0.0" => ("127.0.0.1", "127.0.0.1".to_owned()),
        "::" => ("::1", "[::1]".to_owned()),
        v6 if v6.contains(':') => (v6, format!("[{v6}]")),
        other => (other, other.to_owned()),
    };
    let exchange = async {
        let address = format!("{named}:{port}");
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|source| ClientError::NoAnswer { address: address.clone(), source })?;
        answer(stream, &address, Method::GET, "/health").await
    };
    tokio::time::timeout(READ, exchange).await.unwrap_or(Err(ClientError::Timeout(READ)))
}

async fn answer<S, T>(stream: S, host: &str, method: Method, path: &str) -> Result<T, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: DeserializeOwned,
{
    let response = send(stream, host, method, path).await?;
    let status = response.status();
    let body = http_body_util::Limited::new(response.into_body(), MAX_BODY);
    let body = body.collect().await.map_err(|source| ClientError::Partial { status, source })?.to_bytes();
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| ClientError::Foreign { status });
    }
    match serde_json::from_slice::<ApiError>(&body) {
        Ok(error) => Err(ClientError::Refused(Box::new(error), status)),
        Err(_) => Err(ClientError::Foreign { status }),
    }
}

async fn send<S>(stream: S, host: &str, method: Method, path: &str) -> Result<Response<Incoming>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
    // Ends with the exchange; errors are reported by the sender.
    tokio::spawn(connection);
    let request =
        Request::builder().method(method).uri(path).header("host", host).body(Empty::<Bytes>::new());
    let request = request.map_err(|_| ClientError::Foreign { status: StatusCode::BAD_REQUEST })?;
    sender.send_request(request).await.map_err(ClientError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    /// Connects to a hub that gives these bytes to any request, and closes the connection if it `ends`.
    async fn asked(answer: &'static str, ends: bool, within: Duration) -> ClientError {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let hub = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            (!ends).then_some(stream)
        });
        let error = Client::new(socket).post::<ApiError>("/x", within).await.unwrap_err();
        drop(hub.await.unwrap());
        error
    }

    #[tokio::test]
    async fn a_foreign_answer_names_its_http_status() {
        let empty = asked("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", true, READ).await;
        assert_eq!(
            empty.to_string(),
            "the hub answered HTTP 500 Internal Server Error with a body that this version does not know"
        );
        let html = asked("HTTP/1.1 404 X\r\ncontent-length: 4\r\n\r\n<p>x", true, READ).await;
        assert!(matches!(html, ClientError::Foreign { status: StatusCode::NOT_FOUND }), "{html:?}");
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_text_and_its_hint() {
        let body = concat!(
            "HTTP/1.1 404 X\r\nconnection: close\r\n\r\n",
            r#"{"error":"unknown_module","error_description":"no module x","next":"parachute status"}"#
        );
        let ClientError::Refused(error, status) = asked(body, true, READ).await else {
            panic!("not refused")
        };
        assert_eq!((error.error.as_str(), status.as_u16()), ("unknown_module", 404));
        assert_eq!(error.next.as_deref(), Some("parachute status"));
    }

    #[tokio::test]
    async fn an_interrupted_answer_is_not_reported_as_another_program() {
        let cut = asked("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{", true, READ).await;
        assert!(matches!(cut, ClientError::Partial { status: StatusCode::OK, .. }), "{cut:?}");
        let nothing = asked("", true, READ).await;
        assert!(matches!(nothing, ClientError::Broken(_)), "{nothing:?}");
    }

    #[tokio::test]
    async fn a_hub_that_does_not_answer_times_out() {
        let within = Duration::from_millis(20);
        let silent = asked("", false, within).await;
        assert!(matches!(silent, ClientError::Timeout(limit) if limit == within), "{silent:?}");
    }

    #[tokio::test]
    async fn the_port_is_asked_as_any_other_program_would() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let n = stream.read(&mut asked).await.unwrap();
            let body = r#"{"status":"ok","service":"parachute-hub","version":"1","instance":"x"}"#;
            let answer = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        assert_eq!(health_on("0.0.0.0", port).await.unwrap().instance, "x");
        let asked = server.await.unwrap();
        assert!(asked.contains(&format!("host: 127.0.0.1:{port}")), "{asked}");
        let unanswered = health_on("127.0.0.1", port).await.unwrap_err();
        assert_eq!(unanswered.to_string(), format!("nothing answers on 127.0.0.1:{port}"));
    }

    #[tokio::test]
    async fn no_socket_and_a_socket_left_behind_both_mean_no_hub() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let client = Client::new(socket.clone());
        assert!(matches!(client.get::<ApiError>("/x").await, Err(ClientError::NoHub { .. })));
        drop(UnixListener::bind(&socket).unwrap());
        assert!(socket.exists(), "a killed hub leaves its socket");
        assert!(matches!(client.get::<ApiError>("/x").await, Err(ClientError::NoHub { .. })));
        // A home that is not a directory is a third case: nothing is known about a hub.
        let odd = Client::new(socket.join("below"));
        assert!(matches!(odd.get::<ApiError>("/x").await, Err(ClientError::Socket { .. })));
    }
}
