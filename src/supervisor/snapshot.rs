//! What others may see of a module: a value, published after every event.

use std::time::Duration;

use crate::module::name::Short;
use crate::module::problem::{Kind, Problem};
use crate::module::stamp::Stamp;

use super::machine::{Desired, Last, Machine};
use super::state::{Escalation, Moment, Readiness, Refusal, State};

/// The word for a phase, as the contract spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// First check or spawn.
    Starting,
    /// Its leader lives.
    Running,
    /// At rest because somebody wants it so.
    Stopped,
    /// At rest against everybody's kind.
    Crashed,
    /// Between two lives.
    Restarting,
}

/// Last answer of a module's health path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSample {
    /// Whether it counts as alive.
    pub ok: bool,
    /// Round trip; `None` if nothing answered.
    pub latency: Option<Duration>,
    /// Status code or error, in words.
    pub detail: String,
    /// When it was asked.
    pub at: Stamp,
}

/// One module at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Short name.
    pub short: Short,
    /// The word.
    pub word: Word,
    /// Finer, for people.
    pub detail: String,
    /// Of use.
    pub ready: bool,
    /// Whether somebody stopped it on purpose.
    pub stopped_on_purpose: bool,
    /// Leader's pid while it lives.
    pub pid: Option<u32>,
    /// Whether it binds a port.
    pub listens: bool,
    /// Start of the running life, or of the last one.
    pub started: Option<Stamp>,
    /// Whether a leader lives.
    pub alive: bool,
    /// Automatic respawns since the hub started.
    pub respawns: u32,
    /// Crashes inside the window, at the moment of the snapshot.
    pub crashes: u32,
    /// Last remembered crash.
    pub last_crash: Option<Stamp>,
    /// End of the last life.
    pub last: Option<Last>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// Last health answer.
    pub health: Option<HealthSample>,
}

impl Snapshot {
    /// Takes it. Pure.
    #[must_use]
    pub fn of(machine: &Machine, port: Option<u16>, health: Option<HealthSample>, now: Moment) -> Self {
        let (word, detail) = describe(machine, port, now);
        let alive = matches!(machine.state(), State::Up { .. } | State::Stopping { .. });
        Self {
            short: machine.short().clone(),
            word,
            detail,
            ready: matches!(machine.state(), State::Up { ready: Readiness::Yes { .. }, .. }),
            stopped_on_purpose: machine.desired() != Desired::Up,
            pid: machine.run().filter(|_| alive).map(|run| run.leader.pid),
            listens: machine.listens(),
            started: machine.started(),
            alive,
            respawns: machine.respawns(),
            crashes: machine.crashes(now.mono),
            last_crash: machine.last_crash(),
            last: machine.last(),
            problem: problem(machine, now),
            health: health.filter(|_| alive),
        }
    }
}

fn describe(machine: &Machine, port: Option<u16>, now: Moment) -> (Word, String) {
    let between = if machine.started().is_some() { Word::Restarting } else { Word::Starting };
    let ending = if machine.desired() == Desired::Up { Word::Restarting } else { Word::Running };
    match machine.state() {
        State::Down => (Word::Stopped, "stopped".to_owned()),
        State::Checking { was: Some(_), .. } | State::Blocked { .. } => (Word::Crashed, "blocked".to_owned()),
        State::Checking { was: None, .. } => (between, "checking".to_owned()),
        State::Spawning { .. } => (between, "spawning".to_owned()),
        State::Up { ready: Readiness::Yes { .. }, sick: 0, .. } => (Word::Running, "ready".to_owned()),
        State::Up { ready: Readiness::Yes { .. }, sick, .. } => {
            (Word::Running, format!("ready, {sick} failed health checks"))
        }
        State::Up { ready: Readiness::Waiting { .. }, .. } => match port.filter(|_| machine.listens()) {
            Some(port) => (Word::Running, format!("waiting for port {port}")),
            None => (Word::Running, "settling".to_owned()),
        },
        State::Up { ready: Readiness::Unbound { .. }, .. } => (Word::Running, "port not bound".to_owned()),
        State::Stopping { escalation: Escalation::Term { .. }, .. } => (ending, "stopping".to_owned()),
        State::Stopping { escalation: Escalation::Kill { .. }, .. } => (ending, "being killed".to_owned()),
        State::Draining { escalation: Escalation::Term { .. } | Escalation::Kill { .. }, .. } => {
            (ending, "ending what it left".to_owned())
        }
        State::Stopping { escalation: Escalation::Stuck { .. }, .. }
        | State::Draining { escalation: Escalation::Stuck { .. }, .. } => {
            (Word::Crashed, "cannot be stopped".to_owned())
        }
        State::Backoff { until, .. } => {
            let wait = until.saturating_duration_since(now.mono).as_secs_f64();
            (Word::Restarting, format!("tries again in {wait:.1} s"))
        }
        State::Crashed { .. } => (Word::Crashed, "gave up".to_owned()),
    }
}

fn problem(machine: &Machine, now: Moment) -> Option<Problem> {
    match machine.state() {
        State::Checking { was, .. } => was.as_ref().map(|refusal| refusal.problem.clone()),
        State::Blocked { refusal: Refusal { problem, .. }, .. }
        | State::Backoff { problem, .. }
        | State::Crashed { problem }
        | State::Up { ready: Readiness::Unbound { problem }, .. }
        | State::Stopping { escalation: Escalation::Stuck { problem }, .. }
        | State::Draining { escalation: Escalation::Stuck { problem }, .. } => Some(problem.clone()),
        State::Up { .. } if machine.edited() => {
            let short = machine.short();
            let text = format!("the definition of {short} changed on disk after it was started");
            Some(Problem::new(Kind::Edited, text, now.wall).next(format!("parachute restart {short}")))
        }
        State::Up { .. }
        | State::Down
        | State::Spawning { .. }
        | State::Stopping { .. }
        | State::Draining { .. } => None,
    }
}
