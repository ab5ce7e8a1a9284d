//! Parses `launchctl print` and `print-disabled`. Tolerant on purpose: the text is not an interface, so a missing line
//! makes a value unknown, never wrong. Pure.

use std::path::PathBuf;

use super::explain;
use crate::manager::invocation::ToolOutput;
use crate::manager::launchd::Launchd;
use crate::manager::state::{Active, Told, UnitState};
use crate::unit::name::UnitName;

/// `launchctl print`: the label is not in this domain. Never loaded, removed after a failed spawn, or disabled
/// by the user: launchd does not report which.
pub const NO_LABEL: i32 = 113;

/// The output of `launchctl print` for a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// `running`, `not running`, `spawn scheduled`, …
    pub state: Option<String>,
    /// Main process.
    pub pid: Option<u32>,
    /// Exit code of the last run; `None`: it has never ended, a signal ended it, or it is not reported.
    pub last_exit: Option<i32>,
    /// The signal that ended the last run, in launchd's words: `Killed: 9`. Such a run has no exit code.
    pub last_signal: Option<String>,
    /// The plist it was loaded from.
    pub path: Option<PathBuf>,
    /// The program it was loaded with: that of the plist at that time.
    pub program: Option<PathBuf>,
    /// Starts since it was loaded.
    pub runs: Option<u32>,
}

/// Reads the keys of the job itself, not those of nested blocks (`endpoints = {`, `environment = {`).
#[must_use]
pub fn job(text: &str) -> Job {
    let mut job = Job::default();
    let mut depth = 0_i32;
    for line in text.lines().map(str::trim) {
        if line.ends_with('{') {
            depth += 1;
        } else if line == "}" {
            depth -= 1;
        } else if depth <= 1
            && let Some((key, value)) = line.split_once(" = ")
        {
            match key {
                "state" => job.state = Some(value.to_owned()),
                "pid" => job.pid = value.parse().ok(),
                // `78: EX_CONFIG` in newer versions.
                "last exit code" => {
                    job.last_exit = value.split(':').next().and_then(|n| n.trim().parse().ok())
                }
                // In place of that line, not in addition (captures by others from macOS 14 to 26).
                "last terminating signal" => job.last_signal = Some(value.to_owned()),
                "path" => job.path = Some(value.into()),
                "program" => job.program = Some(value.into()),
                "runs" => job.runs = value.parse().ok(),
                _ => {}
            }
        }
    }
    job
}

impl Job {
    /// The state of the job.
    #[must_use]
    pub fn active(&self) -> Told<Active> {
        let Some(state) = &self.state else {
            return Told::Unknown("`launchctl print` names no state".to_owned());
        };
        let ended_badly = self.last_exit.is_some_and(|code| code != 0) || self.last_signal.is_some();
        Told::Known(match state.as_str() {
            "running" | "active" => Active::Running,
            "spawn scheduled" if ended_badly => Active::Restarting,
            "spawn scheduled" | "xpcproxy" | "spawning" => Active::Starting,
            "not running" | "waiting" | "exited" | "spawn failed" => Active::Idle,
            _ if self.pid.is_some() => Active::Running,
            other => return Told::Unknown(format!("launchd reports the state {other:?}")),
        })
    }

    /// How the last run ended: `code 78`, `signal Killed: 9`.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        let code = || self.last_exit.map(|code| format!("code {code}"));
        self.last_signal.as_ref().map(|signal| format!("signal {signal}")).or_else(code)
    }
}

/// Whether a label is disabled: `None` if the output does not tell.
#[must_use]
pub fn is_disabled(output: &ToolOutput, label: &str) -> Option<bool> {
    if !output.ok() {
        return None;
    }
    let quoted = format!("\"{label}\"");
    let line = output.stdout.lines().map(str::trim).find_map(|line| line.strip_prefix(quoted.as_str()));
    // A label that was never enabled or disabled is not listed.
    let Some(line) = line else { return Some(false) };
    match line.trim().trim_start_matches("=>").trim() {
        "disabled" | "true" => Some(true),
        "enabled" | "false" => Some(false),
        _ => None,
    }
}

/// The state of a job, from `print` and `print-disabled`. `there`: its plist is in its place.
#[must_use]
pub fn state(
    print: &ToolOutput,
    disabled: &ToolOutput,
    there: bool,
    launchd: &Launchd,
    unit: &UnitName,
) -> UnitState {
    let enabled = match is_disabled(disabled, &unit.label()) {
        Some(disabled) => Told::Known(!disabled),
        None => {
            Told::Unknown(format!("`launchctl print-disabled` has no answer: {}", disabled.stderr.trim()))
        }
    };
    let off = enabled.is_false();
    let mut state = UnitState { enabled, ..UnitState::unknown("") };
    match print.code {
        Some(0) => {
            let job = job(&print.stdout);
            state.loaded = Told::Known(true);
            state.active = job.active();
            state.file = job.path;
            state.pid = job.pid;
            state.exit = job.last_exit;
            state.restarts = job.runs.map(|runs| runs.saturating_sub(1));
            let number = |signal: &String| signal.rsplit(' ').next().and_then(|number| number.parse().ok());
            state.signal = job.last_signal.as_ref().and_then(number);
            let signal = job.last_signal.map(|signal| format!("signal {signal}"));
            let code = state.exit.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
            state.result = signal.or(code);
        }
        Some(NO_LABEL) => {
            state.loaded = Told::Known(false);
            // For any reason: under this label nothing runs.
            state.active = Told::Known(Active::Stopped);
            if there {
                state.file = Some(launchd.dir.join(format!("{}.plist", unit.label())));
                state.refused = Some(if off { DISABLED.to_owned() } else { NOT_LOADED.to_owned() });
            }
        }
        _ => {
            let cause = explain::of(&super::verbs::print(launchd, unit), print);
            state.loaded = Told::Unknown(cause.what.clone());
            state.active = Told::Unknown(cause.what);
        }
    }
    state
}

/// Text for a plist that exists and is not loaded.
pub const NOT_LOADED: &str =
    "its plist is there and not loaded: stopped, or switched off in System Settings, General, Login Items";
/// Text for one that is disabled.
pub const DISABLED: &str = "its plist is there, and it is disabled by an override";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::launchd::Domain;

    const RUNNING: &str = "gui/501/computer.parachute.hub = {\n\tactive count = 1\n\tpath = /Users/op/Library/LaunchAgents/computer.parachute.hub.plist\n\ttype = LaunchAgent\n\tstate = running\n\n\tprogram = /Users/op/.parachute/bin/parachute\n\targuments = {\n\t\t/Users/op/.parachute/bin/parachute\n\t\tserve\n\t}\n\n\tinherited environment = {\n\t\tpid = 7\n\t}\n\truns = 3\n\tpid = 4321\n\tlast exit code = 78: EX_CONFIG\n\n\tendpoints = {\n\t\t\"x\" = {\n\t\t\tstate = gone\n\t\t}\n\t}\n}\n";

    fn output(code: i32, stdout: &str) -> ToolOutput {
        ToolOutput { code: Some(code), stdout: stdout.to_owned(), stderr: String::new() }
    }

    fn read(print: &ToolOutput, disabled: &str, there: bool) -> UnitState {
        let launchd = Launchd { domain: Domain::Gui(501), dir: "/x".into() };
        state(print, &output(0, disabled), there, &launchd, &UnitName::hub())
    }

    #[test]
    fn only_the_jobs_own_keys_count() {
        let job = job(RUNNING);
        assert_eq!((job.pid, job.runs, job.last_exit), (Some(4321), Some(3), Some(78)));
        assert_eq!(job.program, Some("/Users/op/.parachute/bin/parachute".into()));
        let state = read(&output(0, RUNNING), "", true);
        assert_eq!(state.active, Told::Known(Active::Running));
        assert_eq!((state.restarts, state.enabled), (Some(2), Told::Known(true)));
    }

    #[test]
    fn states_and_what_they_mean() {
        for (word, exit, active) in [
            ("running", "0", Some(Active::Running)),
            ("not running", "0", Some(Active::Idle)),
            ("not running", "1", Some(Active::Idle)),
            ("not running", "(never exited)", Some(Active::Idle)),
            ("spawn scheduled", "1", Some(Active::Restarting)),
            ("spawn scheduled", "(never exited)", Some(Active::Starting)),
            ("waiting", "0", Some(Active::Idle)),
            ("something new", "0", None),
        ] {
            let text = format!("x = {{\n\tstate = {word}\n\tlast exit code = {exit}\n}}\n");
            assert_eq!(job(&text).active().known().copied(), active, "{word}, {exit}");
        }
        assert_eq!(job("garbage").active().known(), None);
    }

    /// A program that macOS kills before its first instruction (a bad signature) ends like that.
    #[test]
    fn a_run_ended_by_a_signal_has_no_exit_code_and_failed() {
        let text = |state| format!("x = {{\n\tstate = {state}\n\tlast terminating signal = Killed: 9\n}}\n");
        let scheduled = read(&output(0, &text("spawn scheduled")), "", true);
        assert_eq!(scheduled.active, Told::Known(Active::Restarting));
        assert_eq!((scheduled.exit, scheduled.signal), (None, Some(9)));
        assert_eq!(scheduled.result.as_deref(), Some("signal Killed: 9"));
        assert_eq!(job(&text("not running")).active(), Told::Known(Active::Idle));
        assert_eq!(job(&text("running")).ended().as_deref(), Some("signal Killed: 9"));
        assert_eq!(job(RUNNING).ended().as_deref(), Some("code 78"));
    }

    #[test]
    fn a_missing_domain_says_nothing_about_the_job() {
        for code in [112, 125, 1, 64] {
            let state = read(&output(code, ""), "", true);
            assert!(state.active.known().is_none() && state.loaded.known().is_none(), "{code}");
        }
        let absent = read(&output(113, ""), "", false);
        assert_eq!((absent.active, absent.refused), (Told::Known(Active::Stopped), None));
        let switched_off = read(&output(113, ""), "", true);
        assert_eq!(switched_off.refused.as_deref(), Some(NOT_LOADED));
        assert_eq!(switched_off.file, Some("/x/computer.parachute.hub.plist".into()));
    }

    #[test]
    fn overrides() {
        let list = "\tdisabled services = {\n\t\t\"computer.parachute.hub\" => disabled\n\t\t\"a.b\" => true\n\t\t\"c.d\" => enabled\n\t\t\"e.f\" => maybe\n\t}\n";
        let told = |label| is_disabled(&output(0, list), label);
        assert_eq!(told("computer.parachute.hub"), Some(true));
        assert_eq!((told("a.b"), told("c.d"), told("e.f")), (Some(true), Some(false), None));
        assert_eq!(told("computer.parachute"), Some(false), "a prefix of a label does not match");
        assert_eq!(is_disabled(&output(113, list), "a.b"), None);
        let state = read(&output(113, ""), list, true);
        assert_eq!((state.enabled, state.refused.as_deref()), (Told::Known(false), Some(DISABLED)));
    }
}
