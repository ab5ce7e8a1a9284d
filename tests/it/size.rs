//! services.json with ten thousand rows, and beyond the size limit.

use serde_json::{Value, json};

use crate::support::until;
use crate::support::world::World;

#[test]
fn ten_thousand_rows_are_listed_and_a_file_beyond_the_limit_is_an_error() {
    let world = World::new();
    let row = |n: u32| json!({"name": format!("m{n}"), "port": 20_000 + n, "paths": [format!("/m{n}")], "health": "/", "version": ""});
    let rows: Vec<Value> = (0..10_000).map(row).collect();
    let text = serde_json::to_string(&json!({"services": rows})).unwrap();
    world.write_services(&text);
    world.start_hub();
    let listed = |status: &Value| {
        let modules = status["modules"].as_array()?.clone();
        (modules.len() == 10_000 && modules.iter().all(|module| !module["problem"].is_null()))
            .then_some(modules)
    };
    // Not by the verb yet: a verb has its own timeout, and ten thousand modules are checked first.
    until("each row has its problem", || listed(&world.get("/api/status")?.json()));
    let modules = until("all rows are listed", || {
        listed(&serde_json::from_str(&world.run(&["status", "--json"]).out).ok()?)
    });
    // They have no start command: that is reported for each, and costs the hub no more than the row.
    assert!(modules.iter().all(|module| module["problem"]["error_type"] == "no_start_cmd"), "{}", modules[0]);
    assert_eq!(std::fs::read_to_string(world.home().join("services.json")).unwrap(), text);
    world.stop_hub();

    // Spaces are valid JSON: only the size is wrong.
    world.write_services(&format!("{text}{}", " ".repeat(17 * 1024 * 1024)));
    world.start_hub();
    let said = world.run(&["status"]).code(1).out;
    assert!(said.contains("problem:") && said.contains("services.json"), "{said}");
    assert!(!said.contains("no modules yet"), "a file that cannot be read is not an empty one: {said}");
}
