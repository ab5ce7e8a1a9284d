//! The list of all effects: the files in which a ban of `clippy.toml` is lifted, and the files with `unsafe`.

use std::collections::BTreeSet;

use crate::layers::{code, sources};

/// What an effect's `expect` says: where it is lifted for a test, or what the file does to the outside.
const WHO: [&str; 2] = ["edge: ", "test: "];

/// The only files that emit events of `tracing`, or receive them, and what they say. A pure file emits none (`layers.rs`): it
/// returns what is to be said. The room `logs` emits none either: events end there.
const EVENTS: [(&str, &str); 15] = [
    ("cli/verbose.rs", "shows what `-v` asks for"),
    ("hub/app.rs", "the end of safe mode"),
    ("hub/diagnostics.rs", "gives events to the logs"),
    ("hub/http/accept.rs", "requests, and connections that are not let in"),
    ("hub/notify.rs", "what the service manager is told"),
    ("hub/run_loop.rs", "signals, files that changed, notes of the start"),
    ("hub/serve.rs", "begin and end of the hub"),
    ("manager/runner.rs", "commands to tools, and their answers"),
    ("supervisor/actor/beginning.rs", "spawns"),
    ("supervisor/actor/diagnostics.rs", "the supervisor's words about a module"),
    ("supervisor/actor/watchers.rs", "readiness"),
    ("supervisor/actor.rs", "exits, checks, health"),
    ("supervisor/actor_context.rs", "a ledger and FIFOs that cannot be written"),
    ("supervisor/failure_file.rs", "a failure that cannot be written"),
    ("supervisor/supervisor.rs", "services.json, and what an earlier hub left"),
];

#[test]
fn every_effect_states_what_it_is_for() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for reason in lifts(&text) {
            let said = WHO.iter().find_map(|who| reason.strip_prefix(who));
            if said.is_none_or(|said| said.split(' ').count() < 2) {
                wrong.push(format!(
                    "{}: {reason:?} begins with neither of {WHO:?}, or is too short",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where this program has effects, as the files say it themselves. A new line here is a new edge: is it needed?
#[test]
fn effects_happen_at_these_edges() {
    let edges: Vec<String> = sources()
        .into_iter()
        .flat_map(|(file, text)| {
            let reasons: BTreeSet<String> = lifts(&text)
                .iter()
                .filter_map(|reason| reason.strip_prefix("edge: "))
                .map(str::to_owned)
                .collect();
            reasons.into_iter().map(move |reason| format!("{}: {reason}", file.display()))
        })
        .collect();
    insta::assert_snapshot!("edges", edges.join("\n"));
}

#[test]
fn events_come_from_the_listed_files_only() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| code(text).contains("tracing::"))
        .map(|(file, _)| file.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, EVENTS.map(|(file, _)| file), "left: files that use tracing, right: the list");
}

#[test]
fn unsafe_code_stays_under_process_os() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().any(uses_unsafe))
        .map(|(file, _)| file.to_str().unwrap().to_owned())
        .collect();
    assert!(!found.is_empty(), "the scan does not read what it should");
    assert!(found.iter().all(|file| file.starts_with("process/os/")), "{found:#?}");
}

#[test]
fn the_scanner_reads_reasons_on_one_line_and_on_several() {
    let text = "#![expect(clippy::disallowed_methods, reason = \"edge: a\")]\n\
        #[expect(\n    clippy::disallowed_methods,\n    clippy::exit,\n    reason = \"test: b\"\n)]\n\
        #[expect(clippy::too_many_lines, reason = \"c\")]\n";
    assert_eq!(lifts(text), ["edge: a", "test: b"]);
    assert!(uses_unsafe("    unsafe { x() }") && uses_unsafe("unsafe fn y() {}"));
    assert!(!uses_unsafe("// unsafe { }") && !uses_unsafe("#![expect(unsafe_code, reason = \"\")]"));
}

/// The reasons of every `expect` that lifts the ban on effects.
fn lifts(text: &str) -> Vec<String> {
    text.match_indices("expect(")
        .filter_map(|(at, _)| {
            let (lints, rest) = text[at..].split_once("reason = \"")?;
            // An `expect` without a reason would not compile; a method call `.expect(` contains no lint name.
            let ours =
                lints.contains("clippy::disallowed_methods") && !lints.contains(";") && !lints.contains(")]");
            ours.then(|| rest.split('"').next().unwrap_or_default().to_owned())
        })
        .collect()
}

fn uses_unsafe(line: &str) -> bool {
    let code = line.split_once("//").map_or(line, |(code, _)| code);
    code.contains("unsafe {")
        || code.contains("unsafe fn")
        || code.contains("unsafe impl")
        || code.contains("unsafe extern")
}
