//! The `parachute serve` process: takes the lock, the control socket and the port, and only then touches modules.
//!
//! ```text
//! serve: activation → signals → resources (lock, socket, TCP) → READY
//!          │ ├─► http (socket and TCP, one router)
//!          │ ├─► supervisor (modules, in parallel; none in safe_mode)
//!          │ └─► run_loop: signals, watch (services.json, hub.env), notify (watchdog)
//!          └───► the end: modules in parallel, then streams, then sockets
//! check: the same checks, nothing changed
//! ```
//!
//! This room must not decide about a module's state (the supervisor does), or use a service manager beyond `sd_notify`.

pub(crate) mod activation;
pub(crate) mod address;
pub(crate) mod app;
pub(crate) mod boots;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod diagnostics;
pub(crate) mod fd_store;
pub(crate) mod http;
pub(crate) mod hub_env;
pub(crate) mod listen;
pub(crate) mod log_filter;
pub mod notify;
pub(crate) mod options;
pub(crate) mod own_log;
pub(crate) mod resources;
pub(crate) mod run_loop;
pub(crate) mod safe_mode;
pub(crate) mod serve;
pub(crate) mod serve_error;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub(crate) mod token;
pub(crate) mod views;
pub(crate) mod watch;
