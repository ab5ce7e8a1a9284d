//! Duration of the pure parts, each alone: `cargo bench --bench criterion`, half a minute.
//!
//! `hub` and `pump` measure what users notice, with real processes and pipes. Here nothing is started and nothing
//! is read, so that a regression can be located: in a decision of the supervisor, in splitting lines, in a unit's
//! text. Results are compared with those of the previous run, which is only meaningful on a quiet machine;
//! `-- --save-baseline NAME` and `-- --baseline NAME` compare two states of the code, `-- machine` runs one part.

use std::time::Duration;

use criterion::Criterion;

mod lines;
mod machine;
mod render;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900))
        .sample_size(30)
        .nresamples(10_000)
        // Two runs of the same program differ by this much on a small virtual machine.
        .noise_threshold(0.30)
        .without_plots()
        .configure_from_args();
    machine::all(&mut criterion);
    lines::all(&mut criterion);
    render::all(&mut criterion);
    criterion.final_summary();
}
