//! The `parachute serve` process: takes the lock, the control socket and the port, and only then touches modules.
//!
//! ```text
//! serve: activation → signals → premises (lock, socket, TCP) → READY
//!          │ ├─► http (socket and TCP, one router)
//!          │ ├─► supervisor (modules, in parallel; none in safe_mode)
//!          │ └─► life: signals, watch (services.json, hub.env), notify (watchdog)
//!          └───► shutdown: modules in parallel, then streams, then sockets
//! check: the same questions, nothing touched
//! ```
//!
//! Must not: decide about a module's life (the supervisor does), know a service manager beyond `sd_notify`.

pub mod activation;
pub mod address;
pub mod app;
pub mod boots;
pub mod check;
pub mod demo;
pub mod http;
pub mod hub_env;
pub mod keeper;
pub mod life;
pub mod listen;
pub mod notify;
pub mod options;
pub mod own_log;
pub mod premises;
pub mod refusal;
pub mod safe_mode;
pub mod serve;
pub mod shutdown;
pub mod token;
pub mod views;
pub mod watch;
