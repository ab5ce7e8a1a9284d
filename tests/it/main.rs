//! All integration tests in one binary: the real program, real processes, real ports, separate homes.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test: the real file system and real processes"
)]
#![cfg_attr(test, expect(unreachable_pub, reason = "test: support is a module of this binary"))]

mod activation;
mod adverse;
mod api;
mod api_doors;
mod boot;
mod check;
mod circles;
mod corpora;
mod descriptors;
mod diagnostics;
mod doctor;
mod documents;
mod edges;
mod environment;
mod fifo;
mod files;
mod groups;
mod hints;
mod hub_env;
mod launchd;
mod launchd_faults;
mod launchd_verbs;
mod layers;
mod leftovers;
mod log_streams;
mod logs;
mod orphans;
mod plan;
mod questions;
mod readme;
mod registration;
mod requests;
mod safe_mode;
mod silent_mount;
mod size;
mod start_checks;
mod storm;
mod supervise;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod unit_plists;
mod unit_values;
mod unit_verbs;
mod units;
mod verbs;
