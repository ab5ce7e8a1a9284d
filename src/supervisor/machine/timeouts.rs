//! What happens when a deadline of the current state has passed. Pure.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use crate::duration;
use crate::module::name::Short;
use crate::module::problem::{Problem, ProblemKind};

use super::super::clock::Moment;
use super::super::effect::{Effect, EndSignal, Outcome, Severity};
use super::super::state::{Escalation, Readiness, State};
use super::transitions::answer;
use super::{KILL_WAIT, Machine};

impl Machine {
    pub(super) fn tick(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.deadline().is_none_or(|due| now.mono < due) {
            return;
        }
        match &mut self.state {
            State::Blocked { refusal, .. } => {
                let was = Some(refusal.clone());
                self.check(was, out);
            }
            State::Backoff { .. } => {
                self.respawns = self.respawns.saturating_add(1);
                self.check(None, out);
            }
            State::Up { run, ready: Readiness::Waiting { .. }, .. } => {
                let generation = run.generation;
                if self.listens {
                    self.unbound(now, out);
                } else {
                    self.bound(generation, now, out);
                }
            }
            State::Up { ready: Readiness::Ready { .. }, .. } => self.forget_crashes(out),
            State::Stopping { run, escalation, .. } => {
                let generation = run.generation;
                let next = escalate(&self.short, escalation, self.policy.kill_timeout, now, out);
                self.escalated(next, |signal| Effect::Signal(generation, signal), out);
            }
            State::Draining { run, escalation, .. } => {
                let generation = run.generation;
                let next = escalate(&self.short, escalation, self.policy.kill_timeout, now, out);
                self.escalated(next, |signal| Effect::Drain { generation, signal, thorough: true }, out);
            }
            State::Up { ready: Readiness::Unbound { .. }, .. }
            | State::Down
            | State::Checking { .. }
            | State::Spawning { .. }
            | State::Crashed { .. } => {}
        }
    }

    /// Its port is late: requests are answered, and it is left running.
    fn unbound(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let State::Up { run, ready, .. } = &mut self.state else { return };
        let window = duration::words(self.policy.ready_within);
        let text = format!(
            "{} runs ({}) and has not bound its port within {window}; it is left running and watched",
            self.short, run.leader
        );
        let problem = Problem::new(ProblemKind::StartedButUnbound, text, now.wall)
            .next(format!("parachute logs {}", self.short));
        out.push(Effect::Note(Severity::Warning, format!("has not bound its port within {window}")));
        answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
        *ready = Readiness::Unbound { problem };
    }

    fn escalated(&mut self, next: Escalated, send: impl FnOnce(EndSignal) -> Effect, out: &mut Vec<Effect>) {
        match next {
            Escalated::Signal(signal) => out.push(send(signal)),
            Escalated::Stuck(problem) => {
                answer(&mut self.stoppers, &Outcome::Failed(problem.clone()), out);
                answer(&mut self.starters, &Outcome::Failed(problem), out);
            }
        }
    }
}

/// The next step for a run that has not ended in time.
enum Escalated {
    /// This signal is due.
    Signal(EndSignal),
    /// No stronger signal is left.
    Stuck(Problem),
}

/// The next step for a run that has not ended in time: SIGTERM, then SIGKILL, then it is reported as stuck.
fn escalate(
    short: &Short,
    escalation: &mut Escalation,
    grace: Duration,
    now: Moment,
    out: &mut Vec<Effect>,
) -> Escalated {
    match escalation {
        Escalation::Term { .. } => {
            let grace = duration::words(grace);
            out.push(Effect::Note(
                Severity::Warning,
                format!("did not end within {grace} of SIGTERM; sending SIGKILL"),
            ));
            *escalation = Escalation::Kill { give_up_at: now.mono + KILL_WAIT };
            Escalated::Signal(EndSignal::Kill)
        }
        Escalation::Kill { .. } | Escalation::Stuck { .. } => {
            let text = format!("{short} has processes that survive SIGKILL: it is not stopped");
            let problem = Problem::new(ProblemKind::StopFailed, text, now.wall).next("parachute status");
            out.push(Effect::Note(Severity::Error, "processes survive SIGKILL; still watching".to_owned()));
            *escalation = Escalation::Stuck { problem: problem.clone() };
            Escalated::Stuck(problem)
        }
    }
}
