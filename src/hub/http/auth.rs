//! Authorisation of requests.
//!
//! The socket is in a 0700 directory and its peer's uid is checked when it connects: no token. On TCP the operator
//! token is required. Without it only the public routes answer, and those only to a loopback peer that names a
//! loopback host and carries no sign of a proxy: otherwise a page on another site, a host on the network and a reverse
//! proxy on this machine would all look local.

use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use crate::api::token;
use crate::hub::app::App;

use super::error::Failure;

/// The source of a request. Every connection has one; set by `accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The control socket, from this user or root.
    Socket,
    /// TCP, from this address.
    Tcp(SocketAddr),
}

impl Peer {
    /// As an event of the hub names it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Tcp(_) => "tcp",
        }
    }
}

/// Headers that only a proxy adds. Present counts, even when empty.
const FORWARDED: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "cf-ray",
    "tailscale-user-login",
];

/// What a request may do without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Everything.
    Operator,
    /// The public routes.
    Public,
    /// Nothing, for this reason.
    Untrusted(&'static str),
}

/// Decides about a request. Pure.
#[must_use]
pub(crate) fn judge(peer: Peer, headers: &HeaderMap, expected: &str) -> Trust {
    let Peer::Tcp(addr) = peer else { return Trust::Operator };
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if bearer.is_some_and(|value| token::matches(value, expected)) {
        return Trust::Operator;
    }
    if !addr.ip().to_canonical().is_loopback() {
        return Trust::Untrusted("it comes from another machine");
    }
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Trust::Untrusted("it carries a proxy's headers");
    }
    match headers.get(header::HOST).map(|value| value.to_str().unwrap_or("")) {
        Some(host) if is_loopback_host(host) => Trust::Public,
        _ => Trust::Untrusted("its Host header does not name this machine's loopback"),
    }
}

/// `127.0.0.1`, `localhost` or `[::1]`, with or without a port.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn trust(parts: &Parts, app: &App) -> Trust {
    // A connection always has a peer: `accept` sets it. Without one, the request may do nothing.
    match parts.extensions.get::<Peer>() {
        Some(peer) => judge(*peer, &parts.headers, &app.identity.token),
        None => Trust::Untrusted("its origin is unknown"),
    }
}

/// In a handler's arguments: requires the operator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        match trust(parts, app) {
            Trust::Operator => Ok(Self),
            Trust::Public => Err(unauthenticated(parts, app)),
            Trust::Untrusted(_) if parts.headers.contains_key(header::AUTHORIZATION) => {
                Err(unauthenticated(parts, app))
            }
            Trust::Untrusted(why) => Err(refused(why)),
        }
    }
}

/// In a handler's arguments: requires a client on this machine without a sign of a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local;

impl FromRequestParts<App> for Local {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        match trust(parts, app) {
            Trust::Operator | Trust::Public => Ok(Self),
            Trust::Untrusted(why) => Err(refused(why)),
        }
    }
}

/// In a handler's arguments: requires the control socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnSocket;

impl FromRequestParts<App> for OnSocket {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
        match parts.extensions.get::<Peer>() {
            Some(Peer::Socket) => Ok(Self),
            Some(Peer::Tcp(_)) | None => Err(refused("it is answered on the control socket only")),
        }
    }
}

fn unauthenticated(parts: &Parts, app: &App) -> Failure {
    let file = app.home.operator_token();
    let what = if parts.headers.contains_key(header::AUTHORIZATION) {
        "the bearer token is not the operator's"
    } else {
        "a bearer token is needed"
    };
    Failure::new(StatusCode::UNAUTHORIZED, "unauthenticated", format!("{what}: it is in {}", file.display()))
        .next("the `parachute` command needs no token: it uses the control socket")
}

fn refused(why: &str) -> Failure {
    let text = format!("this request is refused without the operator token, because {why}");
    Failure::new(StatusCode::FORBIDDEN, "forbidden", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (header::HeaderName::from_static(k), v.parse().unwrap())).collect()
    }

    fn tcp(addr: &str) -> Peer {
        Peer::Tcp(addr.parse().unwrap())
    }

    #[test]
    fn trust_of_each_kind_of_request() {
        let bearer = format!("Bearer {TOKEN}");
        let local = tcp("127.0.0.1:5000");
        type Row<'a> = (Peer, Vec<(&'static str, &'a str)>, &'static str);
        let rows: Vec<Row<'_>> = vec![
            (Peer::Socket, vec![], "operator"),
            (local, vec![("host", "127.0.0.1:1939")], "public"),
            (local, vec![("host", "localhost:1939")], "public"),
            (local, vec![("host", "LOCALHOST")], "public"),
            (tcp("[::1]:9"), vec![("host", "[::1]:1939")], "public"),
            (tcp("[::ffff:127.0.0.1]:9"), vec![("host", "[::ffff:127.0.0.1]:1939")], "public"),
            (local, vec![("host", "evil.example")], "untrusted"),
            (local, vec![("host", "127.0.0.1.evil.example")], "untrusted"),
            (local, vec![("host", "localhost.evil.example:1939")], "untrusted"),
            (local, vec![], "untrusted"),
            (local, vec![("host", "localhost"), ("x-forwarded-for", "")], "untrusted"),
            (local, vec![("host", "localhost"), ("forwarded", "for=10.0.0.1")], "untrusted"),
            (local, vec![("host", "localhost"), ("cf-ray", "x")], "untrusted"),
            (tcp("192.168.1.7:5000"), vec![("host", "localhost")], "untrusted"),
            (local, vec![("host", "localhost"), ("authorization", "Bearer wrong")], "public"),
            (tcp("192.168.1.7:5000"), vec![("host", "evil.example"), ("authorization", &bearer)], "operator"),
        ];
        for (peer, pairs, expected) in rows {
            let word = match judge(peer, &headers(&pairs), TOKEN) {
                Trust::Operator => "operator",
                Trust::Public => "public",
                Trust::Untrusted(_) => "untrusted",
            };
            assert_eq!(word, expected, "{peer:?} {pairs:?}");
        }
    }
}
