//! All integration tests in one binary: the real program, real processes, real ports, homes of their own.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test: the real file system and real processes"
)]
#![cfg_attr(test, expect(unreachable_pub, reason = "test: support is a module of this binary"))]

mod boot;
mod groups;
mod orphans;
mod storm;
#[path = "../support/mod.rs"]
mod support;
