//! The map of all effects: the files in which a ban of `clippy.toml` is lifted, and the files with `unsafe`.

use std::collections::BTreeSet;

use crate::layers::sources;

/// File, and what it may do to the world or learn from it.
const EDGES: [(&str, &str); 29] = [
    ("cli/context.rs", "reads environment, directory, clock and program path, once a run"),
    ("home/nofollow.rs", "sees, replaces and removes the files of an installation, links as links"),
    ("home/fs.rs", "reads, writes, renames and removes files of the home"),
    ("home/fs/look.rs", "looks at files of the home"),
    ("home/lock.rs", "takes file locks and waits for them"),
    ("home/trusted.rs", "judges and reads a file through one descriptor"),
    ("home/rename.rs", "moves files and trees, also between file systems; removes what it has copied"),
    ("logs/file_ops.rs", "opens, rotates and reads log files"),
    ("logs/log_thread.rs", "owns the thread that pumps; stamps the hub's lines and times retries"),
    ("logs/module_log.rs", "stamps the supervisor's lines"),
    ("logs/pump.rs", "stamps lines of modules"),
    ("logs/stdout.rs", "owns the thread that writes to standard output; measures patience"),
    ("manager/launchd/gather.rs", "looks at whose the screen is"),
    ("manager/runner.rs", "runs the tools of service managers"),
    ("manager/systemd/gather.rs", "looks at the directories in which a manager answers"),
    ("manager/tool.rs", "measures how long a manager takes"),
    ("plan/host/daemons.rs", "measures how long a daemon is waited for"),
    ("plan/host/health.rs", "measures how long a module stays ready"),
    ("process/holder/unit_file.rs", "reads the files of our own unit"),
    ("process/os/linux/daemon.rs", "reads what /proc tells of a daemon"),
    ("process/os/linux/pidfd.rs", "signals one process whose identity was proven"),
    ("process/os/linux/proc.rs", "reads /proc"),
    ("process/os/linux/sockets.rs", "reads /proc/net where netlink is refused"),
    ("process/os/linux/text.rs", "reads the map of this process"),
    ("process/os/macos/proc.rs", "asks libproc and sysctl"),
    (
        "process/os/posix.rs",
        "starts modules, and daemons with the files they write to; signals a group whose leader was proven",
    ),
    ("process/spawn.rs", "looks at a program that could not be started"),
    ("process/standby.rs", "starts this program once more, to stand by"),
    ("supervisor/clock.rs", "reads both clocks for the running side"),
];

/// The only files with `unsafe`.
const UNSAFE: [&str; 8] = [
    "process/os/inherited_fds.rs",
    "process/os/linux/exit.rs",
    "process/os/linux/heap.rs",
    "process/os/linux/text.rs",
    "process/os/linux/vfork.rs",
    "process/os/macos/proc.rs",
    "process/os/macos/sockets.rs",
    "process/os/posix.rs",
];

#[test]
fn effects_happen_only_in_the_listed_files() {
    let listed: BTreeSet<String> = EDGES.iter().map(|(file, _)| (*file).to_owned()).collect();
    let lifting: BTreeSet<String> = sources()
        .into_iter()
        .filter(|(_, text)| lifts(text).iter().any(|reason| !reason.starts_with("test: ")))
        .map(|(file, _)| file.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(lifting, listed, "left: files that lift a ban, right: the list");
}

#[test]
fn every_edge_says_what_it_may_do() {
    for (file, effect) in EDGES {
        assert!(effect.split(' ').count() > 1, "{file}: {effect:?} tells nothing");
    }
}

#[test]
fn unsafe_code_stays_under_process_os() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().any(uses_unsafe))
        .map(|(file, _)| file.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, UNSAFE);
    assert!(UNSAFE.iter().all(|file| file.starts_with("process/os/")));
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
            // An `expect` without a reason would not compile; a method call `.expect(` has no lint in it.
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
