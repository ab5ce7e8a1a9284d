//! Parses `systemctl show`. Its exit code says little; its properties count. Pure.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::explain;
use crate::manager::invocation::ToolOutput;
use crate::manager::state::{Active, Told, UnitState};

/// The parsed output for a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its state.
    pub state: UnitState,
    /// Its start job ends only when the service itself is up (`Type=` notify, forking, dbus, oneshot), so that
    /// "running" is confirmed by the service and not just a fork that worked.
    pub speaks: bool,
    /// systemd did not start it, because a `Condition…=` failed. systemd reports that as a success.
    pub held_back: bool,
    /// The id of this run, to tell one run from the next.
    pub life: Option<String>,
}

/// The state of a unit.
#[must_use]
pub fn state(output: &ToolOutput) -> UnitState {
    shown(output).state
}

/// The state of a unit, and further values for a wait.
#[must_use]
pub fn shown(output: &ToolOutput) -> Shown {
    let keys = properties(&output.stdout);
    if !keys.contains_key("ActiveState") {
        let state = UnitState::unknown(&explain::no_answer(output));
        return Shown { state, speaks: false, held_back: false, life: None };
    }
    let text = |key: &str| keys.get(key).copied().filter(|value| !value.is_empty());
    let number = |key: &str| text(key).and_then(|value| value.parse::<i32>().ok());
    let load = text("LoadState").unwrap_or_default();
    let file_state = text("UnitFileState");
    // ExecMainCode is a si_code of waitid(2): 1 exited, 2 killed, 3 dumped.
    let (exit, signal) = match (number("ExecMainCode"), number("ExecMainStatus")) {
        (Some(1), status) => (status, None),
        (Some(2 | 3), status) => (None, status),
        _ => (None, None),
    };
    let state = UnitState {
        loaded: loaded(load),
        active: active(text("ActiveState").unwrap_or_default(), text("SubState").unwrap_or_default()),
        enabled: enabled(load, file_state),
        file: text("FragmentPath").map(PathBuf::from),
        drop_ins: text("DropInPaths").map(words).unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        stale: text("NeedDaemonReload") == Some("yes"),
        pid: number("MainPID").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
        restarts: number("NRestarts").and_then(|count| u32::try_from(count).ok()),
        result: text("Result").filter(|result| *result != "success").map(ToOwned::to_owned),
        exit,
        says: text("StatusText").map(ToOwned::to_owned),
        signal,
        masked: load == "masked" || file_state.is_some_and(|state| state.starts_with("masked")),
        refused: match load {
            "loaded" | "not-found" | "" => None,
            _ => text("LoadError").map(load_error),
        },
        enablement: file_state.map(ToOwned::to_owned),
        wanted_by: keys.get("WantedBy").copied().map(words),
        // org.freedesktop.systemd1(5): when it last left the inactive state; 0: never.
        untried: text("InactiveExitTimestampMonotonic") == Some("0"),
    };
    Shown {
        state,
        speaks: matches!(text("Type"), Some(kind) if !matches!(kind, "simple" | "exec" | "idle")),
        held_back: text("ConditionResult") == Some("no"),
        life: text("InvocationID").map(ToOwned::to_owned),
    }
}

/// LoadState=, org.freedesktop.systemd1(5).
fn loaded(load: &str) -> Told<bool> {
    match load {
        "loaded" => Told::Known(true),
        "not-found" | "masked" | "bad-setting" | "error" => Told::Known(false),
        other => Told::Unknown(format!("systemd reports the unit file state {other:?}")),
    }
}

/// ActiveState= and SubState=: `systemctl --state=help` lists them.
fn active(active: &str, sub: &str) -> Told<Active> {
    Told::Known(match (active, sub) {
        // v254 has restarts that pass through "dead" and "failed" for a moment.
        (
            _,
            "auto-restart"
            | "auto-restart-queued"
            | "dead-before-auto-restart"
            | "failed-before-auto-restart",
        ) => Active::Restarting,
        ("active" | "reloading" | "refreshing", _) => Active::Running,
        ("activating", _) => Active::Starting,
        ("deactivating", _) => Active::Stopping,
        ("failed", _) => Active::Failed,
        ("inactive", _) => Active::Stopped,
        (other, _) => return Told::Unknown(format!("systemd reports the state {other:?}")),
    })
}

/// UnitFileState=, the words of `systemctl is-enabled`: systemctl(1).
fn enabled(load: &str, state: Option<&str>) -> Told<bool> {
    match state {
        Some("enabled" | "alias") => Told::Known(true),
        // For this boot only; or it exists, and nothing starts it.
        Some(
            "enabled-runtime" | "linked" | "linked-runtime" | "static" | "indirect" | "disabled" | "masked"
            | "masked-runtime" | "generated" | "transient",
        ) => Told::Known(false),
        None if load == "not-found" => Told::Known(false),
        Some(other) => Told::Unknown(format!("systemd reports {other:?}")),
        None => Told::Unknown("systemd does not say whether it is enabled".to_owned()),
    }
}

/// The sentence in `name "sentence"`.
fn load_error(text: &str) -> String {
    let sentence = text.split_once('"').and_then(|(_, rest)| rest.strip_suffix('"'));
    sentence.unwrap_or(text).trim_end_matches('.').to_owned()
}

/// Facts about the manager itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version, first number.
    pub version: u32,
    /// Its search path for units, best first.
    pub unit_path: Vec<PathBuf>,
    /// Its own state (`running`, `degraded`, `starting`, …).
    pub state: String,
}

/// Parses a manager's facts.
///
/// # Errors
/// The reason why there are none.
pub fn about(output: &ToolOutput) -> Result<About, String> {
    let keys = properties(&output.stdout);
    let version = keys.get("Version").and_then(|text| version(text));
    let Some(version) = version else { return Err(explain::no_answer(output)) };
    let text = |key: &str| keys.get(key).copied().unwrap_or_default();
    Ok(About {
        version,
        unit_path: words(text("UnitPath")).into_iter().map(PathBuf::from).collect(),
        state: text("SystemState").to_owned(),
    })
}

/// `252.38-1~deb12u1`, `v255`, `256~rc3`: the first number.
fn version(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches('v');
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The directory of a user's unit files: the first one in the manager's search path below a home of the user.
#[must_use]
pub fn unit_dir(about: &About, homes: &[&Path]) -> Option<PathBuf> {
    let below = |home: &&Path| {
        about.unit_path.iter().find(|dir| dir.starts_with(home) && dir.ends_with("systemd/user")).cloned()
    };
    homes.iter().filter(|home| home.is_absolute()).find_map(below)
}

/// Of `list-jobs --no-legend`: whether one of these jobs ends the run of this unit. Columns: number, unit, type, state.
#[must_use]
pub(crate) fn stops(output: &ToolOutput, unit: &OsStr) -> bool {
    let jobs = output.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut of_it = jobs.filter(|job| job.get(1).is_some_and(|name| OsStr::new(name) == unit));
    of_it.any(|job| matches!(job.get(2), Some(&("stop" | "restart" | "try-restart"))))
}

/// `Linger=` as `--value` prints it; `None` if the output is neither yes nor no.
#[must_use]
pub fn linger(output: &ToolOutput) -> Option<bool> {
    match output.stdout.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Whether logind was reached and no user with that name is logged in or lingers.
#[must_use]
pub fn is_unknown_to_logind(output: &ToolOutput) -> bool {
    output.stderr.contains("not logged in or lingering")
}

/// The messages of `systemd-analyze verify` about these files. It reads their dependencies too; messages about
/// other files are dropped.
#[must_use]
pub fn complaints(output: &ToolOutput, files: &[PathBuf]) -> Vec<String> {
    let of_others = |line: &str| {
        let path = line.split(':').next().filter(|path| path.starts_with('/')).map(Path::new);
        path.is_some_and(|path| !files.iter().any(|file| file == path))
    };
    let mut told: Vec<String> = output
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty() && !of_others(line))
        .map(ToOwned::to_owned)
        .collect();
    if told.is_empty() && !output.ok() {
        told.push(no_reason(output));
    }
    told
}

fn no_reason(output: &ToolOutput) -> String {
    output.stderr.lines().find(|line| !line.trim().is_empty()).map_or_else(
        || {
            format!(
                "systemd-analyze ended with {}",
                output.code.map_or("a signal".to_owned(), |c| format!("exit code {c}"))
            )
        },
        ToOwned::to_owned,
    )
}

/// Lines of `KEY=VALUE`. Only the first line of a value is kept; none that we request has more.
fn properties(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

/// Words as systemctl prints lists: separated by spaces, in double quotes where the shell would need them, and as
/// `$'…'` with control characters (`shell_maybe_quote` in systemd's src/basic/escape.c).
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let (mut out, mut chars) = (Vec::new(), text.chars().peekable());
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return out;
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, c) if c.is_whitespace() => break,
                (None, '$') if chars.peek() == Some(&'\'') => {
                    chars.next();
                    quote = Some('$');
                }
                (None, '"' | '\'') => quote = Some(c),
                (Some('"'), '"') | (Some('\'' | '$'), '\'') => quote = None,
                (None | Some('"'), '\\') => word.extend(chars.next()),
                (Some('$'), '\\') => word.extend(chars.next().map(|c| match c {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                })),
                (_, c) => word.push(c),
            }
        }
        out.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::systemd::testing::{answer, captured};

    #[test]
    fn a_checker_that_fails_without_output_still_gives_a_message() {
        let said = |code: i32, stderr: &str| {
            let output = ToolOutput { code: Some(code), stdout: String::new(), stderr: stderr.to_owned() };
            complaints(&output, &["/u/a.service".into()])
        };
        assert_eq!(said(0, "\n \t\n"), Vec::<String>::new());
        for blank in ["", "\t \n", "\n\n"] {
            assert_eq!(said(1, blank), ["systemd-analyze ended with exit code 1"]);
        }
        assert_eq!(said(1, " \n/u/b.service:1: bad\n"), ["/u/b.service:1: bad"], "the only reason");
    }

    #[test]
    fn units_in_every_state_as_systemd_252_shows_them() {
        let names = [
            "running",
            "stale",
            "stopped",
            "socket",
            "auto-restart",
            "ceiling",
            "exit-78",
            "no-program",
            "never-ready",
            "no-env-file",
            "ended-before-ready",
            "segv",
            "bad-setting",
            "masked",
            "not-found",
            "static",
            "enabled-for-nothing",
        ];
        let line = |name: &&str| {
            let Shown { state, speaks, .. } = shown(&captured(name));
            let UnitState { loaded, active, enabled, pid, restarts, result, exit, signal, .. } = &state;
            let known = |told: &Told<bool>| told.known().map_or("?", |yes| if *yes { "yes" } else { "no" });
            format!(
                "{name}: {active:?} loaded={} enabled={} pid={pid:?} restarts={restarts:?} {result:?} {exit:?}/{signal:?} \
                 stale={} masked={} speaks={speaks}",
                known(loaded),
                known(enabled),
                state.stale,
                state.masked
            )
        };
        insta::assert_snapshot!(names.iter().map(line).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn other_properties() {
        let running = state(&captured("running"));
        assert_eq!(running.says.as_deref(), Some("serving 3 modules"));
        assert_eq!(running.drop_ins, [Path::new("/home/lab/.config/systemd/user/m-ok.service.d/10 my.conf")]);
        assert_eq!(running.wanted_by, Some(vec!["default.target".to_owned()]));
        let ours = Path::new("/etc/systemd/user/m-ok.service");
        assert!(
            running.shadow_of(ours).is_some() && running.shadow_of(running.file.as_ref().unwrap()).is_none()
        );
        let bad = state(&captured("bad-setting"));
        assert_eq!(bad.refused.as_deref(), Some("Unit m-bad.service has a bad unit file setting"));
        assert_eq!(state(&captured("static")).enablement.as_deref(), Some("static"));
    }

    #[test]
    fn every_known_state_word_has_a_meaning_and_others_are_unknown() {
        let told = |active: &str, sub: &str| {
            state(&answer(0, &format!("LoadState=loaded\nActiveState={active}\nSubState={sub}\n"), "")).active
        };
        let table = [
            ("active", "running", Active::Running),
            ("active", "exited", Active::Running),
            ("reloading", "reload", Active::Running),
            ("activating", "start", Active::Starting),
            ("activating", "auto-restart", Active::Restarting),
            ("inactive", "dead-before-auto-restart", Active::Restarting),
            ("deactivating", "stop-sigterm", Active::Stopping),
            ("failed", "failed", Active::Failed),
            ("inactive", "dead", Active::Stopped),
        ];
        for (active, sub, means) in table {
            assert_eq!(told(active, sub), Told::Known(means), "{active}/{sub}");
        }
        assert_eq!(
            told("maintenance", ""),
            Told::Unknown("systemd reports the state \"maintenance\"".to_owned())
        );
        let enabled = |word: &str| {
            let text = format!("LoadState=loaded\nActiveState=inactive\nUnitFileState={word}\n");
            state(&answer(0, &text, "")).enabled.known().copied()
        };
        assert_eq!(enabled("enabled"), Some(true));
        for no in ["enabled-runtime", "linked", "static", "disabled", "masked", "masked-runtime"] {
            assert_eq!(enabled(no), Some(false), "{no}");
        }
        assert_eq!((enabled("bad"), enabled("")), (None, None));
    }

    #[test]
    fn no_answer_is_not_no() {
        for (code, stderr, because) in [
            (1, "Failed to connect to bus: No medium found\n", "Failed to connect to bus: No medium found"),
            (0, "", "systemctl answered nothing"),
            (1, "", "systemctl answered nothing, with exit code 1"),
        ] {
            let state = state(&answer(code, "", stderr));
            assert_eq!(state.active, Told::Unknown(because.to_owned()));
            assert_eq!(state.running().known(), None);
            assert_eq!((state.loaded.known(), state.enabled.known()), (None, None));
        }
    }

    #[test]
    fn the_managers_version_and_search_path() {
        let about = about(&captured("unit-path")).unwrap();
        assert_eq!((about.version, about.state.as_str()), (252, "running"));
        let dir = |homes: &[&str]| unit_dir(&about, &homes.iter().map(Path::new).collect::<Vec<_>>());
        let found = Some(PathBuf::from("/home/my op/.config/systemd/user"));
        assert_eq!(dir(&["/home/my op"]), found);
        // $HOME is elsewhere; the manager uses the home it was started with.
        assert_eq!((dir(&["/tmp/x", "/home/my op"]), dir(&["/home/my"]), dir(&[""])), (found, None, None));
        let silent = super::about(&answer(1, "", "Failed to connect to bus: Host is down\n"));
        assert_eq!(silent.unwrap_err(), "Failed to connect to bus: Host is down");
        assert_eq!((version("v255"), version("256~rc3"), version("x")), (Some(255), Some(256), None));
    }

    #[test]
    fn lists_are_parsed_as_printed() {
        let table: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("/a /b", &["/a", "/b"]),
            ("\"/a b\" /c", &["/a b", "/c"]),
            (r#""/a \"q\" \$x \\""#, &[r#"/a "q" $x \"#]),
            (r"$'/a\nb' '/c d'", &["/a\nb", "/c d"]),
            (r"/a\ b", &["/a b"]),
            (r#"" "#, &[" "]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), expected, "{text}");
        }
    }
}
