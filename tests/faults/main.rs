//! Faults of a hub, and the invariants under each of them (`invariants`). Real processes, a separate home for
//! each fault, nothing of the machine.
//!
//! ```text
//! cargo test --test faults                       short: for every change
//! cargo build --release --example fixture && cargo test --release --test faults -- --long
//!                                                hours: the figures of `scale`
//! cargo test --test faults -- hub_killed --seed 7
//! ```
//!
//! Random times come from a seed that is printed; `--seed` repeats a run. Faults that only a whole machine
//! can have (power cuts, the out-of-memory killer, `init` and `migrate` killed at every step) are in `tests/lab`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test: the real file system and real processes"
)]
#![cfg_attr(test, expect(unreachable_pub, reason = "test: support is a module of this binary"))]

mod bomb;
mod clocks;
mod connections;
mod disk;
mod floods;
mod invariants;
mod kills;
mod readers;
mod requests;
mod rows;
mod scale;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "written for all the tests; this binary needs a part")]
mod support;
mod verbs;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use scale::Scale;

/// A fault and its name.
type Fault = (&'static str, fn(&Scale));

const FAULTS: [Fault; 19] = [
    ("hub_killed_at_random_instants", kills::of_the_hub),
    ("hub_killed_while_it_stops", kills::of_a_hub_that_stops),
    ("hub_frozen_while_modules_crash", kills::frozen),
    ("verbs_of_many_people_at_once", verbs::storm),
    ("wall_clock_jumps", clocks::jumps),
    ("fork_bomb_in_a_module", bomb::goes_off),
    ("no_room_left_in_the_home", disk::full),
    ("home_becomes_read_only", disk::read_only),
    ("no_descriptors_left", connections::no_descriptors),
    ("idle_and_slow_connections", connections::idle_and_slow),
    ("standard_output_stalls", readers::stalled_output),
    ("standard_output_is_closed", readers::closed_output),
    ("followers_that_never_read", readers::stalled_followers),
    ("malformed_requests", requests::malformed),
    ("requests_of_strangers", requests::strangers),
    ("services_json_in_every_state", rows::every_state),
    ("services_json_by_many_writers", rows::many_writers),
    ("services_json_replaced_under_adders", rows::adders_and_replacers),
    ("flood_with_rotation", floods::rotated),
];

fn main() -> ExitCode {
    let (scale, rest) = scale::of_arguments(std::env::args());
    let arguments = Arguments::from_iter(rest);
    if !arguments.list {
        eprintln!("{scale}");
    }
    let trials = FAULTS
        .into_iter()
        .map(|(name, fault)| {
            Trial::test(name, move || {
                fault(&scale);
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
