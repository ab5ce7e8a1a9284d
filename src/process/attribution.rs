//! Decides whether the process on a module's port is an earlier instance of that module. Pure.
//!
//! Only [`Attribution::Ours`] may lead to a signal. A wrong answer would kill a foreign process,
//! so every doubt results in "not ours" or "cannot tell", and the user is shown the holder instead.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::id::ProcessId;
use super::marks::Marks;
use crate::module::name::Short;

/// The process on the port. `None` means: this user may not see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Suspect {
    /// Its identity.
    pub id: Option<ProcessId>,
    /// Its user.
    pub uid: Option<u32>,
    /// The marks in its environment. `None` also if it has none.
    pub marks: Option<Marks>,
    /// The home in its environment, marked or not. `None` also if it has none.
    pub home: Option<PathBuf>,
    /// Whether the ledger of this home records this identity as a child of this module.
    pub in_ledger: bool,
    /// Its command line.
    pub command: Option<Vec<OsString>>,
    /// The file it executes.
    pub exe: Option<PathBuf>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
}

/// The module whose port it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimant {
    /// Short name.
    pub short: Short,
    /// The home.
    pub home: PathBuf,
    /// The user we run as.
    pub uid: u32,
    /// Our own identity: the hub is never an instance of a module.
    pub hub: Option<ProcessId>,
    /// Program and arguments of its start command.
    pub argv: Vec<OsString>,
    /// The absolute path the program resolves to, if it does.
    pub program: Option<PathBuf>,
    /// Its working directory (the install directory). `None`: the hub's own, which proves nothing.
    pub cwd: Option<PathBuf>,
}

/// All evidence for the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The holder of the port.
    pub suspect: Suspect,
    /// The module that owns the port.
    pub module: Claimant,
}

/// The decision and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub(crate) enum Attribution {
    /// An earlier instance of this module: it may be stopped.
    Ours(Proof),
    /// It is proven to be another process.
    NotOurs(Against),
    /// Nothing proves it either way: treated as not ours.
    CannotTell(Doubt),
}

/// The proof that it is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// Its environment marks it as this module of this home.
    Marks,
    /// Our ledger records its identity.
    Ledger,
    /// It runs the module's own program.
    Program,
    /// It runs the module's script in the module's directory.
    Script,
}

/// The proof that it is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Against {
    Hub,
    /// It belongs to another user.
    OtherUser(u32),
    /// It is marked as another module of this home.
    Sibling(Short),
    /// It belongs to another home.
    OtherHome(PathBuf),
}

/// What is missing for a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Doubt {
    /// Its pid or user cannot be seen.
    Unseen,
    /// Its command line cannot be read.
    NoCommandLine,
    /// It runs another program, or the same runtime with another script, or in another directory.
    OtherCommand,
}

impl fmt::Display for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(Proof::Marks) => write!(f, "its environment names this module"),
            Self::Ours(Proof::Ledger) => write!(f, "the ledger names it as this module's process"),
            Self::Ours(Proof::Program) => write!(f, "it runs this module's program"),
            Self::Ours(Proof::Script) => write!(f, "it runs this module's script in this module's directory"),
            Self::NotOurs(Against::Hub) => write!(f, "it is the hub itself"),
            Self::NotOurs(Against::OtherUser(uid)) => write!(f, "it belongs to user {uid}"),
            Self::NotOurs(Against::Sibling(short)) => write!(f, "it belongs to module `{short}`"),
            Self::NotOurs(Against::OtherHome(home)) => write!(f, "it belongs to the home {}", home.display()),
            Self::CannotTell(Doubt::Unseen) => write!(f, "this user may not inspect it"),
            Self::CannotTell(Doubt::NoCommandLine) => write!(f, "its command line cannot be read"),
            Self::CannotTell(Doubt::OtherCommand) => {
                write!(f, "no evidence that it is this module's process")
            }
        }
    }
}

/// Decides. Exclusions come before proofs; marks come before observations.
#[must_use]
pub(crate) fn judge(evidence: &Evidence) -> Attribution {
    let Evidence { suspect, module } = evidence;
    let (Some(id), Some(uid)) = (&suspect.id, suspect.uid) else {
        return Attribution::CannotTell(Doubt::Unseen);
    };
    if module.hub.as_ref() == Some(id) {
        return Attribution::NotOurs(Against::Hub);
    }
    if uid != module.uid {
        return Attribution::NotOurs(Against::OtherUser(uid));
    }
    if let Some(marks) = &suspect.marks {
        return by_marks(marks, module);
    }
    if suspect.in_ledger {
        return Attribution::Ours(Proof::Ledger);
    }
    // Children of the original hub carry no marks, but their environment has its home.
    if let Some(home) = suspect.home.as_ref().filter(|home| **home != module.home) {
        return Attribution::NotOurs(Against::OtherHome(home.clone()));
    }
    let Some(command) = suspect.command.as_deref().filter(|command| !command.is_empty()) else {
        return Attribution::CannotTell(Doubt::NoCommandLine);
    };
    let looks = Looks { command, exe: suspect.exe.as_deref(), cwd: suspect.cwd.as_deref() };
    let start =
        Command { argv: &module.argv, program: module.program.as_deref(), cwd: module.cwd.as_deref() };
    runs(&looks, &start).map_or(Attribution::CannotTell(Doubt::OtherCommand), Attribution::Ours)
}

fn by_marks(marks: &Marks, module: &Claimant) -> Attribution {
    if marks.home != module.home {
        Attribution::NotOurs(Against::OtherHome(marks.home.clone()))
    } else if marks.module != module.short {
        Attribution::NotOurs(Against::Sibling(marks.module.clone()))
    } else {
        Attribution::Ours(Proof::Marks)
    }
}

/// What can be observed of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks<'a> {
    /// Its arguments.
    pub command: &'a [OsString],
    /// The file it executes.
    pub exe: Option<&'a Path>,
    /// Its working directory.
    pub cwd: Option<&'a Path>,
}

/// A start command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command<'a> {
    /// Program and arguments.
    pub argv: &'a [OsString],
    /// The path of the program, if it was found.
    pub program: Option<&'a Path>,
    /// The directory it is started in; `None` proves nothing.
    pub cwd: Option<&'a Path>,
}

/// Whether a process runs this command, and what shows it. No proof of ownership: any user may run the same.
#[must_use]
pub(crate) fn runs(looks: &Looks<'_>, start: &Command<'_>) -> Option<Proof> {
    let program = start.program?;
    if !is_runtime(program.as_os_str()) {
        let names = |at: usize| looks.command.get(at).is_some_and(|word| Path::new(word) == program);
        let executes = looks.exe == Some(program);
        // argv[1] is the program if a `#!` line put its interpreter before it (execve(2), "Interpreter scripts");
        // after anything but an interpreter it is only an argument.
        let behind = names(1) && looks.command.first().is_some_and(|word| is_runtime(word));
        let at = if names(0) || executes { 0 } else { behind.then_some(1)? };
        let same_arguments = looks.command.get(at + 1..) == start.argv.get(1..);
        return (same_arguments || is_own(program, start.cwd)).then_some(Proof::Program);
    }
    // Many programs share one runtime: the directory and the script must be the module's as well.
    let runtime = looks.command.first().is_some_and(|word| is_runtime(word));
    let cwd = start.cwd.filter(|cwd| looks.cwd == Some(*cwd))?;
    (runtime && same_script(looks.command, start.argv, cwd)).then_some(Proof::Script)
}

/// Whether only this module runs the program. One of /usr/bin may be run by others too: then the arguments must
/// match as well.
fn is_own(program: &Path, cwd: Option<&Path>) -> bool {
    cwd.is_some_and(|cwd| cwd.parent().is_some() && program.starts_with(cwd))
}

fn same_script(left: &[OsString], right: &[OsString], cwd: &Path) -> bool {
    if left.len() > 1 && left.get(1..) == right.get(1..) {
        return true;
    }
    match (script(left), script(right)) {
        (Some(left), Some(right)) => resolved(left, cwd) == resolved(right, cwd),
        _ => false,
    }
}

/// The script that a runtime runs, if it is unambiguous: `node S`, `bun run S`, `uv run python S`. With an
/// option in front (`node --require X S`, `sh -c S`) only equal arguments count.
fn script(argv: &[OsString]) -> Option<&OsStr> {
    let mut words = argv.get(1..)?.iter().map(OsString::as_os_str).peekable();
    words.next_if(|word| SUBCOMMANDS.iter().any(|s| *word == *s));
    let word = words.next()?;
    if is_runtime(word) {
        let rest = argv.iter().position(|w| w == word)?;
        return script(&argv[rest..]);
    }
    let option = word.as_encoded_bytes().first().is_none_or(|byte| *byte == b'-');
    (!option).then_some(word)
}

fn resolved(script: &OsStr, cwd: &Path) -> PathBuf {
    // `components` drops `.`, so `./server.ts` and `server.ts` are one.
    cwd.join(script).components().collect()
}

/// Words that may stand between a runtime and its script.
const SUBCOMMANDS: [&str; 4] = ["run", "exec", "x", "start"];

/// Programs whose name does not tell what they run.
const RUNTIMES: [&str; 27] = [
    "ash", "bash", "bun", "bunx", "dash", "deno", "env", "fish", "java", "ksh", "node", "nodejs", "npm",
    "npx", "perl", "php", "pnpm", "pypy", "python", "ruby", "sh", "ts-node", "tsx", "uv", "uvx", "yarn",
    "zsh",
];

/// Whether a path or word names a generic runtime, versioned ones (`python3.12`, `node22`) included.
fn is_runtime(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let name = name.strip_prefix('-').unwrap_or(&name); // a login shell
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    RUNTIMES.binary_search(&name).is_ok() || RUNTIMES.binary_search(&bare).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::{BootId, Started};

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn marks(module: &str, home: &str) -> Option<Marks> {
        Some(Marks { module: Short::new(module).unwrap(), incarnation: "n:1".into(), home: home.into() })
    }

    fn id(pid: u32) -> Option<ProcessId> {
        Some(ProcessId { pid, started: Started(9), boot: BootId("b".into()) })
    }

    fn module(argv: &str, program: &str) -> Claimant {
        Claimant {
            short: Short::new("vault").unwrap(),
            home: "/h".into(),
            uid: 1000,
            hub: id(7),
            argv: words(argv),
            program: Some(program.into()),
            cwd: Some("/inst/vault".into()),
        }
    }

    fn suspect(command: &str, cwd: &str) -> Suspect {
        Suspect {
            id: id(812),
            uid: Some(1000),
            command: Some(words(command)),
            cwd: Some(cwd.into()),
            ..Suspect::default()
        }
    }

    fn verdict(suspect: Suspect, module: &Claimant) -> Attribution {
        judge(&Evidence { suspect, module: module.clone() })
    }

    /// What the supervisor does with a decision: signal on `Ours`, nothing else.
    fn kills(rows: Vec<Suspect>, module: &Claimant) -> Vec<Suspect> {
        rows.into_iter().filter(|s| matches!(verdict(s.clone(), module), Attribution::Ours(_))).collect()
    }

    #[test]
    fn marks_and_ledger_prove() {
        let module = module("bun server.ts", "/usr/bin/bun");
        let mut row = suspect("anything at all", "/");
        row.marks = marks("vault", "/h");
        assert_eq!(verdict(row.clone(), &module), Attribution::Ours(Proof::Marks));
        row.marks = None;
        row.in_ledger = true;
        row.command = None;
        assert_eq!(verdict(row.clone(), &module), Attribution::Ours(Proof::Ledger));
        row.marks = marks("notes", "/h");
        let sibling = Short::new("notes").unwrap();
        assert_eq!(verdict(row.clone(), &module), Attribution::NotOurs(Against::Sibling(sibling)));
        row.marks = marks("vault", "/other");
        assert_eq!(verdict(row, &module), Attribution::NotOurs(Against::OtherHome("/other".into())));
    }

    #[test]
    fn processes_of_the_original_hub() {
        let own = "/inst/vault/bin/vaultd";
        let shared = "/usr/bin/redis-server";
        for (argv, program, command, proof) in [
            ("vaultd serve", own, "/inst/vault/bin/vaultd serve", Proof::Program),
            ("vaultd serve", own, "/inst/vault/bin/vaultd --old-flag", Proof::Program),
            ("vaultd serve", own, "/usr/bin/bun /inst/vault/bin/vaultd serve", Proof::Program),
            ("redis-server r.conf", shared, "/usr/bin/redis-server r.conf", Proof::Program),
            ("bun server.ts", "/root/.bun/bin/bun", "bun server.ts", Proof::Script),
            ("bun server.ts --port 1", "/usr/bin/bun", "/opt/bun ./server.ts --port 2", Proof::Script),
            ("bun run server.ts", "/usr/bin/bun", "bun /inst/vault/server.ts", Proof::Script),
            ("uv run python app.py", "/usr/bin/uv", "/venv/bin/python3.12 app.py", Proof::Script),
            ("python3 -m vault", "/usr/bin/python3", "python3 -m vault", Proof::Script),
            ("sh -c exec", "/bin/sh", "sh -c exec", Proof::Script),
        ] {
            let got = verdict(suspect(command, "/inst/vault"), &module(argv, program));
            assert_eq!(got, Attribution::Ours(proof), "{command} for {argv}");
        }
        let mut renamed = suspect("vaultd: listening", "/");
        renamed.exe = Some(own.into());
        assert_eq!(verdict(renamed, &module("vaultd", own)), Attribution::Ours(Proof::Program));
    }

    #[test]
    fn doubtful_processes_are_not_killed() {
        let here = "/inst/vault";
        let with = |change: &dyn Fn(&mut Suspect)| {
            let mut row = suspect("bun server.ts", here);
            change(&mut row);
            row
        };
        let runtime = module("bun server.ts", "/usr/bin/bun");
        let rows = vec![
            suspect("bun server.ts", "/inst/notes"),
            suspect("bun other.ts", here),
            suspect("bun run other.ts", here),
            suspect("bun", here),
            suspect("/usr/bin/bun --hot server.ts", here),
            suspect("vim server.ts", here),
            suspect("parachute server.ts", here),
            suspect("/inst/vault/server.ts", here),
            with(&|s| s.uid = Some(0)),
            with(&|s| s.uid = None),
            with(&|s| s.id = None),
            with(&|s| s.id = id(7)),
            with(&|s| s.command = None),
            with(&|s| s.command = Some(Vec::new())),
            with(&|s| s.cwd = None),
            with(&|s| s.home = Some("/other".into())),
            with(&|s| s.marks = marks("notes", "/h")),
            with(&|s| s.marks = marks("vault", "/other")),
            with(&|s| (s.in_ledger, s.uid) = (true, Some(0))),
        ];
        assert_eq!(kills(rows, &runtime), []);

        let shared = module("caddy run", "/usr/bin/caddy");
        let rows = vec![
            suspect("/usr/bin/caddy run --config /home/me/Caddyfile", "/home/me"),
            suspect("caddy run", "/home/me"),
            suspect("cat /usr/bin/caddy", "/home/me"),
            suspect("sudo -u me /usr/bin/caddy", "/"),
        ];
        assert_eq!(kills(rows, &shared), []);

        let own = module("vaultd serve", "/inst/vault/bin/vaultd");
        let rows = vec![
            suspect("gdb /inst/vault/bin/vaultd serve", here),
            suspect("vaultd serve", here),
            suspect("/inst/vault/bin/vaultd-helper serve", here),
        ];
        assert_eq!(kills(rows, &own), []);

        let options = module("node --require x server.js", "/usr/bin/node");
        assert_eq!(kills(vec![suspect("node --require x other.js", here)], &options), []);
        let shell = module("sh -c one", "/bin/sh");
        assert_eq!(kills(vec![suspect("sh -c two", here), suspect("sh one", here)], &shell), []);

        let mut unresolved = runtime.clone();
        unresolved.program = None;
        let mut homeless = runtime;
        homeless.cwd = None;
        assert_eq!(kills(vec![suspect("bun server.ts", here)], &unresolved), []);
        assert_eq!(kills(vec![suspect("bun server.ts", here)], &homeless), []);
    }

    #[test]
    fn runtimes_by_any_name() {
        assert!(RUNTIMES.is_sorted());
        for yes in ["node", "/usr/local/bin/node22", "python3.12", "-bash", "ruby3.3", "/x/bun"] {
            assert!(is_runtime(OsStr::new(yes)), "{yes}");
        }
        for no in ["caddy", "nodemon", "/inst/bun/vaultd", "", "pythonista"] {
            assert!(!is_runtime(OsStr::new(no)), "{no}");
        }
    }
}
