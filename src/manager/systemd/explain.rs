//! The meaning of systemd's output: why a command was refused, why a unit ended. Its own text is kept where it adds
//! facts. Pure.

use std::time::Duration;

use super::exit;
use crate::manager::explain::{Cause, Retry};
use crate::manager::invocation::{Invocation, ToolOutput};
use crate::manager::state::{Active, Told, UnitState};
use crate::manager::systemd::Systemd;
use crate::unit::name::UnitName;
use crate::unit::target::Scope;

/// Why there is no output: the tool's own error text.
#[must_use]
pub(crate) fn no_answer(output: &ToolOutput) -> String {
    match (first_line(&output.stderr), output.code) {
        (Some(line), _) => line.trim_end_matches('.').to_owned(),
        (None, Some(0)) => "systemctl answered nothing".to_owned(),
        (None, Some(code)) => format!("systemctl answered nothing, with exit code {code}"),
        (None, None) => "systemctl was killed".to_owned(),
    }
}

/// The meaning of a text of systemd's tools. Ordered: the first match counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    NotBooted,
    Elsewhere,
    NoBus,
    NeedsRoot,
    PolkitMasked,
    Masked,
    BadUnit,
    TooOften,
    ReadOnly,
    Unknown,
    Replaced,
}

/// Texts of systemd 252 (most of them captured) and of later versions; all under `LC_ALL=C`.
const SAYINGS: [(&str, Said); 22] = [
    ("has not been booted with systemd", Said::NotBooted),
    ("Host is down", Said::NotBooted),
    // A user manager's private socket refuses other users, even root.
    ("connect to bus: Operation not permitted", Said::Elsewhere),
    ("connect to bus: Permission denied", Said::Elsewhere),
    ("connect to bus", Said::NoBus),
    ("scope bus", Said::NoBus),
    ("RuntimeDirectory path", Said::NoBus),
    ("create directory '/run/user/", Said::NoBus),
    // Debian and others install polkit; if it is masked, only root has any rights.
    ("polkit.service is masked", Said::PolkitMasked),
    ("nteractive authentication required", Said::NeedsRoot),
    ("Access denied", Said::NeedsRoot),
    ("Permission denied", Said::NeedsRoot),
    ("Operation not permitted", Said::NeedsRoot),
    (" is masked", Said::Masked),
    ("bad unit file setting", Said::BadUnit),
    ("attempted too often", Said::TooOften),
    ("repeated too quickly", Said::TooOften),
    ("Read-only file system", Said::ReadOnly),
    (" not found", Said::Unknown),
    (" does not exist", Said::Unknown),
    (" not loaded", Said::Unknown),
    ("canceled", Said::Replaced),
];

fn said(stderr: &str) -> Option<Said> {
    SAYINGS.iter().find(|(text, _)| stderr.contains(text)).map(|(_, said)| *said)
}

/// Why the checker could not check any file; `None`: it did.
#[must_use]
pub(crate) fn cannot_check(systemd: &Systemd, output: &ToolOutput) -> Option<Cause> {
    match said(&output.stderr) {
        Some(Said::NoBus | Said::NotBooted) if !output.ok() => Some(no_bus(systemd, &no_answer(output))),
        _ => None,
    }
}

/// Why a tool of systemd refused.
#[must_use]
pub(crate) fn refused(systemd: &Systemd, invocation: &Invocation, output: &ToolOutput) -> Cause {
    let words = said_words(invocation, output);
    let Some(said) = said(&output.stderr) else {
        return Cause { what: words, retry: Retry::Safe, next: Some(plainly(invocation)) };
    };
    let unit = || invocation.args.last().map(|unit| unit.to_string_lossy().into_owned()).unwrap_or_default();
    match said {
        Said::NotBooted => Cause::never("this host was not booted with systemd").hint("parachute serve"),
        Said::Elsewhere => Cause::never(format!(
            "the systemd manager there belongs to another user and answers only to that user, not to root ({words})"
        )),
        Said::NoBus => no_bus(systemd, &words),
        Said::NeedsRoot => Cause::never(format!("only root may do this here ({words})"))
            .hint(format!("sudo {}", plainly(invocation))),
        Said::PolkitMasked => Cause::never("only root may do this here, since polkit.service is masked")
            .hint(format!("sudo {}", plainly(invocation))),
        Said::Masked => masked(systemd, &unit(), None),
        Said::BadUnit => Cause::never(words).hint(analyze(systemd, None, &unit())),
        Said::TooOften => Cause::safe("start limit hit: it was started too often").hint(typed(
            systemd,
            "reset-failed",
            &unit(),
        )),
        Said::ReadOnly => Cause::never(format!("the directory of unit files is read-only ({words})")),
        Said::Unknown => {
            Cause::never(format!("systemd knows no {} ({words})", unit())).hint("parachute init")
        }
        Said::Replaced => {
            Cause::safe("another request for the same unit took its place").hint(plainly(invocation))
        }
    }
}

fn no_bus(systemd: &Systemd, words: &str) -> Cause {
    match (systemd.scope, &systemd.runtime_dir) {
        (Scope::System, _) => {
            Cause::after(Duration::from_secs(5), format!("systemd cannot be reached: {words}"))
                .hint("systemctl is-system-running")
        }
        (Scope::User, None) => Cause::never(format!("the user's systemd manager cannot be found: {words}"))
            .hint("export XDG_RUNTIME_DIR=/run/user/$(id -u)"),
        (Scope::User, Some(dir)) => {
            Cause::never(format!("the user's systemd manager does not answer at {}: {words}", dir.display()))
                .hint("sudo loginctl enable-linger \"$USER\"")
        }
    }
}

fn masked(systemd: &Systemd, unit: &str, state: Option<&UnitState>) -> Cause {
    let by = state.and_then(|state| state.file.as_ref());
    let by = by.map(|file| format!(" by {}", file.display())).unwrap_or_default();
    Cause::never(format!("{unit} is masked{by}: it is forbidden to start"))
        .hint(typed(systemd, "unmask", unit))
}

/// Why a unit does not run, from its state after an attempt to start it.
#[must_use]
pub(crate) fn ended(systemd: &Systemd, unit: &UnitName, state: &UnitState) -> Cause {
    let name = unit.systemd();
    if state.masked {
        return masked(systemd, &name, Some(state));
    }
    if let Some(refused) = &state.refused {
        return Cause::never(refused.clone()).hint(analyze(systemd, Some(state), &name));
    }
    if state.loaded.is_false() {
        return Cause::never(format!("systemd knows no {name}")).hint("parachute init");
    }
    let (what, retry) = result(state);
    let cause = Cause { what, retry, next: Some(journal(systemd, &name)) };
    match (&state.active, state.restarts) {
        (Told::Known(Active::Restarting), _) => {
            Cause { what: format!("{}; systemd keeps restarting it", cause.what), ..cause }
        }
        // The limit ends an automatic restart with the result of the last run, not with start-limit-hit (measured).
        (Told::Known(Active::Failed), Some(restarts)) if restarts > 0 => {
            let times = if restarts == 1 { "once".to_owned() } else { format!("{restarts} times") };
            Cause { what: format!("{}; systemd restarted it {times} and stopped", cause.what), ..cause }
        }
        _ => cause,
    }
}

/// Why `enable` or `disable` was accepted without effect.
#[must_use]
pub(crate) fn not_enabled(systemd: &Systemd, unit: &UnitName, state: &UnitState) -> Cause {
    let name = unit.systemd();
    match state.enablement.as_deref() {
        _ if state.masked => masked(systemd, &name, Some(state)),
        Some("static" | "indirect") => {
            Cause::never(format!("{name} has no [Install] section: nothing can start it at boot"))
                .hint(analyze(systemd, Some(state), &name))
        }
        Some(word) => Cause::never(format!("systemd keeps reporting {word:?}")).hint(status(systemd, unit)),
        None => Cause::never(format!("systemd knows no {name}")).hint("parachute init"),
    }
}

/// Result=, org.freedesktop.systemd1(5): "encodes the execution result of the last run".
fn result(state: &UnitState) -> (String, Retry) {
    match state.result.as_deref() {
        Some("exit-code") => exit_code(state.exit.unwrap_or_default()),
        Some("signal") => (format!("it was killed by {}", signal(state)), Retry::Safe),
        Some("core-dump") => (format!("it crashed with {}", signal(state)), Retry::Safe),
        Some("watchdog") => {
            ("it missed its watchdog deadline and was killed (WatchdogSec=)".to_owned(), Retry::Safe)
        }
        Some("timeout") => {
            ("it did not start or stop in time (TimeoutStartSec=, TimeoutStopSec=)".to_owned(), Retry::Safe)
        }
        Some("oom-kill") => ("the kernel killed it: out of memory".to_owned(), Retry::After(MEMORY)),
        Some("protocol") => ("it exited before it was ready".to_owned(), Retry::Safe),
        Some("resources") => (
            "systemd could not prepare its start: a file that the unit needs is not there or cannot be read"
                .to_owned(),
            Retry::Never,
        ),
        Some("start-limit-hit") => ("start limit hit: it was started too often".to_owned(), Retry::Safe),
        Some("exec-condition") => {
            ("a condition of the unit failed (ExecCondition=)".to_owned(), Retry::Never)
        }
        Some(other) => (format!("systemd says {other:?}"), Retry::Safe),
        None => match state.exit {
            Some(0) => ("it exited at once with code 0".to_owned(), Retry::Safe),
            _ => ("it does not run".to_owned(), Retry::Safe),
        },
    }
}

/// How long a shortage of memory may last.
const MEMORY: Duration = Duration::from_secs(60);

fn exit_code(code: i32) -> (String, Retry) {
    if let Some(systemd) = exit::of(code) {
        return (format!("{} (exit code {code}, {})", systemd.what, systemd.name), Retry::Never);
    }
    match code {
        // sysexits.h, EX_CONFIG: our code for "a user must act".
        78 => ("it needs you to act first: its settings or its port (exit code 78)".to_owned(), Retry::Never),
        126 => ("its program cannot be run (exit code 126)".to_owned(), Retry::Never),
        127 => ("a program that it runs is not there (exit code 127)".to_owned(), Retry::Never),
        code => (format!("it exited with code {code}"), Retry::Safe),
    }
}

fn signal(state: &UnitState) -> String {
    let number = state.signal.unwrap_or_default();
    exit::signal(number).map_or_else(|| format!("signal {number}"), ToOwned::to_owned)
}

/// Why a user's linger cannot be set.
#[must_use]
pub(crate) fn linger(user: &str, on: bool, output: &ToolOutput) -> Cause {
    let verb = if on { "enable-linger" } else { "disable-linger" };
    let by_root = format!("sudo loginctl {verb} {user}");
    let words = first_line(&output.stderr).unwrap_or("loginctl gave no reason");
    match said(&output.stderr) {
        Some(Said::NeedsRoot) => Cause::never("only root may do this here").hint(by_root),
        Some(Said::PolkitMasked) => {
            Cause::never("only root may do this here, since polkit.service is masked").hint(by_root)
        }
        Some(Said::NotBooted | Said::NoBus) => {
            Cause::never(format!("logind cannot be reached: {words}")).hint(by_root)
        }
        _ if words.contains("No such process") => Cause::never(format!("there is no user {user}")),
        _ => Cause::safe(words).hint(by_root),
    }
}

/// Why the journal shows nothing.
#[must_use]
pub(crate) fn journal_closed(systemd: &Systemd, unit: &UnitName, output: &ToolOutput) -> Cause {
    let by_root = format!("sudo {}", journal(systemd, &unit.systemd()));
    let words = first_line(&output.stderr);
    match words {
        // A journal in memory belongs to root and the group systemd-journal: systemd-journald.service(8), ACCESS
        // CONTROL.
        Some(words) if words.contains("insufficient permissions") => Cause::never(
            "this user may not read the journal: it is kept in memory only, or in the system's file",
        )
        .hint(by_root),
        Some(words) if words.contains("No journal files") => Cause::never("no journal is kept here"),
        Some(words) => Cause::safe(words).hint(by_root),
        None => Cause::never("the journal has no line of it that this user may read").hint(by_root),
    }
}

/// The reason in a tool's output: of "Job for x failed because y." it is y.
fn said_words(invocation: &Invocation, output: &ToolOutput) -> String {
    let Some(line) = first_line(&output.stderr) else {
        return match output.code {
            Some(code) => format!("`{}` ended with exit code {code}", plainly(invocation)),
            None => format!("`{}` was killed", plainly(invocation)),
        };
    };
    let line = line.split_once(" failed because ").map_or(line, |(_, why)| why);
    line.trim_end_matches('.').to_owned()
}

fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty())
}

/// As typed in a shell.
fn plainly(invocation: &Invocation) -> String {
    invocation.to_string().replace(" --no-ask-password", "")
}

fn typed(systemd: &Systemd, verb: &str, unit: &str) -> String {
    match systemd.scope {
        Scope::System => format!("sudo systemctl {verb} {unit}"),
        Scope::User => format!("systemctl --user {verb} {unit}"),
    }
}

/// The command that shows the state of a unit.
#[must_use]
pub(crate) fn status(systemd: &Systemd, unit: &UnitName) -> String {
    match systemd.scope {
        Scope::System => format!("systemctl status {}", unit.systemd()),
        Scope::User => format!("systemctl --user status {}", unit.systemd()),
    }
}

/// The command that shows a unit with its drop-ins.
#[must_use]
pub(crate) fn definition(systemd: &Systemd, unit: &UnitName) -> String {
    match systemd.scope {
        Scope::System => format!("systemctl cat {}", unit.systemd()),
        Scope::User => format!("systemctl --user cat {}", unit.systemd()),
    }
}

fn journal(systemd: &Systemd, unit: &str) -> String {
    match systemd.scope {
        Scope::System => format!("journalctl --unit={unit} --lines=50"),
        Scope::User => format!("journalctl --user-unit={unit} --lines=50"),
    }
}

fn analyze(systemd: &Systemd, state: Option<&UnitState>, unit: &str) -> String {
    let file = state
        .and_then(|state| state.file.as_ref())
        .map_or(unit.to_owned(), |file| file.display().to_string());
    match systemd.scope {
        Scope::System => format!("systemd-analyze verify {file}"),
        Scope::User => format!("systemd-analyze --user verify {file}"),
    }
}

#[cfg(test)]
mod tests;
