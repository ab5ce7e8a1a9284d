//! Talks to a running hub over its control socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::wire::ApiError;

/// Longest wait for an answer that needs no module.
pub const READ: Duration = Duration::from_secs(5);
/// Longest wait for a start, stop or restart: stop, kill and readiness of a slow module, with room.
pub const OP: Duration = Duration::from_secs(120);
/// Largest answer that is read, bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Why a hub did not answer as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens: no hub runs on this home.
    #[error("no hub is running (nothing answers on {})", socket.display())]
    NoHub {
        /// The socket.
        socket: PathBuf,
    },
    /// Something is there and this user may not talk to it.
    #[error("cannot talk to the hub on {}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the hub broke off the connection")]
    Broken(#[source] hyper::Error),
    /// It takes too long.
    #[error("the hub did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// It refused, and said why.
    #[error("{}", .0.error_description)]
    Refused(Box<ApiError>, StatusCode),
    /// It answered something else.
    #[error("the hub answered HTTP {status} and nothing this version understands")]
    Foreign {
        /// The status.
        status: StatusCode,
    },
}

/// A way to one hub.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the hub on this socket. Connects with every call.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
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
            let response = self.send(method, path).await?;
            let status = response.status();
            let body = http_body_util::Limited::new(response.into_body(), MAX_BODY);
            let body = body.collect().await.map_err(|_| ClientError::Foreign { status })?.to_bytes();
            if status.is_success() {
                return serde_json::from_slice(&body).map_err(|_| ClientError::Foreign { status });
            }
            match serde_json::from_slice::<ApiError>(&body) {
                Ok(error) => Err(ClientError::Refused(Box::new(error), status)),
                Err(_) => Err(ClientError::Foreign { status }),
            }
        };
        tokio::time::timeout(within, exchange).await.unwrap_or(Err(ClientError::Timeout(within)))
    }

    async fn send(&self, method: Method, path: &str) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| self.no_connection(source))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
        // Ends with the exchange; what breaks is reported by the sender.
        tokio::spawn(connection);
        let request =
            Request::builder().method(method).uri(path).header("host", "hub").body(Empty::<Bytes>::new());
        let request = request.map_err(|_| ClientError::Foreign { status: StatusCode::BAD_REQUEST })?;
        sender.send_request(request).await.map_err(ClientError::Broken)
    }

    /// A socket file nobody listens on is what a killed hub leaves.
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
