//! The control API over HTTP/1.1. One router for the socket and for TCP; they differ in who may send requests.

pub(crate) mod accept;
pub(crate) mod auth;
pub(crate) mod connection_limit;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod modules;
pub(crate) mod public;
pub(crate) mod router;
