//! Which processes a stop reaches: all of the module's, and nobody else's.

use crate::support::world::World;

#[test]
fn a_stop_leaves_the_processes_of_other_modules_alone() {
    let world = World::new();
    for short in ["one", "two", "three"] {
        world.module(short, &["--child"]);
    }
    world.start_hub();
    for short in ["one", "two", "three"] {
        world.ready(short);
    }
    let others = || world.processes().into_iter().filter(|p| p.module != "one").collect::<Vec<_>>();
    let before = others();
    assert_eq!(before.len(), 4, "two wrappers and their children");
    assert_eq!(world.op("one", "stop")["ok"], true);
    world.gone("one");
    assert_eq!(others(), before);
    assert_eq!(world.op("two", "restart")["ok"], true);
    let third = |processes: Vec<_>| {
        processes
            .into_iter()
            .filter(|p: &crate::support::processes::Process| p.module == "three")
            .collect::<Vec<_>>()
    };
    assert_eq!(third(others()), third(before));
    world.stop_hub();
    world.expect_no_processes();
}
