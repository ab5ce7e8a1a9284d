//! Checks a module's health path. Off by default. The machine decides what follows from the answers.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::duration;

use super::readiness::LOOPBACK;

/// One answer, or the reason why there was none.
pub(super) async fn ask(port: u16, path: &str, timeout: Duration) -> Result<StatusCode, String> {
    match tokio::time::timeout(timeout, get(port, path)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {}", duration::words(timeout))),
    }
}

/// 2xx and 3xx are alive, and so is a server that asks for authentication (401, 403).
#[must_use]
pub(super) fn counts_as_alive(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || matches!(status.as_u16(), 401 | 403)
}

async fn get(port: u16, path: &str) -> Result<StatusCode, String> {
    let (stream, at) = connect(port).await.map_err(|e| format!("connect failed: {e}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let request = Request::get(path)
        .header("host", at.to_string())
        .header("user-agent", "parachute-health")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| format!("health path {path:?} cannot be asked: {e}"))?;
    // The connection carries the exchange and ends with it; an answer that arrives with its end must not be lost.
    tokio::spawn(connection);
    sender.send_request(request).await.map(|answer| answer.status()).map_err(|e| e.to_string())
}

/// Connects to the address at which `readiness` found it.
async fn connect(port: u16) -> std::io::Result<(TcpStream, SocketAddr)> {
    let [first, second] = LOOPBACK.map(|ip| SocketAddr::new(ip, port));
    match TcpStream::connect(first).await {
        Ok(stream) => Ok((stream, first)),
        Err(error) => match TcpStream::connect(second).await {
            Ok(stream) => Ok((stream, second)),
            // The error of the usual address: a host without IPv6 would only report that it has none.
            Err(_) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_answer_that_ends_its_connection_counts() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        });
        assert_eq!(ask(port, "/health", Duration::from_secs(30)).await, Ok(StatusCode::OK));
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_listener_on_either_loopback_address_is_checked_there() {
        for ip in LOOPBACK {
            let listener = tokio::net::TcpListener::bind((ip, 0)).await.unwrap();
            let at = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 4096];
                let read = stream.read(&mut asked).await.unwrap();
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                String::from_utf8_lossy(&asked[..read]).into_owned()
            });
            let answer = ask(at.port(), "/health", Duration::from_secs(30)).await;
            assert_eq!(answer, Ok(StatusCode::NO_CONTENT), "{at}");
            let asked = server.await.unwrap();
            assert!(asked.contains(&format!("host: {at}\r\n")), "{asked}");
        }
    }

    #[test]
    fn what_counts_as_alive() {
        for (code, alive) in
            [(200, true), (204, true), (302, true), (401, true), (403, true), (404, false), (503, false)]
        {
            assert_eq!(counts_as_alive(StatusCode::from_u16(code).unwrap()), alive, "{code}");
        }
    }
}
