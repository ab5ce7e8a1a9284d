//! From a verb to its real effect. Pure: see [`crate::manager::operation`].
//!
//! ```text
//!   start:    print ─running─► done       ─loaded─► kickstart ─► look …    being removed: wait, print, … (bounded)
//!                   └113─► enable ─► bootstrap ─► look …            5, 17, 36, 37: wait, look, once more (bounded)
//!   stop:     bootout ─► print until 113 (bounded): it returns before the job is gone
//!   restart:  stop, then start: a label that is loaded keeps its old definition, silently
//! ```
//!
//! No kickstart after a bootstrap: `RunAtLoad` has started the job, and a second start would only kill the first.

use std::path::PathBuf;
use std::time::Duration;

use super::parse::{self, NO_LABEL};
use super::{explain, verbs};
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, ToolOutput};
use crate::manager::launchd::Launchd;
use crate::manager::operation::{Goal, NextAction, Operation};
use crate::manager::state::{Active, Told};
use crate::unit::name::UnitName;

/// Pause between two checks.
const LOOK: Duration = Duration::from_millis(250);
/// A bootstrap during a removal is retried for this long.
const TRIES: Duration = Duration::from_secs(20);
/// An old definition that is loaded again this often is loaded by another program.
const OFTEN: u8 = 3;
/// Longest time from a bootstrap or kickstart to a process.
const SPAWN: Duration = Duration::from_secs(15);
/// Longest time from a bootout to a removed job: longer than `ExitTimeOut` of our plist (45 s).
const GONE: Duration = Duration::from_secs(60);

/// One verb on one job.
#[derive(Debug, Clone)]
pub(crate) struct LaunchdOperation {
    launchd: Launchd,
    unit: UnitName,
    plist: PathBuf,
    goal: Goal,
    at: At,
    /// Starts of this job before our kickstart: launchd may still report an earlier run. `None`: it was
    /// just loaded, so there was none.
    runs: Option<u32>,
    /// How often an old definition was loaded and was removed.
    taken_out: u8,
}

#[derive(Debug, Clone)]
enum At {
    Begin,
    /// Waiting for the check before a start.
    Before {
        since: Duration,
    },
    /// Waiting for `bootout`; `then` starts the job again.
    Leaving {
        since: Duration,
        then: bool,
    },
    /// Waiting for the check whether it is removed.
    Going {
        since: Duration,
        then: bool,
    },
    /// Waiting between two of those.
    GoingOn {
        since: Duration,
        then: bool,
    },
    /// Waiting for `enable`.
    Enabling {
        since: Duration,
    },
    /// Waiting for `bootstrap`.
    Loading {
        since: Duration,
    },
    /// Waiting before the retry, and for the check whether it is needed.
    Retrying {
        since: Duration,
        cause: Cause,
    },
    Meanwhile {
        since: Duration,
        cause: Cause,
    },
    /// Waiting for `kickstart`.
    Kicking {
        since: Duration,
    },
    /// Waiting, because the job is being removed.
    Rekicking {
        since: Duration,
    },
    /// Waiting for a check whether it runs.
    Looking {
        since: Duration,
    },
    /// Waiting between two of those.
    Pausing {
        since: Duration,
    },
}

impl LaunchdOperation {
    /// From the current state of the job to `goal`. `plist` is its file.
    #[must_use]
    pub(crate) fn new(launchd: &Launchd, unit: &UnitName, plist: PathBuf, goal: Goal) -> Self {
        Self {
            launchd: launchd.clone(),
            unit: unit.clone(),
            plist,
            goal,
            at: At::Begin,
            runs: None,
            taken_out: 0,
        }
    }

    fn run(&mut self, at: At, invocation: Invocation) -> NextAction {
        self.at = at;
        NextAction::Run(invocation)
    }

    fn wait(&mut self, at: At) -> NextAction {
        self.at = at;
        NextAction::Wait(LOOK)
    }

    fn print(&mut self, at: At) -> NextAction {
        let print = verbs::print(&self.launchd, &self.unit);
        self.run(at, print)
    }

    fn leave(&mut self, since: Duration, then: bool) -> NextAction {
        let bootout = verbs::bootout(&self.launchd, &self.unit);
        self.run(At::Leaving { since, then }, bootout)
    }

    fn load(&mut self, since: Duration) -> NextAction {
        self.runs = None;
        let bootstrap = verbs::bootstrap(&self.launchd, &self.plist);
        self.run(At::Loading { since }, bootstrap)
    }

    /// An override would refuse the bootstrap, and `print` does not show it: removed before each.
    fn enable(&mut self, since: Duration) -> NextAction {
        let enable = verbs::enable(&self.launchd, &self.unit);
        self.run(At::Enabling { since }, enable)
    }

    fn refused(&self, output: &ToolOutput) -> NextAction {
        NextAction::Failed(explain::of(&verbs::print(&self.launchd, &self.unit), output))
    }

    fn before(&mut self, print: &ToolOutput, since: Duration, elapsed: Duration) -> NextAction {
        match print.code {
            Some(NO_LABEL) => self.enable(elapsed),
            Some(0) => {
                let job = parse::job(&print.stdout);
                match job.active() {
                    Told::Known(Active::Running | Active::Starting) => {
                        self.print(At::Looking { since: elapsed })
                    }
                    Told::Known(_) | Told::Unknown(_) => {
                        self.runs = Some(job.runs.unwrap_or(u32::MAX));
                        let kickstart = verbs::kickstart(&self.launchd, &self.unit);
                        self.run(At::Kicking { since }, kickstart)
                    }
                }
            }
            _ => self.refused(print),
        }
    }

    fn going(&mut self, print: &ToolOutput, since: Duration, then: bool, elapsed: Duration) -> NextAction {
        match print.code {
            Some(NO_LABEL) if then => self.enable(elapsed),
            Some(NO_LABEL) => NextAction::Done,
            Some(0) if elapsed.saturating_sub(since) >= GONE => {
                let pid =
                    parse::job(&print.stdout).pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
                NextAction::Failed(
                    Cause::safe(format!(
                        "the job is still there{pid}, {} s after it was told to stop",
                        GONE.as_secs()
                    ))
                    .hint(verbs::print(&self.launchd, &self.unit).to_string()),
                )
            }
            Some(0) => self.wait(At::GoingOn { since, then }),
            _ => self.refused(print),
        }
    }

    fn loaded(&mut self, output: &ToolOutput, since: Duration, elapsed: Duration) -> NextAction {
        if output.ok() {
            return self.print(At::Looking { since: elapsed });
        }
        let cause = explain::of(&verbs::bootstrap(&self.launchd, &self.plist), output);
        if !explain::passes(output.code) || elapsed.saturating_sub(since) >= TRIES {
            return NextAction::Failed(cause);
        }
        self.wait(At::Retrying { since, cause })
    }

    /// A check after a bootstrap that failed. A job that is loaded now may have the old definition: it is removed
    /// and loaded again.
    fn meanwhile(
        &mut self,
        print: &ToolOutput,
        since: Duration,
        cause: Cause,
        elapsed: Duration,
    ) -> NextAction {
        if elapsed.saturating_sub(since) >= TRIES || self.taken_out >= OFTEN {
            return NextAction::Failed(cause);
        }
        match print.code {
            Some(NO_LABEL) => self.load(since),
            Some(0) => {
                self.taken_out += 1;
                self.leave(elapsed, true)
            }
            _ => self.refused(print),
        }
    }

    fn looked(&mut self, print: &ToolOutput, since: Duration, elapsed: Duration) -> NextAction {
        if print.code != Some(0) {
            return self.refused(print);
        }
        let job = parse::job(&print.stdout);
        let ours = self.runs.is_none_or(|before| job.runs.is_some_and(|runs| runs > before));
        match job.active() {
            Told::Known(Active::Running) if job.pid.is_some() => NextAction::Done,
            // Also with code 0: a hub that needs the user's action exits so, or launchd would restart it for ever.
            Told::Known(Active::Idle | Active::Restarting) if ours && job.ended().is_some() => {
                let how = job.ended().unwrap_or_default();
                NextAction::Failed(
                    Cause::never(format!("the hub ended at once with {how}")).hint("parachute logs hub"),
                )
            }
            Told::Known(_) if elapsed.saturating_sub(since) < SPAWN => self.wait(At::Pausing { since }),
            Told::Unknown(because) if elapsed.saturating_sub(since) >= SPAWN => NextAction::Failed(
                Cause::safe(because).hint(verbs::print(&self.launchd, &self.unit).to_string()),
            ),
            Told::Unknown(_) => self.wait(At::Pausing { since }),
            Told::Known(_) => {
                NextAction::Failed(Cause::safe("launchd loaded the job and has not started it").hint(
                    "log show --last 10m --predicate 'process == \"launchd\" OR process == \"xpcproxy\"'",
                ))
            }
        }
    }
}

impl Operation for LaunchdOperation {
    fn next(&mut self, last: Option<&ToolOutput>, elapsed: Duration) -> NextAction {
        let nothing = ToolOutput::default();
        let last = last.unwrap_or(&nothing);
        match std::mem::replace(&mut self.at, At::Begin) {
            At::Begin => match self.goal {
                Goal::Running => self.print(At::Before { since: elapsed }),
                Goal::Gone => self.leave(elapsed, false),
                Goal::Restarted => self.leave(elapsed, true),
            },
            At::Before { since } => self.before(last, since, elapsed),
            At::Leaving { since, then } => match last.code {
                // Not loaded, or being removed already: the check decides.
                Some(0 | 3 | 5 | 36 | 37 | NO_LABEL) => self.print(At::Going { since, then }),
                _ => NextAction::Failed(explain::of(&verbs::bootout(&self.launchd, &self.unit), last)),
            },
            At::Going { since, then } => self.going(last, since, then, elapsed),
            At::GoingOn { since, then } => self.print(At::Going { since, then }),
            // It may fail harmlessly; if it matters, the bootstrap returns 119.
            At::Enabling { since } => self.load(since),
            At::Loading { since } => self.loaded(last, since, elapsed),
            At::Retrying { since, cause } => self.print(At::Meanwhile { since, cause }),
            At::Meanwhile { since, cause } => self.meanwhile(last, since, cause, elapsed),
            At::Kicking { .. } if last.ok() => self.print(At::Looking { since: elapsed }),
            // Another process has just booted it out.
            At::Kicking { since }
                if (explain::passes(last.code) || matches!(last.code, Some(3 | NO_LABEL)))
                    && elapsed.saturating_sub(since) < TRIES =>
            {
                self.wait(At::Rekicking { since })
            }
            At::Kicking { .. } => {
                NextAction::Failed(explain::of(&verbs::kickstart(&self.launchd, &self.unit), last))
            }
            At::Rekicking { since } => self.print(At::Before { since }),
            At::Looking { since } => self.looked(last, since, elapsed),
            At::Pausing { since } => self.print(At::Looking { since }),
        }
    }
}

#[cfg(test)]
mod tests;
