//! Steps that several events share, and what time brings.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use crate::module::ended::Ended;
use crate::module::name::Short;
use crate::module::problem::{Kind, Problem};

use super::super::restart_policy::AfterCrash;
use super::super::state::{
    Cause, Effect, EndSignal, Escalation, FailureFacts, Generation, Moment, Outcome, Readiness, Record,
    Refusal, Run, State, Ticket,
};
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
            State::Up { ready: Readiness::Yes { .. }, .. } => self.forgive(out),
            State::Stopping { run, escalation, .. } => {
                let generation = run.generation;
                let next = escalate(&self.short, escalation, self.policy.kill_timeout, now, out);
                self.escalated(next, |sig| Effect::Signal(generation, sig), out);
            }
            State::Draining { run, escalation, .. } => {
                let generation = run.generation;
                let next = escalate(&self.short, escalation, self.policy.kill_timeout, now, out);
                self.escalated(next, |sig| Effect::Drain { generation, sig, thorough: true }, out);
            }
            State::Up { ready: Readiness::Unbound { .. }, .. }
            | State::Down
            | State::Checking { .. }
            | State::Spawning { .. }
            | State::Crashed { .. } => {}
        }
    }

    /// Asks the gate for the next life, which will be of the row as it is now.
    pub(super) fn check(&mut self, was: Option<Refusal>, out: &mut Vec<Effect>) {
        let generation = Generation(self.next);
        self.next = self.next.wrapping_add(1);
        self.edited = false;
        self.state = State::Checking { generation, was, outdated: false };
        out.push(Effect::Check(generation));
    }

    /// Comes to rest: nothing runs and nobody wants it to.
    pub(super) fn rest(&mut self, out: &mut Vec<Effect>) {
        self.state = State::Down;
        answer(&mut self.stoppers, &Outcome::Stopped { had: self.started.is_some() }, out);
    }

    /// Tells the running leader to end.
    pub(super) fn end(&mut self, cause: Cause, now: Moment, out: &mut Vec<Effect>) {
        let State::Up { run, .. } = &self.state else { return };
        let (run, generation) = (run.clone(), run.generation);
        let escalation = Escalation::Term { kill_at: now.mono + self.policy.kill_timeout };
        self.state = State::Stopping { run, cause, escalation };
        out.push(Effect::Signal(generation, EndSignal::Term));
    }

    /// Passes on what a harder escalation came to.
    pub(super) fn escalated(
        &mut self,
        next: Escalated,
        signal: impl FnOnce(EndSignal) -> Effect,
        out: &mut Vec<Effect>,
    ) {
        match next {
            Escalated::Signal(sig) => out.push(signal(sig)),
            Escalated::Stuck(problem) => {
                answer(&mut self.stoppers, &Outcome::Failed(problem.clone()), out);
                answer(&mut self.starters, &Outcome::Failed(problem), out);
            }
        }
    }

    /// Forgets the crashes that were counted.
    pub(super) fn forgive(&mut self, out: &mut Vec<Effect>) {
        if !self.history.is_clear() {
            self.history.clear();
            out.push(Effect::Record(Record::Crashes(Vec::new())));
        }
    }

    pub(super) fn count_crash(&mut self, now: Moment, out: &mut Vec<Effect>) {
        self.history.record(now, self.policy.window);
        out.push(Effect::Record(Record::Crashes(self.history.stamps())));
    }

    /// Tries again or gives up; nothing of the crashed life is left.
    pub(super) fn after_crash(
        &mut self,
        problem: Problem,
        run: Option<&Run>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let crashes = self.crashes(now.mono);
        let max = self.policy.max_crashes.max(1);
        let next = self.history.after_crash(now, &self.policy);
        let gave_up = next == AfterCrash::Crashed;
        out.push(Effect::SaveFailure(self.failed(&problem, run, now, gave_up)));
        match next {
            AfterCrash::Crashed => {
                let window = humantime::format_duration(self.policy.window);
                out.push(Effect::Note(format!(
                    "giving up: {crashes} crashes within {window}; `parachute start {}` tries again",
                    self.short
                )));
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.state = State::Crashed { problem };
            }
            AfterCrash::RestartAt(until) if until <= now.mono => {
                out.push(Effect::Note(format!("starting it again at once (crash {crashes} of {max})")));
                self.respawns = self.respawns.saturating_add(1);
                self.check(None, out);
            }
            AfterCrash::RestartAt(until) => {
                let wait =
                    Duration::from_millis(u64::try_from((until - now.mono).as_millis()).unwrap_or(u64::MAX));
                let wait = humantime::format_duration(wait);
                out.push(Effect::Note(format!("starting it again in {wait} (crash {crashes} of {max})")));
                self.state = State::Backoff { until, problem };
            }
        }
    }

    pub(super) fn unbound(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let State::Up { run, ready, .. } = &mut self.state else { return };
        let window = humantime::format_duration(self.policy.ready_within);
        let text = format!(
            "{} runs ({}) and has not bound its port within {window}; it is left running and watched",
            self.short, run.leader
        );
        let problem = Problem::new(Kind::StartedButUnbound, text, now.wall)
            .next(format!("parachute logs {}", self.short));
        out.push(Effect::Note(format!("has not bound its port within {window}")));
        answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
        *ready = Readiness::Unbound { problem };
    }

    pub(super) fn exit_problem(&self, run: &Run, ready: &Readiness, ended: Ended, now: Moment) -> Problem {
        let lived = now.mono.saturating_duration_since(run.since.mono);
        let lived =
            humantime::format_duration(Duration::from_millis(u64::try_from(lived.as_millis()).unwrap_or(0)));
        let before = match ready {
            Readiness::Yes { .. } => "",
            Readiness::Waiting { .. } | Readiness::Unbound { .. } => " before it was ready",
        };
        let text = format!(
            "{} ({}) ended by itself{before} after {lived}: {}",
            self.short,
            run.leader,
            ended.phrase()
        );
        Problem::new(Kind::Exited, text, now.wall).next(format!("parachute why {}", self.short))
    }

    pub(super) fn failed(
        &self,
        problem: &Problem,
        run: Option<&Run>,
        now: Moment,
        gave_up: bool,
    ) -> FailureFacts {
        let lived = run.map(|run| now.mono.saturating_duration_since(run.since.mono));
        FailureFacts {
            problem: problem.clone(),
            ended: run.and(self.last).map(|last| last.ended),
            lived_ms: lived.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            was_ready: run.is_some_and(|run| run.was_ready),
            crashes: self.crashes(now.mono),
            max_crashes: self.policy.max_crashes.max(1),
            gave_up,
        }
    }
}

/// Answers everybody who waits, once.
pub(super) fn answer(tickets: &mut Vec<Ticket>, outcome: &Outcome, out: &mut Vec<Effect>) {
    out.extend(tickets.drain(..).map(|ticket| Effect::Reply(ticket, outcome.clone())));
}

/// What an ending that takes too long comes to.
pub(super) enum Escalated {
    /// This signal is due.
    Signal(EndSignal),
    /// Nothing more can be done.
    Stuck(Problem),
}

/// The next step of an ending whose deadline has passed: TERM → KILL → say that it did not work.
pub(super) fn escalate(
    short: &Short,
    escalation: &mut Escalation,
    grace: Duration,
    now: Moment,
    out: &mut Vec<Effect>,
) -> Escalated {
    match escalation {
        Escalation::Term { .. } => {
            let grace = humantime::format_duration(grace);
            out.push(Effect::Note(format!("did not end within {grace} of SIGTERM; escalating to SIGKILL")));
            *escalation = Escalation::Kill { give_up_at: now.mono + KILL_WAIT };
            Escalated::Signal(EndSignal::Kill)
        }
        Escalation::Kill { .. } | Escalation::Stuck { .. } => {
            let text = format!("{short} has processes that survive SIGKILL; it cannot be called stopped");
            let problem = Problem::new(Kind::StopFailed, text, now.wall).next("parachute status");
            out.push(Effect::Note("processes survive SIGKILL; still watching".to_owned()));
            *escalation = Escalation::Stuck { problem: problem.clone() };
            Escalated::Stuck(problem)
        }
    }
}
