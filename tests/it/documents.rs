//! What README.md, docs/ and the hints name exists: verbs, flags, exit codes, checks, routes, files. What the README states
//! about behaviour is in `readme.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use parachute::cli::error::ExitKind;
use parachute::cli::root::Root;
use parachute::doctor::check::Id;

use crate::layers::sources;

/// Words after `parachute` in the sources that are no verbs: file content of others, and options.
const NO_VERBS: [(&str, &str); 1] = [("process/attribution.rs", "server")];

/// How a command line of this program begins in a source.
const STARTS: [&str; 5] = ["\"parachute ", "`parachute ", ": parachute ", "  parachute ", "sudo parachute "];

/// Sessions that were recorded: they show what was printed then.
const RECORDINGS: [&str; 3] = ["docs/session.md", "docs/session-killed.md", "docs/session-migrate.md"];

/// Words that the documents do not use, and what they say instead.
const PLAIN_WORDS: [(&str, &str); 24] = [
    ("somebody", "a process, another user"),
    ("anybody", "any user"),
    ("nobody", "no user"),
    ("whoever", "the process that"),
    ("whom", "which user"),
    ("it is so", "done, true"),
    ("life", "run"),
    ("lives", "runs"),
    ("take back", "undo, uninstall"),
    ("takes back", "undoes"),
    ("taken back", "undone"),
    ("mend", "repair"),
    ("mends", "repairs"),
    ("mended", "repaired"),
    ("last words", "last lines"),
    ("its own hands", "itself"),
    ("stranger", "another process"),
    ("strangers", "other processes"),
    ("falls", "exits, crashes"),
    ("legacy", "detached"),
    ("leftover", "file of an older version"),
    ("leftovers", "files of an older version"),
    ("anew", "again"),
    ("for ever", "without end"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The documents by their path, without recordings.
fn documents() -> Vec<(String, String)> {
    let beside = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "units/README.md", "templates/README.md"];
    let mut names: Vec<String> = beside.map(str::to_owned).into();
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        names.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    names.retain(|name| !RECORDINGS.contains(&name.as_str()));
    names.sort();
    assert!(names.len() > 8, "{names:?}");
    names.into_iter().map(|name| (name.clone(), file(&name))).collect()
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
fn every_command_line_that_the_documents_show_parses() {
    let mut shown = 0;
    for (name, text) in documents() {
        for line in text.lines().filter_map(|line| line.strip_prefix("$ parachute ")) {
            let line = line.split_once(" #").map_or(line, |(line, _)| line);
            let typed = std::iter::once("parachute").chain(line.split_whitespace());
            if let Err(error) = Root::command().try_get_matches_from(typed) {
                panic!("{name}: `parachute {line}`: {error}");
            }
            shown += 1;
        }
    }
    assert!(shown > 20, "only {shown} command lines were seen");
}

#[test]
fn every_verb_takes_a_home() {
    let mut root = Root::command();
    root.build();
    for verb in root.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let has = verb.get_arguments().any(|arg| arg.get_long() == Some("home"));
        assert!(has, "{} has no --home", verb.get_name());
    }
}

#[test]
fn the_version_of_rust_in_the_readme_is_the_one_of_cargo_toml() {
    let manifest = file("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    assert!(file("README.md").contains(&format!("Rust {} or newer", version.trim_matches('"'))));
}

#[test]
fn every_link_of_the_documents_leads_to_a_file_and_a_heading() {
    let mut seen = 0;
    for (name, text) in documents() {
        let dir = Path::new(&name).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            seen += 1;
            let (path, heading) = link.split_once('#').map_or((link, None), |(path, at)| (path, Some(at)));
            let path = if path.is_empty() { PathBuf::from(&name) } else { dir.join(path) };
            assert!(root().join(&path).is_file(), "{name}: {link} leads nowhere");
            let Some(heading) = heading else { continue };
            let target = file(path.to_str().unwrap());
            let mut headings = target.lines().filter(|line| line.starts_with('#')).map(anchor);
            assert!(headings.any(|at| at == heading), "{name}: {} has no heading {heading}", path.display());
        }
    }
    assert!(seen > 20, "only {seen} links were seen");
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// A document that a text of the program names is there.
#[test]
fn every_document_that_a_source_names_exists() {
    for (path, text) in sources() {
        for rest in text.split("docs/").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
            if name.ends_with(".md") {
                assert!(root().join("docs").join(&name).is_file(), "{}: docs/{name}", path.display());
            }
        }
    }
}

#[test]
fn the_documents_use_plain_words() {
    let mut found = Vec::new();
    for (name, text) in documents() {
        // Figures that a bench writes have the words of the bench.
        let text = match (text.split_once("<!-- versus: begin -->"), text.split_once("<!-- versus: end -->"))
        {
            (Some((before, _)), Some((_, after))) => format!("{before}{after}"),
            _ => text,
        };
        let words: String = text
            .to_lowercase()
            .chars()
            .map(|c| if c.is_alphanumeric() || c == '_' { c } else { ' ' })
            .collect();
        let words = format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "));
        for (word, instead) in PLAIN_WORDS {
            if words.contains(&format!(" {word} ")) {
                found.push(format!("{name}: \"{word}\": say {instead}"));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

/// The table of docs/api.md has every route.
#[test]
fn the_routes_of_the_documents_are_those_of_the_hub() {
    let source = file("src/hub/http/router.rs");
    let api = file("docs/api.md");
    let routes: Vec<String> = source
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|route| route.replace("{name}", "<short>"))
        .collect();
    assert!(routes.len() > 10, "{routes:?}");
    for route in routes {
        let told = api.contains(&format!("{route}`"))
            || ["/stop", "/restart"].iter().any(|op| {
                route
                    .strip_suffix(op)
                    .is_some_and(|module| api.contains(&format!("{module}/start`, `stop`, `restart`")))
            });
        assert!(told, "docs/api.md does not name {route}");
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
    for hidden in ["help", "demo-module", "stand-by", "reap"] {
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
fn the_checks_of_the_documents_are_those_of_doctor() {
    let text = file("docs/doctor.md");
    let rows: Vec<&str> = text.lines().filter(|row| row.starts_with("| `")).collect();
    let told: Vec<&str> = rows.iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(told, Id::ALL.map(Id::word));
    for row in rows {
        assert!(row.split('|').skip(2).take(2).all(|cell| cell.trim().len() > 3), "{row}: a cell is empty");
    }
}
