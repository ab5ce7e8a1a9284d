//! The rooms: which may use which (the table below is the rule), and that a file that calls itself pure is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rank, room, and the rooms that it may use besides itself. `main.rs` and `lib.rs` may use all.
const ROOMS: [(u8, &str, &[&str]); 17] = [
    (0, "module", &[]),
    (0, "ui", &[]),
    (0, "unit", &[]),
    (0, "sync", &[]),
    (1, "process", &["module", "unit"]),
    (1, "home", &["module"]),
    (2, "logs", &["module", "home", "sync"]),
    (2, "api", &["module"]),
    (2, "manager", &["module", "unit", "home", "process"]),
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

/// Files beside the rooms, which every room may use. They use no room.
const SHARED: [&str; 2] = ["duration", "error_chain"];

/// Said by the header of a room or folder of which every file is pure.
const ALL_PURE: &str = "Pure: every";

/// The only files that may tell service managers apart: each room's dispatch, and what lies in a manager's own folder
/// (which ends with a slash). All other files ask a manager for a capability.
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

/// Crates and modules through which a file would have effects.
const EFFECTS: [&str; 7] = ["tokio", "tracing", "std::fs", "std::process", "std::net::Tcp", "nix", "rustix"];

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
fn shared_files_use_no_room() {
    for name in SHARED {
        let text = std::fs::read_to_string(src().join(format!("{name}.rs"))).unwrap();
        assert_eq!(used_rooms(&text), [""; 0], "{name}");
    }
}

/// A file is pure if its own header says so, or that of the room or folder that it is in. No list repeats it.
#[test]
fn pure_files_have_no_effects() {
    let files = sources();
    let whole: Vec<PathBuf> = files
        .iter()
        .filter(|(_, text)| header(text).contains(ALL_PURE))
        .map(|(file, _)| folder(file))
        .collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in &files {
        let is_test = file.ends_with("tests.rs") || file.ends_with("testing.rs");
        let is_covered = whole.iter().any(|folder| file.starts_with(folder));
        if is_test || !(is_covered || says_pure(text)) {
            continue;
        }
        seen += 1;
        let text = code(text);
        for effect in EFFECTS.iter().filter(|effect| has_word(&text, effect)) {
            wrong.push(format!("{} says that it is pure and uses {effect}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 120, "only {seen} pure files: the scan does not read what it should");
}

#[test]
fn a_header_says_whether_a_file_is_pure() {
    assert!(
        says_pure("//! What a module is. Pure.\nuse x;\n") && says_pure("//! A.\n//!\n//! Pure: a table.\n")
    );
    assert!(!says_pure("//! Pure except for the clock.\n") && !says_pure("//! A pure one is elsewhere.\n"));
    assert!(!says_pure("use x;\n// Pure.\n"));
    assert_eq!(folder(Path::new("unit/mod.rs")), Path::new("unit"));
    assert_eq!(folder(Path::new("doctor/checks.rs")), Path::new("doctor/checks"));
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

/// Whether an entry is this file, or a folder (which ends with a slash) that it is in.
fn covers(entry: &str, file: &Path) -> bool {
    let file = file.to_str().unwrap();
    if entry.ends_with('/') { file.starts_with(entry) } else { file == entry }
}

/// The lines at the top of a file that describe it.
fn header(text: &str) -> String {
    text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
}

fn says_pure(text: &str) -> bool {
    let header = header(text);
    header.match_indices("Pure").any(|(at, word)| {
        let rest = &header[at + word.len()..];
        rest.starts_with(['.', ',', ';', ':']) || rest.starts_with(" data")
    })
}

/// The folder whose files a header speaks of: that of a `mod.rs`, or the one of the same name.
fn folder(file: &Path) -> PathBuf {
    if file.ends_with("mod.rs") { file.parent().unwrap().to_owned() } else { file.with_extension("") }
}

/// The text without comments. A `//` inside a string cuts the rest of its line, which contains no import.
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

/// The names after a path in code, alone or in a group: `a` and `b` of `path::a::x` and `path::{a, b::{c, d}}`.
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
