//! What README.md shows under "First five minutes", typed as it stands.

use crate::lab::{Lab, PERSON, Who};

/// `init` on a terminal, with keys that are typed when their question is there: yes, and no first module.
const INIT: &str = r#"
    cd /tmp; mkfifo keys; : > screen
    script -qefc 'parachute init' screen < keys > /dev/null 2>&1 & pid=$!
    exec 3> keys
    until grep -q 'continue?' screen; do kill -0 $pid; sleep 0.05; done; printf 'y
' >&3
    until grep -q 'add a first module?' screen; do kill -0 $pid; sleep 0.05; done; printf '3
' >&3
    code=0; wait $pid || code=$?; cat screen; exit $code
"#;

/// A command line and what the README shows as its output; `…` stands for lines that are left out.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The blocks of the section, one after the other.
fn blocks() -> Vec<Vec<Shown>> {
    let readme = include_str!("../../README.md");
    let section = readme.split("## First five minutes").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut blocks = Vec::new();
    for block in section.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let mut shown: Vec<Shown> = Vec::new();
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => {
                    let command = command.split("   #").next().unwrap().trim().to_owned();
                    shown.push(Shown { command, output: Vec::new() });
                }
                None => shown.last_mut().unwrap().output.push(masked(line)),
            }
        }
        blocks.push(shown);
    }
    blocks
}

/// A line without what differs from run to run: numbers, spans of time, the width of columns.
fn masked(line: &str) -> String {
    let mut text = String::new();
    for c in line.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        // `18.5` and `2s 456ms` are one number.
        if !(c == '0' && text.ends_with('0')) {
            text.push(c);
        }
    }
    let words = text.replace("0.0", "0").replace("0ms", "0s");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut before = words;
    loop {
        let after = before.replace("0s 0s", "0s").replace("0m 0s", "0s");
        if after == before {
            return after;
        }
        before = after;
    }
}

/// Whether the lines are these, with any number of lines where `…` stands.
fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => (0..=printed.len()).any(|n| fits(rest, &printed[n..])),
        Some((first, rest)) => printed.first() == Some(first) && fits(rest, &printed[1..]),
    }
}

/// The pid of a module that is ready.
fn ready(lab: &Lab, name: &str) -> Option<String> {
    let status = lab.user("parachute status --json").out;
    let status: serde_json::Value = serde_json::from_str(&status).ok()?;
    let module = status["modules"].as_array()?.iter().find(|module| module["short"] == name)?.clone();
    (module["ready"] == true).then(|| module["pid"].to_string())
}

#[test]
fn the_first_five_minutes_print_what_the_readme_shows() {
    let Some(lab) = Lab::up() else { return };
    let said = lab.user(INIT).code(0);
    assert!(said.out.contains("3) nothing now") && said.out.contains("no modules yet"), "{said:?}");
    let [first, own, demo] = &blocks()[..] else { panic!("three blocks: {}", blocks().len()) };
    assert!(first.len() > 8, "only {} commands", first.len());
    for Shown { command, output } in first {
        let pid = ready(&lab, "web");
        let command = match command.strip_prefix("kill -9 ") {
            Some(_) => format!("kill -9 {}", pid.as_ref().expect("it runs")),
            None => command.clone(),
        };
        let said = lab.user(&command).code(0);
        let printed: Vec<String> = said.out.lines().map(masked).collect();
        assert!(fits(output, &printed), "{command}: README.md shows {output:#?}, printed is {}", said.out);
        if command.starts_with("kill") {
            lab.until("it is ready again", || ready(&lab, "web").filter(|now| Some(now) != pid.as_ref()));
        }
    }

    // The programs of these are not there: `tests/it/documents.rs` sees that they parse.
    assert!(own.iter().all(|shown| shown.command.starts_with("parachute add ")));

    // The hub that is installed goes on beside the second one.
    let [Shown { command, output }] = &demo[..] else { panic!("one command: {}", demo.len()) };
    assert!(output.is_empty());
    let script = format!("echo $$ >/tmp/demo.pid; exec {command} >/tmp/demo.out 2>&1");
    let ended = std::thread::scope(|scope| {
        let running = scope.spawn(|| lab.run(&Who::LoggedIn(PERSON.to_owned()), &script));
        lab.eventually("the demo is ready", || lab.root("grep -q 'demo: ready' /tmp/demo.out").code == 0);
        assert_eq!(lab.user("parachute status").code, 0);
        assert!(!lab.processes().is_empty());
        let _ = lab.root("kill -INT $(cat /tmp/demo.pid)").code(0);
        running.join().unwrap()
    });
    assert_eq!(ended.code, 0, "{ended:?}\n{}", lab.read("/tmp/demo.out"));
    assert_eq!(lab.processes(), []);
}

#[test]
fn lines_that_differ_in_numbers_alone_are_the_same() {
    assert_eq!(masked("web  247  2s  18.5 MiB"), masked("web  3  1m 11s 456ms   9.25 MiB"));
    let lines = |text: &str| text.lines().map(masked).collect::<Vec<_>>();
    assert!(fits(&lines("a\n…\nd"), &lines("a\nb\nc\nd")));
    assert!(!fits(&lines("a\n…\nd"), &lines("a\nb")));
    assert!(!fits(&lines("a"), &lines("a\nb")));
}
