//! Tests of the whole command line: every flag, every exit code, every command that a hint names.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;

use super::Root;
use crate::cli::error::ExitKind;

/// Width of the help texts below, for any terminal that runs the tests.
const WIDTH: usize = 100;

#[test]
fn the_whole_reference() {
    let mut root = Root::command().term_width(WIDTH).version("0.0.0");
    root.build();
    root.clone().debug_assert();
    let mut text = root.render_long_help().to_string();
    below(&root, "", &mut text);
    insta::assert_snapshot!("reference", text);
}

/// The help of each verb, and of each verb below it.
fn below(command: &clap::Command, path: &str, text: &mut String) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let path = format!("{path} {}", verb.get_name());
        let help = verb.clone().term_width(WIDTH).render_long_help();
        text.push_str(&format!("\n==={path} ===\n{help}"));
        below(verb, &path, text);
    }
}

/// The table of the README and the match in the code must agree. 130 is not ours: Ctrl-C ends a verb by the signal
/// itself, which shells report as 128 + 2.
#[test]
fn the_exit_codes_are_those_of_the_readme() {
    let readme = include_str!("../../../README.md");
    let table = readme.split("\n## Exit codes\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let told: BTreeSet<u8> =
        table.lines().filter_map(|line| line.split('|').nth(1)?.trim().parse().ok()).collect();
    let ours = ExitKind::ALL.iter().map(|kind| kind.code()).chain([130]).collect();
    assert_eq!(told, ours);
}

/// Every `parachute VERB` that a text of the program, the README or docs/ tells to type is a verb.
#[test]
fn every_command_we_name_exists() {
    let root = Root::command();
    let verbs: BTreeSet<&str> = root.get_subcommands().map(clap::Command::get_name).collect();
    let mut texts = vec![("README.md".to_owned(), include_str!("../../../README.md").to_owned())];
    let root_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    gather(&root_dir.join("src"), "rs", &mut texts);
    gather(&root_dir.join("docs"), "md", &mut texts);
    let mut named = BTreeSet::new();
    for (file, text) in &texts {
        for (verb, line) in text.lines().flat_map(commands) {
            assert!(verbs.contains(verb), "{file} names `parachute {verb}`, which does not exist: {line}");
            named.insert(verb);
        }
    }
    assert!(named.contains("why") && named.contains("serve"), "the search finds nothing: {named:?}");
}

/// The words after `parachute ` where it begins a quotation: a string literal, backticks or a shell prompt.
fn commands(line: &str) -> impl Iterator<Item = (&str, &str)> {
    ["\"parachute ", "`parachute ", "$ parachute "].into_iter().flat_map(move |start| {
        line.match_indices(start).filter_map(move |(at, _)| {
            let rest = &line[at + start.len()..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            // `<verb>`, `{verb}` and flags are not names; a name ends where the word does.
            let whole = after.is_empty() || after.starts_with([' ', '"', '`', '\\']);
            (whole && !word.is_empty() && !word.starts_with('-')).then_some((word, line))
        })
    })
}

#[expect(clippy::disallowed_methods, reason = "test: reads the sources")]
fn gather(dir: &Path, extension: &str, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, extension, texts);
        } else if path.extension().is_some_and(|e| e == extension) && !path.ends_with("root/tests.rs") {
            texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}
