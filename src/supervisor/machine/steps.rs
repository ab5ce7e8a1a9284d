//! Steps that several events share, and what time brings.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use crate::module::ended::Ended;
use crate::module::name::Short;
use crate::module::problem::{Kind, Problem};

use super::super::budget::Verdict;
use super::super::phase::{
    Cause, Effect, Failed, Inc, Moment, Outcome, Phase, Push, Ready, Record, Run, Shut, Sig, Ticket,
};
use super::{KILL_WAIT, Machine};

impl Machine {
    pub(super) fn tick(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.deadline().is_none_or(|due| now.mono < due) {
            return;
        }
        match &mut self.phase {
            Phase::Blocked { shut, .. } => {
                let was = Some(shut.clone());
                self.check(was, out);
            }
            Phase::Backoff { .. } => {
                self.respawns = self.respawns.saturating_add(1);
                self.check(None, out);
            }
            Phase::Up { run, ready: Ready::Waiting { .. }, .. } => {
                let inc = run.inc;
                if self.listens {
                    self.unbound(now, out);
                } else {
                    self.bound(inc, now, out);
                }
            }
            Phase::Up { ready: Ready::Yes { .. }, .. } => self.forgive(out),
            Phase::Stopping { run, push, .. } => {
                let inc = run.inc;
                let next = push_harder(&self.short, push, self.policy.kill_timeout, now, out);
                self.pushed(next, |sig| Effect::Signal(inc, sig), out);
            }
            Phase::Draining { run, push, .. } => {
                let inc = run.inc;
                let next = push_harder(&self.short, push, self.policy.kill_timeout, now, out);
                self.pushed(next, |sig| Effect::Drain { inc, sig, thorough: true }, out);
            }
            Phase::Up { ready: Ready::Unbound { .. }, .. }
            | Phase::Down
            | Phase::Checking { .. }
            | Phase::Spawning { .. }
            | Phase::Crashed { .. } => {}
        }
    }

    /// Asks the gate for the next life, which will be of the row as it is now.
    pub(super) fn check(&mut self, was: Option<Shut>, out: &mut Vec<Effect>) {
        let inc = Inc(self.next);
        self.next = self.next.wrapping_add(1);
        self.edited = false;
        self.phase = Phase::Checking { inc, was, outdated: false };
        out.push(Effect::Check(inc));
    }

    /// Comes to rest: nothing runs and nobody wants it to.
    pub(super) fn rest(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Down;
        answer(&mut self.stoppers, &Outcome::Stopped { had: self.started.is_some() }, out);
    }

    /// Tells the running leader to end.
    pub(super) fn end(&mut self, cause: Cause, now: Moment, out: &mut Vec<Effect>) {
        let Phase::Up { run, .. } = &self.phase else { return };
        let (run, inc) = (run.clone(), run.inc);
        let push = Push::Term { kill_at: now.mono + self.policy.kill_timeout };
        self.phase = Phase::Stopping { run, cause, push };
        out.push(Effect::Signal(inc, Sig::Term));
    }

    /// Passes on what a harder push came to.
    pub(super) fn pushed(&mut self, next: Pushed, signal: impl FnOnce(Sig) -> Effect, out: &mut Vec<Effect>) {
        match next {
            Pushed::Signal(sig) => out.push(signal(sig)),
            Pushed::Stuck(problem) => {
                answer(&mut self.stoppers, &Outcome::Failed(problem.clone()), out);
                answer(&mut self.starters, &Outcome::Failed(problem), out);
            }
        }
    }

    /// Forgets the crashes that were counted.
    pub(super) fn forgive(&mut self, out: &mut Vec<Effect>) {
        if !self.budget.is_clear() {
            self.budget.clear();
            out.push(Effect::Record(Record::Crashes(Vec::new())));
        }
    }

    pub(super) fn count_crash(&mut self, now: Moment, out: &mut Vec<Effect>) {
        self.budget.record(now, self.policy.window);
        out.push(Effect::Record(Record::Crashes(self.budget.stamps())));
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
        let verdict = self.budget.verdict(now, &self.policy);
        let gave_up = verdict == Verdict::GiveUp;
        out.push(Effect::Report(self.failed(&problem, run, now, gave_up)));
        match verdict {
            Verdict::GiveUp => {
                let window = humantime::format_duration(self.policy.window);
                out.push(Effect::Note(format!(
                    "giving up: {crashes} crashes within {window}; `parachute start {}` tries again",
                    self.short
                )));
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.phase = Phase::Crashed { problem };
            }
            Verdict::TryAt(until) if until <= now.mono => {
                out.push(Effect::Note(format!("starting it again at once (crash {crashes} of {max})")));
                self.respawns = self.respawns.saturating_add(1);
                self.check(None, out);
            }
            Verdict::TryAt(until) => {
                let wait =
                    Duration::from_millis(u64::try_from((until - now.mono).as_millis()).unwrap_or(u64::MAX));
                let wait = humantime::format_duration(wait);
                out.push(Effect::Note(format!("starting it again in {wait} (crash {crashes} of {max})")));
                self.phase = Phase::Backoff { until, problem };
            }
        }
    }

    pub(super) fn unbound(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let Phase::Up { run, ready, .. } = &mut self.phase else { return };
        let window = humantime::format_duration(self.policy.ready_within);
        let text = format!(
            "{} runs ({}) and has not bound its port within {window}; it is left running and watched",
            self.short, run.leader
        );
        let problem = Problem::new(Kind::StartedButUnbound, text, now.wall)
            .next(format!("parachute logs {}", self.short));
        out.push(Effect::Note(format!("has not bound its port within {window}")));
        answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
        *ready = Ready::Unbound { problem };
    }

    pub(super) fn exit_problem(&self, run: &Run, ready: &Ready, ended: Ended, now: Moment) -> Problem {
        let lived = now.mono.saturating_duration_since(run.since.mono);
        let lived =
            humantime::format_duration(Duration::from_millis(u64::try_from(lived.as_millis()).unwrap_or(0)));
        let before = match ready {
            Ready::Yes { .. } => "",
            Ready::Waiting { .. } | Ready::Unbound { .. } => " before it was ready",
        };
        let text = format!(
            "{} ({}) ended by itself{before} after {lived}: {}",
            self.short,
            run.leader,
            ended.phrase()
        );
        Problem::new(Kind::Exited, text, now.wall).next(format!("parachute why {}", self.short))
    }

    pub(super) fn failed(&self, problem: &Problem, run: Option<&Run>, now: Moment, gave_up: bool) -> Failed {
        let lived = run.map(|run| now.mono.saturating_duration_since(run.since.mono));
        Failed {
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
pub(super) enum Pushed {
    /// This signal is due.
    Signal(Sig),
    /// Nothing more can be done.
    Stuck(Problem),
}

/// The next step of an ending whose deadline has passed: TERM → KILL → say that it did not work.
pub(super) fn push_harder(
    short: &Short,
    push: &mut Push,
    grace: Duration,
    now: Moment,
    out: &mut Vec<Effect>,
) -> Pushed {
    match push {
        Push::Term { .. } => {
            let grace = humantime::format_duration(grace);
            out.push(Effect::Note(format!("did not end within {grace} of SIGTERM; escalating to SIGKILL")));
            *push = Push::Kill { give_up_at: now.mono + KILL_WAIT };
            Pushed::Signal(Sig::Kill)
        }
        Push::Kill { .. } | Push::Stuck { .. } => {
            let text = format!("{short} has processes that survive SIGKILL; it cannot be called stopped");
            let problem = Problem::new(Kind::StopFailed, text, now.wall).next("parachute status");
            out.push(Effect::Note("processes survive SIGKILL; still watching".to_owned()));
            *push = Push::Stuck { problem: problem.clone() };
            Pushed::Stuck(problem)
        }
    }
}
