//! Many users of the command line at once.

use serde_json::json;

use crate::invariants::Watch;
use crate::scale::{Random, Scale};
use crate::support::world::{World, fixture};

/// The exit codes that README.md documents for these verbs with the hub up; a panic is 101, and a signal gives none.
const DOCUMENTED: [i32; 2] = [0, 1];
const MODULES: [&str; 3] = ["plain", "wrapper", "deaf"];

/// Eight users who do not coordinate.
pub fn storm(scale: &Scale) {
    let world = World::new();
    let program = fixture();
    let program = program.to_str().unwrap();
    let supervise = || json!({ "kill_timeout": "200ms" });
    world.define("plain", &[program, "server"], supervise());
    world.define("wrapper", &[program, "server", "--child"], supervise());
    world.define("deaf", &[program, "server", "--ignore-term"], supervise());
    let watch = Watch::over(&world);
    world.start_hub();
    let seed = scale.random("storm").below(u64::MAX);
    std::thread::scope(|scope| {
        let people: Vec<_> = (0..8_u64)
            .map(|person| {
                let mut commands = script(person, &mut Random::new(seed ^ person), scale.of(8, 400));
                let commands: Vec<_> =
                    commands.drain(..).map(|args| (world.parachute(&strs(&args)), args)).collect();
                scope.spawn(move || commands.into_iter().for_each(|(command, args)| run(command, &args)))
            })
            .collect();
        while people.iter().any(|person| !person.is_finished()) {
            watch.one_life_a_module();
        }
    });
    for module in MODULES {
        let _ = world.run(&["start", module]).code(0);
    }
    watch.ends();
}

fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// The commands of one user. Every added module is removed again.
fn script(person: u64, random: &mut Random, many: usize) -> Vec<Vec<String>> {
    let words = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let mut script = Vec::new();
    for _ in 0..many {
        let module = *random.one_of(&MODULES);
        let verb = *random.one_of(&["start", "stop", "restart", "status", "logs", "why", "add"]);
        match verb {
            "status" => script.push(words(&["status", "--json"])),
            "add" => {
                let own = format!("own-{person}");
                script.push(words(&["add", &own, "--no-listen", "--", "sleep", "1000"]));
                script.push(words(&["remove", &own, "--yes"]));
            }
            verb => script.push(words(&[verb, module])),
        }
    }
    script
}

#[track_caller]
fn run(mut command: std::process::Command, args: &[String]) {
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(
        code.is_some_and(|code| DOCUMENTED.contains(&code)) && !err.contains("panicked"),
        "{args:?}: {code:?} {err}"
    );
}
