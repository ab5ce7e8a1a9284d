//! The claims of README.md and the hints are true.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;
use parachute::cli::error::ExitKind;
use parachute::cli::root::Root;
use parachute::doctor::check::Id;

use crate::layers::sources;

/// Words after `parachute` in the sources that are not verbs: file content of other programs, and options.
const NO_VERBS: [(&str, &str); 1] = [("process/attribution.rs", "server")];

/// How a command line of this program begins in a source.
const STARTS: [&str; 5] = ["\"parachute ", "`parachute ", ": parachute ", "  parachute ", "sudo parachute "];

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn verbs() -> BTreeSet<String> {
    let mut root = Root::command();
    root.build();
    root.get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

/// The lines between `## title` and the next `## `.
fn section<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != format!("## {title}")).skip(1);
    lines.take_while(|line| !line.starts_with("## ")).collect()
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_program() {
    let readme = file("README.md");
    let rows = section(&readme, "Exit codes");
    let told: BTreeSet<u8> =
        rows.iter().filter_map(|row| row.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    let real: BTreeSet<u8> = ExitKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(told, real);
}

#[test]
fn the_two_commands_are_the_ones_that_ci_runs_and_clap_knows() {
    let readme = file("README.md");
    let lines = section(&readme, "Two commands");
    let commands: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("$ ")).collect();
    let [run, test] = commands[..] else { panic!("two commands: {commands:?}") };
    let ci = file(".ci/run");
    assert!(ci.lines().any(|line| line.trim() == test), ".ci/run does not run `{test}`");
    let args = run.strip_prefix("cargo run --release -- ").expect("the first runs the program");
    let typed = std::iter::once("parachute").chain(args.split(' '));
    Root::command().try_get_matches_from(typed).expect("clap knows it");
}

#[test]
fn every_command_line_that_the_readme_shows_parses() {
    let readme = file("README.md");
    let shown: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("$ parachute ")).collect();
    assert!(shown.len() > 8, "{shown:?}");
    for line in shown {
        let line = line.split_once(" #").map_or(line, |(line, _)| line);
        let typed = std::iter::once("parachute").chain(line.split_whitespace());
        if let Err(error) = Root::command().try_get_matches_from(typed) {
            panic!("`parachute {line}`: {error}");
        }
    }
}

#[test]
fn the_readme_names_every_verb() {
    let readme = file("README.md");
    let table = section(&readme, "Verbs").join("\n");
    let told: BTreeSet<String> = table
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split([' ', '[']).next())
        .filter(|word| word.bytes().all(|b| b.is_ascii_lowercase()) && !word.is_empty())
        .map(str::to_owned)
        .collect();
    let mut real = verbs();
    for hidden in ["help", "demo-module", "stand-by"] {
        assert!(real.remove(hidden));
    }
    let missing: Vec<_> = real.difference(&told).collect();
    assert!(missing.is_empty(), "the table of verbs does not name {missing:?}");
}

#[test]
fn every_hint_names_a_verb_that_exists() {
    let verbs = verbs();
    let mut seen = 0;
    for (path, text) in sources() {
        let path = path.to_str().unwrap();
        for (line, word) in text.lines().flat_map(|line| typed(line).map(move |word| (line, word))) {
            if NO_VERBS.contains(&(path, word.as_str())) {
                continue;
            }
            seen += 1;
            assert!(verbs.contains(&word), "{path}: `parachute {word}` is no verb: {}", line.trim());
        }
    }
    assert!(seen > 30, "only {seen} hints were seen");
}

#[test]
fn every_hint_uses_flags_that_its_verb_has() {
    let mut root = Root::command();
    root.build();
    let mut seen = 0;
    for (path, text) in sources() {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, start) in STARTS.iter().flat_map(|start| line.match_indices(start)) {
                let typed =
                    line[at + start.len()..].split(['"', '`', '\'', ',', '(']).next().unwrap_or_default();
                let mut words = typed.split_whitespace();
                let Some(verb) = words.next().and_then(|verb| root.find_subcommand(verb)) else { continue };
                for flag in words.filter_map(|word| word.strip_prefix("--")).filter(|flag| !flag.is_empty()) {
                    seen += 1;
                    let below = verb.get_subcommands().flat_map(clap::Command::get_arguments);
                    let has = verb.get_arguments().chain(below).any(|arg| arg.get_long() == Some(flag));
                    assert!(has, "{}: `{typed}` has no --{flag}", path.display());
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} flags were seen");
}

/// The words after `parachute ` where a string or a code span starts with it.
fn typed(line: &str) -> impl Iterator<Item = String> {
    let found = STARTS
        .into_iter()
        .flat_map(move |start| line.match_indices(start).map(move |(at, _)| at + start.len()));
    let words = found.map(move |at| {
        line[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>()
    });
    words.filter(|word| !word.is_empty() && !word.starts_with('-'))
}

#[test]
fn the_checks_of_the_readme_are_those_of_doctor() {
    let readme = file("README.md");
    let rows: Vec<&str> =
        section(&readme, "Doctor").into_iter().filter(|row| row.starts_with("| `")).collect();
    let told: Vec<&str> = rows.iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(told, Id::ALL.map(Id::word));
    for row in rows {
        assert!(row.split('|').skip(2).take(2).all(|cell| cell.trim().len() > 3), "{row}: a cell is empty");
    }
}
