//! The `parachute serve` process: takes the lock, the control socket and the port, and only then touches modules.
//!
//! ```text
//! serve: signals → lock → socket → TCP → READY ─┬─► http (socket and TCP, one router)
//!                                               ├─► supervisor::set (modules, in parallel)
//!                                               ├─► watch (services.json), notify (watchdog)
//!                                               └─► shutdown: modules in parallel, then streams, then sockets
//! ```
//!
//! Must not: decide about a module's life (the supervisor does), know a service manager beyond `sd_notify`.

pub mod app;
pub mod demo;
pub mod http;
pub mod listen;
pub mod notify;
pub mod serve;
pub mod shutdown;
pub mod views;
pub mod watch;
