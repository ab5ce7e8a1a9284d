//! The commands for systemd. No other file writes its command lines. Pure.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::manager::invocation::Invocation;
use crate::manager::systemd::Systemd;
use crate::unit::name::UnitName;
use crate::unit::target::Scope;

/// The requested properties of a unit. Unknown names are left out of the output, so old versions work.
const ASKED: [&str; 21] = [
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "ConditionResult",
    "WantedBy",
    "Type",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "StatusText",
    "StartLimitBurst",
    "InvocationID",
    "InactiveExitTimestampMonotonic",
    "Id",
];

/// `systemctl show`: the state of one unit.
#[must_use]
pub(crate) fn show(systemd: &Systemd, unit: &UnitName) -> Invocation {
    let ask = addressed(systemd, Invocation::ask("systemctl", &[]));
    ask.arg("show").arg(format!("--property={}", ASKED.join(","))).arg(unit.systemd())
}

/// `systemctl show` without a unit: the manager itself. It answers only if that manager runs.
#[must_use]
pub(crate) fn manager(systemd: &Systemd) -> Invocation {
    addressed(systemd, Invocation::ask("systemctl", &[]))
        .arg("show")
        .arg("--property=Version,UnitPath,SystemState")
}

/// `systemctl list-jobs`: the jobs of one unit. Of `show`, the property `Job` is a number only, and a start that is not done
/// is a job too.
#[must_use]
pub(crate) fn jobs(systemd: &Systemd, unit: &OsStr) -> Invocation {
    addressed(systemd, Invocation::ask("systemctl", &[])).args(["list-jobs", "--no-legend", "--"]).arg(unit)
}

/// `systemctl daemon-reload`: the manager reads all unit files again.
#[must_use]
pub(crate) fn reload(systemd: &Systemd) -> Invocation {
    change(systemd, "daemon-reload")
}

/// `systemctl enable` or `disable`; both read the unit files again.
#[must_use]
pub(crate) fn set_enabled(systemd: &Systemd, unit: &UnitName, enabled: bool) -> Invocation {
    change(systemd, if enabled { "enable" } else { "disable" }).arg(unit.systemd())
}

/// `systemctl reset-failed`: resets the start counter (systemd.unit(5), StartLimitIntervalSec=).
#[must_use]
pub(crate) fn reset_failed(systemd: &Systemd, unit: &UnitName) -> Invocation {
    change(systemd, "reset-failed").arg(unit.systemd())
}

/// `systemctl start`: returns when the job is done; for `Type=notify` that is when the service reports readiness.
#[must_use]
pub(crate) fn start(systemd: &Systemd, unit: &UnitName) -> Invocation {
    change(systemd, "start").arg(unit.systemd())
}

/// `systemctl stop`: returns when the job is done.
#[must_use]
pub(crate) fn stop(systemd: &Systemd, unit: &UnitName) -> Invocation {
    change(systemd, "stop").arg(unit.systemd())
}

/// `systemctl restart`: returns when the job is done.
#[must_use]
pub(crate) fn restart(systemd: &Systemd, unit: &UnitName) -> Invocation {
    change(systemd, "restart").arg(unit.systemd())
}

/// `loginctl show-user`: whether the user's manager runs without a login.
#[must_use]
pub(crate) fn linger(user: &str) -> Invocation {
    Invocation::ask("loginctl", &["show-user", user, "--property=Linger", "--value"])
}

/// `loginctl enable-linger` or `disable-linger`. Without the name it needs a session (measured: from cron it fails).
#[must_use]
pub(crate) fn set_linger(user: &str, on: bool) -> Invocation {
    let verb = if on { "enable-linger" } else { "disable-linger" };
    Invocation::change("loginctl", &["--no-ask-password", verb, user])
}

/// The format of a journal entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Time, host, program, message.
    Dated,
    /// The message alone.
    Bare,
}

/// The part of a unit's journal to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages {
    /// At most this many last lines.
    pub lines: usize,
    /// No older than this; `None`: any age.
    pub since: Option<Duration>,
    /// The format of a line.
    pub form: Form,
}

/// The last lines of a unit in the journal, as the user `uid` may read it.
///
/// These are the matches of `--unit` and `--user-unit` (journalctl(1)), and one more: the last lines of a program that
/// exits at once may lack the name of their unit (measured: 2 of 30), but never the program's. `--user -u` would read
/// only the user's own journal file, which often does not exist (systemd#7772).
#[must_use]
pub(crate) fn journal(systemd: &Systemd, unit: &UnitName, uid: u32, pages: Pages) -> Invocation {
    let form = match pages.form {
        Form::Dated => "--output=short-iso",
        Form::Bare => "--output=cat",
    };
    let ask = Invocation::ask("journalctl", &["--quiet", "--no-pager", form])
        .arg(format!("--lines={}", pages.lines));
    let ask = match pages.since {
        // Whole seconds, rounded up: systemd.time(7), "relative".
        Some(since) => ask.arg(format!("--since=-{}s", since.as_secs() + 1)),
        None => ask,
    };
    // The identifier of every unit of ours in the journal, see the templates.
    let (unit, program) = (unit.systemd(), format!("SYSLOG_IDENTIFIER=parachute-{}", unit.plain()));
    match systemd.scope {
        Scope::System => ask
            .arg(format!("_SYSTEMD_UNIT={unit}"))
            .arg("+")
            .args(["_PID=1".to_owned(), format!("UNIT={unit}")])
            .arg("+")
            .args([program]),
        Scope::User => ask
            .args([format!("_SYSTEMD_USER_UNIT={unit}"), format!("_UID={uid}")])
            .arg("+")
            .args([format!("USER_UNIT={unit}"), format!("_UID={uid}")])
            .arg("+")
            .args([program, format!("_UID={uid}")]),
    }
}

/// `systemd-analyze verify`: systemd's messages about unit files. Its exit code is 0 with warnings; a file is valid
/// only if there is no output.
#[must_use]
pub(crate) fn verify(systemd: &Systemd, files: &[PathBuf]) -> Invocation {
    let ask = Invocation::ask("systemd-analyze", &[]);
    let ask = with_runtime_dir(systemd, ask);
    let ask = if systemd.scope == Scope::User { ask.arg("--user") } else { ask };
    files.iter().fold(ask.arg("verify").arg("--man=no"), |ask, file| ask.arg(file))
}

fn change(systemd: &Systemd, verb: &str) -> Invocation {
    // Without it a polkit agent would ask on the terminal, and wait.
    addressed(systemd, Invocation::change("systemctl", &[])).arg("--no-ask-password").arg(verb)
}

fn addressed(systemd: &Systemd, invocation: Invocation) -> Invocation {
    let invocation = with_runtime_dir(systemd, invocation);
    if systemd.scope == Scope::User { invocation.arg("--user") } else { invocation }
}

fn with_runtime_dir(systemd: &Systemd, invocation: Invocation) -> Invocation {
    match (&systemd.runtime_dir, systemd.scope) {
        (Some(dir), Scope::User) => invocation.env("XDG_RUNTIME_DIR", dir),
        _ => invocation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::systemd::testing::{system, user};

    #[test]
    fn command_lines() {
        let (hub, user, system) = (UnitName::hub(), user(), system());
        let bare = Pages { lines: 20, since: Some(Duration::from_millis(1500)), form: Form::Bare };
        let dated = Pages { lines: 20, since: None, form: Form::Dated };
        let typed = [
            reload(&user),
            set_enabled(&user, &hub, true),
            set_enabled(&system, &hub, false),
            reset_failed(&user, &hub),
            start(&user, &hub.socket()),
            stop(&system, &hub),
            restart(&user, &hub),
            linger("ann"),
            set_linger("ann", true),
            set_linger("ann", false),
            journal(&user, &hub, 1000, bare),
            journal(&system, &hub, 0, dated),
            verify(&user, &["/a b.service".into()]),
        ];
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(typed.join("\n"));
    }

    #[test]
    fn commands_for_a_user_manager_set_its_runtime_directory() {
        let (hub, user, system) = (UnitName::hub(), user(), system());
        let for_user = [
            show(&user, &hub),
            manager(&user),
            reload(&user),
            set_enabled(&user, &hub, true),
            reset_failed(&user, &hub),
            start(&user, &hub),
            stop(&user, &hub),
            restart(&user, &hub),
            verify(&user, &[]),
        ];
        for invocation in for_user {
            assert_eq!(invocation.env, [("XDG_RUNTIME_DIR", "/run/user/1000".into())], "{invocation}");
            assert!(invocation.args.iter().any(|arg| arg == "--user"), "{invocation}");
        }
        assert!(start(&system, &hub).env.is_empty() && !start(&system, &hub).to_string().contains("--user"));
    }

    #[test]
    fn only_changing_commands_are_marked_as_such() {
        let (hub, user) = (UnitName::hub(), user());
        assert!([reload(&user), start(&user, &hub), set_linger("ann", false)].iter().all(|i| i.changes));
        let asks = [show(&user, &hub), manager(&user), linger("ann"), verify(&user, &[])];
        assert!(asks.iter().all(|i| !i.changes));
    }
}
