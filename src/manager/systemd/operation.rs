//! From a verb to its real effect: run it, then check until it is observed, with a limit. Pure.
//!
//! ```text
//!   start:   (reset-failed →) start → look …         restart: look → reset-failed → restart → look …
//!   stop:    stop → look …
//! ```
//!
//! systemctl returns when the job is done, and its exit code is trusted only for failures: an effect that is not
//! observed afterwards did not happen. `Type=simple` is "started" when the fork worked, so it is checked twice.

use std::time::Duration;

use super::{explain, parse, verbs};
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, ToolOutput};
use crate::manager::operation::{Goal, NextAction, Operation};
use crate::manager::state::{Active, Told};
use crate::manager::systemd::Systemd;
use crate::unit::name::{Part, UnitName};

/// Pause between two checks.
const LOOK: Duration = Duration::from_millis(200);
/// How long a process without readiness notification must run to count as up. A program that cannot be run fails
/// within milliseconds.
const PROOF: Duration = Duration::from_secs(1);
/// How long after its job a unit may take to reach the state.
const SETTLE: Duration = Duration::from_secs(15);

/// One verb on one unit.
#[derive(Debug, Clone)]
pub(crate) struct SystemdOperation {
    systemd: Systemd,
    unit: UnitName,
    goal: Goal,
    /// It was never started: there is no failure to reset.
    untried: bool,
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    Begin,
    /// Waiting for the check before a restart.
    Before,
    /// Waiting for reset-failed.
    Clearing {
        life: Option<String>,
    },
    /// Waiting for the verb.
    Asking {
        life: Option<String>,
        invocation: Invocation,
    },
    /// Waiting for a check after the verb.
    Looking(Asked),
    /// Waiting between two checks.
    Pausing(Asked),
}

/// A verb that was run.
#[derive(Debug, Clone)]
struct Asked {
    /// The unit's run before it.
    life: Option<String>,
    /// Why it failed, if it did.
    refused: Option<Cause>,
    /// When it returned.
    at: Duration,
    /// It was already seen running once.
    seen: bool,
}

impl SystemdOperation {
    /// From the current state of the unit to `goal`.
    #[must_use]
    pub(crate) fn new(systemd: &Systemd, unit: &UnitName, goal: Goal) -> Self {
        Self { systemd: systemd.clone(), unit: unit.clone(), goal, untried: false, at: At::Begin }
    }

    /// Sets whether the unit is known to be `untried`.
    #[must_use]
    pub(crate) fn untried(self, untried: bool) -> Self {
        Self { untried, ..self }
    }

    #[must_use]
    pub(crate) fn goal(&self) -> Goal {
        self.goal
    }

    fn ask(&mut self, life: Option<String>) -> NextAction {
        let invocation = match self.goal {
            Goal::Running => verbs::start(&self.systemd, &self.unit),
            Goal::Gone => verbs::stop(&self.systemd, &self.unit),
            Goal::Restarted => verbs::restart(&self.systemd, &self.unit),
        };
        self.at = At::Asking { life, invocation: invocation.clone() };
        NextAction::Run(invocation)
    }

    fn clear(&mut self, life: Option<String>) -> NextAction {
        self.at = At::Clearing { life };
        NextAction::Run(verbs::reset_failed(&self.systemd, &self.unit))
    }

    fn look(&mut self, asked: Asked) -> NextAction {
        self.at = At::Looking(asked);
        NextAction::Run(verbs::show(&self.systemd, &self.unit))
    }

    fn pause(&mut self, asked: Asked, wait: Duration) -> NextAction {
        self.at = At::Pausing(asked);
        NextAction::Wait(wait)
    }

    /// The meaning of a check after the verb.
    fn judge(&mut self, asked: Asked, output: &ToolOutput, elapsed: Duration) -> NextAction {
        let seen = parse::shown(output);
        let active = match &seen.state.active {
            Told::Known(active) => *active,
            Told::Unknown(because) => {
                return NextAction::Failed(asked.refused.unwrap_or(Cause::safe(because.clone())));
            }
        };
        let late = elapsed.saturating_sub(asked.at) >= SETTLE;
        if self.goal == Goal::Gone {
            let left = seen.state.pid.is_some();
            return match (active, asked.refused) {
                (Active::Stopped | Active::Failed, _) if !left => NextAction::Done,
                (_, Some(cause)) => NextAction::Failed(cause),
                (_, None) if late => NextAction::Failed(self.still("it is still there", seen.state.pid)),
                (_, None) => self.pause(Asked { refused: None, ..asked }, LOOK),
            };
        }
        match active {
            Active::Running => {
                // The same run as before: the restart did not take place.
                if self.goal == Goal::Restarted && asked.life.is_some() && asked.life == seen.life {
                    let cause =
                        asked.refused.unwrap_or_else(|| self.still("it runs as before", seen.state.pid));
                    return NextAction::Failed(cause);
                }
                if asked.seen || seen.speaks || self.unit.part() == Part::Socket {
                    return NextAction::Done;
                }
                self.pause(Asked { seen: true, ..asked }, PROOF)
            }
            Active::Starting | Active::Stopping if asked.refused.is_none() => {
                if late {
                    return NextAction::Failed(self.still("it is still starting or stopping", seen.state.pid));
                }
                self.pause(asked, LOOK)
            }
            // A unit that was never started reports the same; it is the reason only after a start that was reported
            // done.
            Active::Stopped if seen.held_back && asked.refused.is_none() => NextAction::Failed(
                Cause::never("systemd did not start it: a condition of the unit does not hold (Condition…=)")
                    .hint(explain::status(&self.systemd, &self.unit)),
            ),
            Active::Starting
            | Active::Stopping
            | Active::Restarting
            | Active::Failed
            | Active::Stopped
            // systemd has no such state.
            | Active::Idle => {
                let told = seen.state.result.is_some() || seen.state.masked || seen.state.refused.is_some();
                match asked.refused {
                    Some(cause) if !told => NextAction::Failed(cause),
                    _ => NextAction::Failed(explain::ended(&self.systemd, &self.unit, &seen.state)),
                }
            }
        }
    }

    fn still(&self, what: &str, pid: Option<u32>) -> Cause {
        let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        Cause::safe(format!("{what}{pid}, though systemd reported the job done"))
            .hint(explain::status(&self.systemd, &self.unit))
    }
}

impl Operation for SystemdOperation {
    fn next(&mut self, last: Option<&ToolOutput>, elapsed: Duration) -> NextAction {
        let nothing = ToolOutput::default();
        let last = last.unwrap_or(&nothing);
        match std::mem::replace(&mut self.at, At::Begin) {
            At::Begin => match self.goal {
                Goal::Running if self.untried => self.ask(None),
                Goal::Running => self.clear(None),
                Goal::Gone => self.ask(None),
                Goal::Restarted => {
                    self.at = At::Before;
                    NextAction::Run(verbs::show(&self.systemd, &self.unit))
                }
            },
            At::Before => {
                let life = parse::shown(last).life;
                self.clear(life)
            }
            // It may fail harmlessly (a unit that was never loaded has nothing to reset); other errors are reported
            // better by the verb.
            At::Clearing { life } => self.ask(life),
            At::Asking { life, invocation } => {
                let refused = (!last.ok()).then(|| explain::refused(&self.systemd, &invocation, last));
                self.look(Asked { life, refused, at: elapsed, seen: false })
            }
            At::Looking(asked) => self.judge(asked, last, elapsed),
            At::Pausing(asked) => self.look(asked),
        }
    }
}
