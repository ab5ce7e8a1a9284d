//! The control API over HTTP/1.1. One router for the socket and for TCP; they differ in who may send requests.

pub mod accept;
pub mod auth;
pub mod connection_limit;
pub mod error;
pub mod events;
pub mod logs;
pub mod metrics;
pub mod modules;
pub mod public;
pub mod router;
