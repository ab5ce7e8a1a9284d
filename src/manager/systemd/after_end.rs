//! How a service of ours ended, as `ExecStopPost=` is told, and whether its modules are to end with it.
//!
//! The unit has `KillMode=process`: systemd ends the hub alone. A hub that is told to stop ends its modules itself; one that
//! crashes leaves them to the next hub. So after an end this must be known: was it a crash, or was the hub to be gone?

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Systemd, parse, verbs};
use crate::manager::invocation::Runner;
use crate::unit::systemd::OLDEST_SYSTEMD;
use crate::unit::target::Scope;

/// The exit status after which our unit is not restarted: a person must act first.
const NEEDS_PERSON: &str = "78";

/// Each restart of a crashed hub waits for the answer.
const ASK: Duration = Duration::from_secs(2);

/// How the service ended: systemd.exec(5), `$SERVICE_RESULT`, `$EXIT_CODE`, `$EXIT_STATUS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// `success`, `exit-code`, `signal`, `core-dump`, `watchdog`, `timeout`, `oom-kill`, …
    pub result: String,
    /// A number, or the name of a signal.
    pub status: String,
}

impl End {
    /// Of the environment that the manager gave to this command. `None`: it was not run after an end.
    #[must_use]
    pub(crate) fn of(env: &BTreeMap<OsString, OsString>) -> Option<Self> {
        let text = |name: &str| env.get(OsStr::new(name)).and_then(|value| value.to_str()).map(str::to_owned);
        // Absent if the service has no main process: then it is not 78 either.
        let status = text("EXIT_STATUS").unwrap_or_default();
        text("SERVICE_RESULT").map(|result| Self { result, status })
    }

    /// Whether it says by itself that the modules are to end. If not, it depends on the jobs of the unit.
    #[must_use]
    pub(crate) fn is_ordered(&self) -> bool {
        should_reap(&self.result, &self.status, false)
    }
}

/// Whether the processes that are left of the modules are to end. `job_queued`: a stop or a restart of the unit was
/// requested, and is not done.
///
/// After a crash without such a job they run on. A crash during a stop, and a stop that ran into its time limit, are the
/// end of a hub that was told to go.
#[must_use]
pub(crate) fn should_reap(result: &str, exit_status: &str, job_queued: bool) -> bool {
    result == "success" || (result == "exit-code" && exit_status == NEEDS_PERSON) || job_queued
}

/// Whether a stop or a restart of the service with this cgroup is queued. A start that is not done does not count: a hub
/// that crashes before it is ready has one.
///
/// # Errors
/// In words: the manager did not say.
pub(crate) async fn job_queued<R: Runner>(
    cgroup: &Path,
    env: &BTreeMap<OsString, OsString>,
    runner: &R,
) -> Result<bool, String> {
    let unit = cgroup.file_name().unwrap_or_default();
    let systemd = Systemd {
        scope: if manager_of(cgroup).is_some() { Scope::User } else { Scope::System },
        version: OLDEST_SYSTEMD,
        dir: PathBuf::new(),
        runtime_dir: env.get(OsStr::new("XDG_RUNTIME_DIR")).map(PathBuf::from),
    };
    let mut ask = verbs::jobs(&systemd, unit);
    ask.within = ASK;
    let output = runner.run(&ask).await.map_err(|error| error.to_string())?;
    if output.ok() { Ok(parse::stops(&output, unit)) } else { Err(output.stderr.trim().to_owned()) }
}

/// The user whose manager runs the unit with this cgroup: those of a user's manager are below that of its own service,
/// `user@UID.service` (systemd.special(7)). `None`: the system's manager.
#[must_use]
pub(super) fn manager_of(cgroup: &Path) -> Option<u32> {
    let uid = |part: &OsStr| part.to_str()?.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok();
    cgroup.iter().find_map(uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::capabilities::Capabilities as _;
    use crate::manager::invocation::ToolOutput;
    use crate::unit::name::UnitName;

    #[test]
    fn which_ends_are_the_modules_end_too() {
        let table = [
            ("success", "0", false, true),
            // systemd.service(5), SuccessExitStatus=: SIGTERM and the like are clean.
            ("success", "TERM", false, true),
            ("success", "", false, true),
            ("exit-code", "78", false, true),
            ("exit-code", "1", false, false),
            ("exit-code", "1", true, true),
            ("signal", "KILL", false, false),
            ("signal", "KILL", true, true),
            ("core-dump", "ABRT", false, false),
            ("core-dump", "SEGV", true, true),
            ("watchdog", "ABRT", false, false),
            ("watchdog", "ABRT", true, true),
            // A start that took too long, and a stop.
            ("timeout", "KILL", false, false),
            ("timeout", "KILL", true, true),
            ("oom-kill", "KILL", false, false),
            ("protocol", "0", false, false),
            ("resources", "", false, false),
            ("signal", "78", false, false),
            ("a-word-of-a-later-version", "0", false, false),
        ];
        for (result, status, job, reaps) in table {
            assert_eq!(should_reap(result, status, job), reaps, "{result} {status} {job}");
        }
    }

    #[test]
    fn the_end_is_read_from_the_environment() {
        let env = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(End::of(&env(&[("EXIT_STATUS", "1")])), None, "typed in a terminal");
        let end = End::of(&env(&[("SERVICE_RESULT", "exit-code"), ("EXIT_STATUS", "78")])).unwrap();
        assert!(end.is_ordered());
        assert!(!End::of(&env(&[("SERVICE_RESULT", "resources")])).unwrap().is_ordered());
    }

    #[test]
    fn the_manager_is_known_by_the_cgroup() {
        let user = "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/app.slice/parachute-hub.service";
        assert_eq!(manager_of(Path::new(user)), Some(7));
        let system = Path::new("/sys/fs/cgroup/system.slice/parachute-hub.service");
        assert_eq!(manager_of(system), None);
        let hub = UnitName::hub();
        let of = |scope, uid: u32| Systemd {
            scope,
            version: 252,
            dir: PathBuf::new(),
            runtime_dir: Some(format!("/run/user/{uid}").into()),
        };
        assert!(of(Scope::User, 7).runs_in(&hub, Path::new(user)));
        assert!(!of(Scope::User, 8).runs_in(&hub, Path::new(user)), "another user's");
        assert!(!of(Scope::System, 7).runs_in(&hub, Path::new(user)));
        assert!(of(Scope::System, 7).runs_in(&hub, system) && !of(Scope::User, 7).runs_in(&hub, system));
        assert!(!of(Scope::System, 7).runs_in(&hub, Path::new("/sys/fs/cgroup/system.slice/x.service")));
    }

    #[test]
    fn a_start_is_no_stop() {
        let unit = OsStr::new("parachute-hub.service");
        let stops = |stdout: &str| {
            parse::stops(
                &ToolOutput { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() },
                unit,
            )
        };
        assert!(stops("17 parachute-hub.service stop running\n"));
        assert!(stops("17 parachute-hub.service restart waiting\n18 x.service start waiting\n"));
        for none in [
            "",
            "No jobs running.\n",
            "17 parachute-hub.service start running\n",
            "17 x.service stop running\n",
        ] {
            assert!(!stops(none), "{none}");
        }
    }
}
