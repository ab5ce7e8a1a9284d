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

pub mod activation;
pub mod address;
pub mod app;
pub mod boots;
pub mod check;
pub mod demo;
pub mod diagnostics;
pub mod http;
pub mod hub_env;
pub mod listen;
pub mod log_filter;
pub mod notify;
pub mod options;
pub mod own_log;
pub mod resources;
pub mod run_loop;
pub mod safe_mode;
pub mod serve;
pub mod serve_error;
pub mod service_manager;
pub mod signals;
pub mod token;
pub mod views;
pub mod watch;
