//! The program under a real systemd: each test boots its own in private namespaces (`systemd-lab`), with its
//! own `/`, users, cgroups, boot id and network, and discards it. Nothing of the machine is touched.
//!
//! Needs root and a kernel that lets root create namespaces. Elsewhere every test reports on stderr that it was
//! skipped; with `PARACHUTE_LAB=required`, as `.ci/run` sets it, that is a failure.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test: real service managers and real processes"
)]
#![cfg_attr(test, expect(unreachable_pub, reason = "test: the harness is modules of this binary"))]

mod host;
mod hub;
mod lab;
mod old;
#[path = "../support/program.rs"]
mod program;
mod snapshot;
#[path = "../support/units.rs"]
mod units;

mod adopt;
mod boot;
mod cutover;
mod doctor;
mod escape;
mod harness;
mod hints;
mod hostile;
mod hub_env;
mod init;
mod life;
mod migrate;
mod pair;
mod persons;
mod purge;
mod readme;
mod reap;
mod socket;
mod stop;
mod words;
