//! How long the pure parts take, each alone: `cargo bench --bench criterion`, half a minute.
//!
//! `hub` and `pump` measure what a person notices, with real processes and pipes. Here nothing is started and nothing
//! is read, so that a regression shows where: in a decision of the supervisor, in the cutting of lines, in a unit's
//! text. Figures are compared with those of the run before, which is worth something on a quiet machine only;
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
        // Two runs of one program differ by this much on a small virtual machine.
        .noise_threshold(0.30)
        .without_plots()
        .configure_from_args();
    machine::all(&mut criterion);
    lines::all(&mut criterion);
    render::all(&mut criterion);
    criterion.final_summary();
}
