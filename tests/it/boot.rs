//! What a hub takes before it touches a module, and that it leaves nothing behind.

use nix::sys::signal::Signal;

use crate::support::world::World;

#[test]
fn a_module_is_ready_and_a_stop_leaves_nothing() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn a_second_hub_names_the_first_and_touches_nothing() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let second = world.run(&["serve", "--port", "0"]).code(78);
    assert!(second.err.contains(&format!("pid {}", world.hub_pid())), "{second:?}");
    assert_eq!(world.ready("web"), pid);
    world.stop_hub();
}

#[test]
fn sigquit_is_an_ordered_stop() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    world.signal_hub(Signal::SIGQUIT);
    assert_eq!(world.hub_ends().code(), Some(0));
    world.expect_no_processes();
}
