//! More output than the disk may hold.

use serde_json::json;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::world::{World, fixture};

const MAX_BYTES: u64 = 1_000_000;
const KEEP: u64 = 3;

/// The kept output is limited on disk and in memory, and it is the end of the output.
pub fn rotated(scale: &Scale) {
    let world = World::new();
    let program = fixture();
    let bytes: u64 = scale.of(100_000_000, 10_000_000_000);
    world.define(
        "flood",
        &[program.to_str().unwrap(), "server", "--flood", &bytes.to_string(), "100"],
        json!({ "log": { "max_bytes": MAX_BYTES, "keep": KEEP } }),
    );
    let watch = Watch::over(&world);
    world.start_hub();
    let mut most = 0;
    watch.holds_while_flooded(|| most = most.max(on_disk(&world)));
    // A batch may exceed the limit of a file a little.
    assert!(most <= (KEEP + 2) * MAX_BYTES, "{most} bytes at once");
    assert!(most >= (KEEP - 1) * MAX_BYTES, "{most} bytes: nothing was kept");
    let _ = world.ready("flood");
    watch.ends();
}

fn on_disk(world: &World) -> u64 {
    let files = std::fs::read_dir(world.home().join("flood/logs")).into_iter().flatten().flatten();
    // A file may be renamed meanwhile.
    files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum()
}
