//! The rooms of the house: who may use whom (the table below is the rule), and which files are pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rank, room, and the rooms it may use besides itself. `main.rs` and `lib.rs` belong to the roof.
const ROOMS: [(u8, &str, &[&str]); 17] = [
    (0, "module", &[]),
    (0, "ui", &[]),
    (0, "unit", &[]),
    (0, "sync", &[]),
    (1, "process", &["module", "unit"]),
    (1, "home", &["module"]),
    (2, "logs", &["module", "home", "sync"]),
    (2, "api", &["module"]),
    (2, "manager", &["unit", "home", "process"]),
    (3, "supervisor", &["module", "process", "home", "logs", "sync"]),
    (3, "plan", &["module", "unit", "process", "home", "manager", "api"]),
    (4, "hub", &["module", "process", "home", "logs", "api", "supervisor", "sync"]),
    (4, "install", &["module", "process", "home", "api", "manager", "plan", "unit"]),
    (4, "purge", &["module", "process", "home"]),
    (5, "doctor", &["module", "process", "home", "api", "manager", "plan", "unit", "install"]),
    (5, "migrate", &["module", "process", "home", "api", "manager", "plan", "unit", "install"]),
    (
        6,
        "cli",
        &[
            "install",
            "doctor",
            "migrate",
            "module",
            "process",
            "home",
            "logs",
            "api",
            "manager",
            "plan",
            "purge",
            "supervisor",
            "hub",
            "ui",
            "unit",
        ],
    ),
];

/// Files beside the rooms, which every room may use. They use none.
const SHARED: [&str; 1] = ["error_chain"];

/// Files and folders that decide and never do. A folder ends with a slash.
const PURE: [&str; 106] = [
    "api/wire.rs",
    "cli/error.rs",
    "cli/verbs/migrate/sweep/screen.rs",
    "cli/root.rs",
    "doctor/check.rs",
    "doctor/checks.rs",
    "doctor/checks/",
    "doctor/facts.rs",
    "doctor/fix.rs",
    "home/document.rs",
    "home/paths.rs",
    "error_chain.rs",
    "hub/http/metrics.rs",
    "hub/safe_mode.rs",
    "hub/service_manager.rs",
    "install/facts.rs",
    "install/search_path.rs",
    "install/layout.rs",
    "install/planner.rs",
    "install/refusal.rs",
    "install/who.rs",
    "logs/formatter.rs",
    "logs/line.rs",
    "logs/line_splitter.rs",
    "logs/log_entry.rs",
    "logs/ring.rs",
    "logs/sanitize.rs",
    "logs/stdout/backlog.rs",
    "manager/capabilities.rs",
    "manager/detect.rs",
    "manager/explain.rs",
    "manager/invocation.rs",
    "manager/host.rs",
    "manager/launchd/autostart.rs",
    "manager/launchd/detect.rs",
    "manager/launchd/explain.rs",
    "manager/launchd/mod.rs",
    "manager/launchd/operation.rs",
    "manager/launchd/parse.rs",
    "manager/launchd/verbs.rs",
    "manager/operation.rs",
    "manager/state.rs",
    "manager/autostart.rs",
    "manager/systemd/autostart.rs",
    "manager/systemd/detect.rs",
    "manager/systemd/exit.rs",
    "manager/systemd/explain.rs",
    "manager/systemd/parse.rs",
    "manager/systemd/mod.rs",
    "manager/systemd/operation.rs",
    "manager/systemd/verbs.rs",
    "manager/backend.rs",
    "migrate/facts.rs",
    "migrate/judge.rs",
    "migrate/pidfile.rs",
    "migrate/planner.rs",
    "migrate/planner/",
    "migrate/refusal.rs",
    "migrate/units.rs",
    "migrate/words.rs",
    "migrate/archive.rs",
    "module/",
    "plan/commands.rs",
    "plan/content.rs",
    "plan/daemon.rs",
    "plan/events.rs",
    "plan/executor/outcome.rs",
    "plan/host/stability.rs",
    "plan/inverse.rs",
    "plan/observed.rs",
    "plan/plan.rs",
    "plan/receipt.rs",
    "plan/recovery.rs",
    "plan/redact.rs",
    "plan/show.rs",
    "plan/step.rs",
    "process/attribution.rs",
    "process/holder.rs",
    "process/holder/judge.rs",
    "process/holder/keepers.rs",
    "process/holder/manager.rs",
    "process/id.rs",
    "process/kin.rs",
    "process/membership.rs",
    "process/marks.rs",
    "process/os/linux/stat.rs",
    "process/os/linux/tcp_table.rs",
    "process/os/macos/layout.rs",
    "process/os_bytes.rs",
    "process/signal.rs",
    "process/unknown.rs",
    "purge/facts.rs",
    "purge/judge.rs",
    "supervisor/effect.rs",
    "supervisor/event.rs",
    "supervisor/machine.rs",
    "supervisor/machine/",
    "supervisor/restart_policy.rs",
    "supervisor/snapshot.rs",
    "supervisor/state.rs",
    "sync/",
    "ui/diff.rs",
    "ui/style.rs",
    "ui/table.rs",
    "ui/text.rs",
    "unit/",
];

/// The only files that may tell service managers apart: each room's dispatch, and what lies in a manager's own folder
/// (which ends with a slash). Whoever else wants to know something about a manager asks it for a capability.
const DISPATCH: [&str; 10] = [
    "hub/service_manager.rs",
    "manager/backend.rs",
    "manager/detect.rs",
    "manager/gather.rs",
    "manager/launchd/",
    "manager/systemd/",
    "process/holder/manager.rs",
    "unit/launchd/",
    "unit/systemd/",
    "unit/target.rs",
];

/// What tells managers apart in code: a variant of one of the enums of managers, a manager's own type or module, or what
/// one manager calls a unit.
const IDENTITY: [&str; 13] = [
    "Manager::Systemd",
    "Manager::Launchd",
    "ServiceManager::System",
    "ServiceManager::User",
    "ServiceManager::Init",
    "ServiceManager::None",
    "Target::Systemd",
    "Target::Launchd",
    "JobKind::",
    "systemd::",
    "launchd::",
    ".systemd()",
    ".label()",
];

/// Crates and modules through which a file would reach the world.
const EFFECTS: [&str; 6] = ["tokio", "std::fs", "std::process", "std::net::Tcp", "nix", "rustix"];

#[test]
fn a_room_uses_only_rooms_of_a_lower_rank() {
    let table: BTreeMap<&str, &[&str]> = ROOMS.iter().map(|(_, room, may)| (*room, *may)).collect();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(room) = room_of(&file) else { continue };
        let Some(may) = table.get(room.as_str()) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", file.display()));
            continue;
        };
        for used in used_rooms(&text) {
            seen += 1;
            if SHARED.contains(&used.as_str()) {
                continue;
            }
            if !table.contains_key(used.as_str()) {
                wrong.push(format!("{}: there is no room `{used}`", file.display()));
            } else if used != room && !may.contains(&used.as_str()) {
                wrong.push(format!("{}: `{room}` must not use `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "the scan found only {seen} imports: it does not read what it should");
}

#[test]
fn the_table_goes_downwards_and_names_every_room() {
    let rank: BTreeMap<&str, u8> = ROOMS.iter().map(|(rank, room, _)| (*room, *rank)).collect();
    for (own, room, may) in ROOMS {
        for used in may {
            assert!(rank[used] < own, "{room} ({own}) may not use {used} ({})", rank[used]);
        }
    }
    let lib = std::fs::read_to_string(src().join("lib.rs")).unwrap();
    let declared: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .filter(|name| !SHARED.contains(name))
        .collect();
    let mut rooms: Vec<&str> = rank.keys().copied().collect();
    rooms.sort_unstable();
    assert_eq!(declared, rooms, "lib.rs and the table name the same rooms");
}

#[test]
fn what_every_room_may_use_uses_no_room() {
    for name in SHARED {
        let text = std::fs::read_to_string(src().join(format!("{name}.rs"))).unwrap();
        assert_eq!(used_rooms(&text), [""; 0], "{name}");
    }
}

#[test]
fn pure_files_reach_nothing() {
    let files = sources();
    let mut wrong = Vec::new();
    for entry in PURE {
        let here: Vec<_> = files.iter().filter(|(file, _)| covers(entry, file)).collect();
        assert!(!here.is_empty(), "{entry} is declared pure and does not exist");
        for (file, text) in here {
            let text = code(text);
            for effect in EFFECTS.iter().filter(|effect| has_word(&text, effect)) {
                wrong.push(format!("{} is declared pure and uses {effect}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_a_dispatch_tells_service_managers_apart() {
    let mut wrong = Vec::new();
    let files = sources();
    for entry in DISPATCH {
        assert!(files.iter().any(|(file, _)| covers(entry, file)), "{entry} may dispatch and does not exist");
    }
    for (file, text) in &files {
        if DISPATCH.iter().any(|entry| covers(entry, file)) || is_for_tests(file) {
            continue;
        }
        let text = code(text.split("\n#[cfg(test)]\n").next().unwrap());
        wrong.extend(identities(&text).into_iter().map(|found| format!("{}: {found}", file.display())));
    }
    assert!(wrong.is_empty(), "ask for a capability instead:\n{}", wrong.join("\n"));
}

#[test]
fn an_identity_is_found_in_every_form() {
    for (code, found) in [
        ("match m { Manager::Systemd(_) => 1, _ => 2 }", 1),
        ("matches!(manager, Manager::Launchd(_))", 1),
        ("use crate::manager::systemd::verbs;", 1),
        ("manager.holds_sockets()", 0),
        ("cgroup::systemd_unit()", 0),
    ] {
        assert_eq!(identities(code).len(), found, "{code}");
    }
}

#[test]
fn the_scanner_sees_every_form_of_an_import() {
    let text = "use crate::{api::wire, home::{fs, paths}, logs};\npub(in crate::hub) fn x() {}\n\
        // crate::nothing\nlet y = crate::ui::text::bytes(1); // crate::neither\n\
        use crate::{\n    module,\n    process::id,\n};\n";
    assert_eq!(used_rooms(text), ["api", "home", "logs", "hub", "ui", "module", "process"]);
    assert!(has_word("use nix::unistd", "nix") && !has_word("\"/nix/var\", \".nix-profile\"", "nix"));
    assert!(!has_word("std::os::unix::fs", "nix"));
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file, relative to `src`, with its text.
pub fn sources() -> Vec<(PathBuf, String)> {
    let (mut found, mut dirs) = (Vec::new(), vec![src()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(src()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "only {} source files found", found.len());
    found
}

fn is_for_tests(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests.rs" || part.as_os_str() == "testing.rs")
}

/// The lines of code that name one manager.
fn identities(code: &str) -> Vec<&str> {
    code.lines().map(str::trim).filter(|line| IDENTITY.iter().any(|word| line.contains(word))).collect()
}

fn room_of(file: &Path) -> Option<String> {
    let first = file.components().next()?.as_os_str().to_str()?;
    (file.components().count() > 1).then(|| first.to_owned())
}

fn covers(entry: &str, file: &Path) -> bool {
    let file = file.to_str().unwrap();
    if entry.ends_with('/') { file.starts_with(entry) } else { file == entry }
}

/// The text without comments. A `//` inside a string cuts the rest of its line, which holds no import.
pub fn code(text: &str) -> String {
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).fold(
        String::new(),
        |mut out, line| {
            out.push_str(line);
            out.push('\n');
            out
        },
    )
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && (word.contains("::Tcp")
                || !text[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || "_-/".contains(c)))
    })
}

/// The rooms named by `crate::room` and `crate::{room, room::thing}`, in order.
fn used_rooms(text: &str) -> Vec<String> {
    names_after(&code(text), "crate::")
}

/// What follows a path in code, alone or in a group: `a` and `b` of `path::a::x` and `path::{a, b::{c, d}}`.
pub fn names_after(code: &str, path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = Vec::new();
    for (at, found) in code.match_indices(path) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || "$_:".contains(c)) {
            continue;
        }
        let rest = &code[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        names.push(word(group));
        let mut depth = 0_u32;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(word(&group[at + 1..])),
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}
