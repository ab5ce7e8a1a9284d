//! Looks at paths that a person or a module chose, in a process of its own. Such a path may lie on a file system that
//! never answers (NFS without its server, FUSE whose daemon is stopped). A thread in it cannot be ended: it would keep the
//! hub's lock and port even after `kill -9`. A process can be left alone.
//!
//! ```text
//! the hub                                             the helper (this program, argv[0] is `server::NAME`)
//! client ── Request ──── socket pair ───────────────► server ── walk, look
//!    ▲   ◄─ Reply … ─────────────────────────────────────┘
//!  exchange (where is it now?)   mount_point (whose silence is it?)       protocol, exchange, walk, mount_point: pure
//! ```
//!
//! One that is silent for two seconds is abandoned: killed and not waited for. Until it has died, nothing at or below the
//! place it was at is touched again, so that there is at most one such process for each mount.

pub(crate) mod client;
mod exchange;
mod line;
pub(crate) mod mount_point;
pub(crate) mod protocol;
pub(crate) mod server;
mod walk;
