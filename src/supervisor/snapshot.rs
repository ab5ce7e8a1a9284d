//! The public view of a module: a value, published after every event. Pure.

use std::time::Duration;

use crate::module::name::Short;
use crate::module::problem::{BLOCKED, Problem, ProblemKind};
use crate::module::timestamp::Timestamp;

use super::clock::Moment;
use super::machine::{LastExit, Machine};
use super::state::{Desired, Escalation, Readiness, StartRefusal, State};

/// The state in one word, as in the API. [`Snapshot::detail`] says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateWord {
    /// Its first start is in progress.
    Starting,
    /// Its leader runs.
    Running,
    /// It does not run, as desired.
    Stopped,
    /// It is not as desired and will not be soon: blocked, crashed too often, or it cannot be stopped.
    Crashed,
    /// Another start is in progress.
    Restarting,
}

/// Last answer of a module's health path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthSample {
    /// Whether it counts as alive.
    pub(crate) ok: bool,
    /// Round trip; `None` without an answer.
    pub(crate) latency: Option<Duration>,
    /// Status code or error, as text.
    pub(crate) detail: String,
    /// When the request was sent.
    pub(crate) at: Timestamp,
}

/// A module whose snapshot changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// Grows by one with each change of any module of this hub.
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) now: Snapshot,
}

/// One module at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub(crate) short: Short,
    pub(crate) word: StateWord,
    /// Its state in more detail, for screens.
    pub(crate) detail: String,
    pub(crate) ready: bool,
    /// Whether the desired state is down.
    pub(crate) stopped_on_purpose: bool,
    /// Pid of its leader, while it runs.
    pub(crate) pid: Option<u32>,
    /// Whether it binds a port.
    pub(crate) listens: bool,
    /// Start of the current run, or of the last one.
    pub(crate) started: Option<Timestamp>,
    /// Whether its leader runs.
    pub(crate) alive: bool,
    /// Whether an earlier hub started that leader.
    pub(crate) adopted: bool,
    /// Automatic restarts since the hub started.
    pub(crate) respawns: u32,
    /// Crashes inside the window, at the time of the snapshot.
    pub(crate) crashes: u32,
    /// The last crash that still counts.
    pub(crate) last_crash: Option<Timestamp>,
    /// End of the last run.
    pub(crate) last: Option<LastExit>,
    pub(crate) problem: Option<Problem>,
    pub(crate) health: Option<HealthSample>,
}

impl Snapshot {
    #[must_use]
    pub(crate) fn of(
        machine: &Machine,
        port: Option<u16>,
        health: Option<HealthSample>,
        now: Moment,
    ) -> Self {
        let (word, detail) = describe(machine, port, now);
        let alive = matches!(machine.state(), State::Up { .. } | State::Stopping { .. });
        Self {
            short: machine.short().clone(),
            word,
            detail,
            ready: matches!(machine.state(), State::Up { ready: Readiness::Ready { .. }, .. }),
            stopped_on_purpose: machine.desired() != Desired::Up,
            pid: machine.run().filter(|_| alive).map(|run| run.leader.pid),
            listens: machine.listens(),
            started: machine.started(),
            alive,
            adopted: alive && machine.run().is_some_and(|run| run.adopted),
            respawns: machine.respawns(),
            crashes: machine.crashes(now.mono),
            last_crash: machine.last_crash(),
            last: machine.last(),
            problem: problem(machine, now),
            health: health.filter(|_| alive),
        }
    }
}

fn describe(machine: &Machine, port: Option<u16>, now: Moment) -> (StateWord, String) {
    let between = if machine.started().is_some() { StateWord::Restarting } else { StateWord::Starting };
    let ending = if machine.desired() == Desired::Up { StateWord::Restarting } else { StateWord::Running };
    match machine.state() {
        State::Down => (StateWord::Stopped, "stopped".to_owned()),
        State::Checking { was: Some(_), .. } | State::Blocked { .. } => {
            (StateWord::Crashed, BLOCKED.to_owned())
        }
        State::Checking { was: None, .. } => (between, "checking".to_owned()),
        State::Spawning { .. } => (between, "spawning".to_owned()),
        State::Up { ready: Readiness::Ready { .. }, sick: 0, .. } => (StateWord::Running, "ready".to_owned()),
        State::Up { ready: Readiness::Ready { .. }, sick, .. } => {
            (StateWord::Running, format!("ready, {sick} failed health checks"))
        }
        State::Up { ready: Readiness::Waiting { .. }, .. } => match port.filter(|_| machine.listens()) {
            Some(port) => (StateWord::Running, format!("waiting for port {port}")),
            None => (StateWord::Running, "settling".to_owned()),
        },
        State::Up { ready: Readiness::Unbound { .. }, .. } => {
            (StateWord::Running, "port not bound".to_owned())
        }
        State::Stopping { escalation: Escalation::Term { .. }, .. } => (ending, "stopping".to_owned()),
        State::Stopping { escalation: Escalation::Kill { .. }, .. } => (ending, "being killed".to_owned()),
        State::Draining { escalation: Escalation::Term { .. } | Escalation::Kill { .. }, .. } => {
            (ending, "ending leftover processes".to_owned())
        }
        State::Stopping { escalation: Escalation::Stuck { .. }, .. }
        | State::Draining { escalation: Escalation::Stuck { .. }, .. } => {
            (StateWord::Crashed, "cannot be stopped".to_owned())
        }
        State::Backoff { until, .. } => {
            let wait = until.saturating_duration_since(now.mono).as_secs_f64();
            (StateWord::Restarting, format!("next try in {wait:.1} s"))
        }
        State::Crashed { .. } => (StateWord::Crashed, "crashed".to_owned()),
    }
}

fn problem(machine: &Machine, now: Moment) -> Option<Problem> {
    match machine.state() {
        State::Checking { was, .. } => was.as_ref().map(|refusal| refusal.problem.clone()),
        State::Blocked { refusal: StartRefusal { problem, .. }, .. }
        | State::Backoff { problem, .. }
        | State::Crashed { problem }
        | State::Up { ready: Readiness::Unbound { problem }, .. }
        | State::Stopping { escalation: Escalation::Stuck { problem }, .. }
        | State::Draining { escalation: Escalation::Stuck { problem }, .. } => Some(problem.clone()),
        State::Up { .. } if machine.edited() => {
            let short = machine.short();
            let text = format!("the definition of {short} changed on disk after it was started");
            Some(Problem::new(ProblemKind::Edited, text, now.wall).next(format!("parachute restart {short}")))
        }
        State::Up { .. }
        | State::Down
        | State::Spawning { .. }
        | State::Stopping { .. }
        | State::Draining { .. } => None,
    }
}
