//! Host events: they change the current state, never the desired one. An event of an older generation
//! changes nothing. Pure.
#![deny(clippy::wildcard_enum_match_arm)]

use crate::module::exit_status::ExitStatus;
use crate::module::launch::Policy;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::timestamp::Timestamp;
use crate::process::id::ProcessId;

use super::super::clock::Moment;
use super::super::effect::{Effect, EndSignal, Outcome, Record, Severity};
use super::super::state::{Cause, Desired, Escalation, Generation, Readiness, Run, StartRefusal, State};
use super::transitions::answer;
use super::{LastExit, MAX_REPEATS, Machine, RECHECK_FIRST, RECHECK_LAST, WORKER_READY};

impl Machine {
    pub(super) fn checks_passed(
        &mut self,
        generation: Generation,
        policy: Policy,
        listens: bool,
        adopts: bool,
        out: &mut Vec<Effect>,
    ) {
        let State::Checking { generation: current, was, outdated, repeats } = &mut self.state else { return };
        if *current != generation {
            return;
        }
        let (was, outdated, repeats) = (was.take(), *outdated, *repeats);
        self.policy = policy;
        self.listens = listens;
        match self.desired {
            Desired::Up if outdated && repeats < MAX_REPEATS => self.check_after(repeats + 1, was, out),
            Desired::Up if self.only_adopts && !adopts => self.stay_down(out),
            Desired::Down | Desired::DownForGood if !adopts => self.rest(out),
            // What runs must be taken over also to be stopped.
            Desired::Up | Desired::Down | Desired::DownForGood => {
                self.state = State::Spawning { generation, was };
                out.push(Effect::Spawn(generation));
            }
        }
    }

    pub(super) fn checks_failed(
        &mut self,
        generation: Generation,
        problem: Problem,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(&self.state, State::Checking { generation: current, .. } if *current == generation) {
            return;
        }
        match self.desired {
            Desired::Up if self.only_adopts => self.stay_down(out),
            Desired::Up => self.block(problem, now, out),
            Desired::Down | Desired::DownForGood => self.rest(out),
        }
    }

    /// In safe mode, and nothing to adopt: as if no start was requested.
    fn stay_down(&mut self, out: &mut Vec<Effect>) {
        self.desired = Desired::Down;
        answer(&mut self.starters, &Outcome::Stopped { had: false }, out);
        self.rest(out);
    }

    /// A refusal for the same reason as the one before is not reported again, and the pause after it is doubled.
    fn block(&mut self, problem: Problem, now: Moment, out: &mut Vec<Effect>) {
        let same = match &self.state {
            State::Checking { was: Some(was), .. } | State::Spawning { was: Some(was), .. }
                if same_problem(&was.problem, &problem) =>
            {
                Some(was.pause)
            }
            State::Checking { .. }
            | State::Down
            | State::Blocked { .. }
            | State::Spawning { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. }
            | State::Crashed { .. } => None,
        };
        if same.is_none() {
            let first = problem.error_description.lines().next().unwrap_or_default();
            out.push(Effect::Note(Severity::Error, format!("not started: {first}")));
            out.push(Effect::SaveFailure(self.failure_facts(&problem, None, now, false)));
        }
        answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
        let pause = same.map_or(RECHECK_FIRST, |pause| (pause * 2).clamp(RECHECK_FIRST, RECHECK_LAST));
        self.state = State::Blocked { refusal: StartRefusal { problem, pause }, retry_at: now.mono + pause };
    }

    pub(super) fn spawned(
        &mut self,
        generation: Generation,
        leader: ProcessId,
        adopted: Option<Timestamp>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(&self.state, State::Spawning { generation: current, .. } if *current == generation) {
            return;
        }
        let since = adopted.map_or(now, |at| now.back_to(at));
        let run = Run { generation, leader, since, was_ready: false, adopted: adopted.is_some() };
        self.started = Some(since.wall);
        out.push(Effect::Record(Record::Born(run.clone())));
        let note = if run.adopted { "kept from the hub before, " } else { "started, " };
        out.push(Effect::Note(Severity::Info, format!("{note}{}", run.leader)));
        let replace = std::mem::take(&mut self.anew) && run.adopted;
        // From here on it is restarted as any other.
        self.only_adopts = false;
        let patience = if self.listens { self.policy.ready_within } else { WORKER_READY };
        let until = now.mono + patience;
        self.state = State::Up { run, ready: Readiness::Waiting { until }, sick: 0 };
        match self.desired {
            Desired::Up if replace => self.end(Cause::Requested, now, out),
            Desired::Up => out.push(Effect::WatchReady(generation)),
            Desired::Down | Desired::DownForGood => self.end(Cause::Requested, now, out),
        }
    }

    pub(super) fn spawn_failed(
        &mut self,
        generation: Generation,
        problem: Problem,
        no_room: bool,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(&self.state, State::Spawning { generation: current, .. } if *current == generation) {
            return;
        }
        match self.desired {
            Desired::Up if no_room => self.block(problem, now, out),
            Desired::Up => {
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.count_crash(now, out);
                self.after_crash(problem, None, now, out);
            }
            Desired::Down | Desired::DownForGood => self.rest(out),
        }
    }

    pub(super) fn bound(&mut self, generation: Generation, now: Moment, out: &mut Vec<Effect>) {
        let State::Up { run, ready, .. } = &mut self.state else { return };
        if run.generation != generation || matches!(ready, Readiness::Ready { .. }) {
            return;
        }
        run.was_ready = true;
        *ready = Readiness::Ready { since: now.mono };
        out.push(Effect::Note(Severity::Info, "ready".to_owned()));
        if self.policy.liveness.is_some() {
            out.push(Effect::WatchHealth(generation));
        }
        answer(&mut self.starters, &Outcome::Ready, out);
    }

    pub(super) fn health(
        &mut self,
        generation: Generation,
        verdict: Result<(), String>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let Some(liveness) = self.policy.liveness.as_ref() else { return };
        let State::Up { run, ready: Readiness::Ready { .. }, sick } = &mut self.state else { return };
        if run.generation != generation {
            return;
        }
        let Err(why) = verdict else {
            *sick = 0;
            return;
        };
        *sick += 1;
        if *sick < liveness.failures.max(1) {
            return;
        }
        let text = format!("its health check failed {sick} times in a row: {why}");
        let problem = Problem::new(
            ProblemKind::Unhealthy,
            format!("{} runs but is unhealthy: {text}", self.short),
            now.wall,
        )
        .next(format!("parachute logs {}", self.short));
        out.push(Effect::Note(Severity::Warning, format!("{text}; it is restarted")));
        self.count_crash(now, out);
        self.end(Cause::Crash { problem }, now, out);
    }

    pub(super) fn exited(
        &mut self,
        generation: Generation,
        ended: ExitStatus,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        if self.run().is_none_or(|run| run.generation != generation) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Down) {
            State::Up { run, ready, .. } => {
                let problem = self.exit_problem(&run, &ready, ended, now);
                out.push(Effect::Note(Severity::Warning, ended.phrase()));
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.count_crash(now, out);
                let escalation = Escalation::Term { kill_at: now.mono + self.policy.kill_timeout };
                out.push(Effect::Drain { generation, signal: EndSignal::Term, thorough: false });
                self.state = State::Draining { run, cause: Cause::Crash { problem }, escalation };
            }
            State::Stopping { run, cause, escalation } => {
                out.push(Effect::Note(Severity::Info, format!("stopped: {}", ended.phrase())));
                let signal = match &escalation {
                    Escalation::Term { .. } => EndSignal::Term,
                    Escalation::Kill { .. } | Escalation::Stuck { .. } => EndSignal::Kill,
                };
                out.push(Effect::Drain { generation, signal, thorough: true });
                self.state = State::Draining { run, cause, escalation };
            }
            // A leader ends once; a second event of it changes nothing.
            state @ (State::Draining { .. }
            | State::Down
            | State::Checking { .. }
            | State::Blocked { .. }
            | State::Spawning { .. }
            | State::Backoff { .. }
            | State::Crashed { .. }) => {
                self.state = state;
                return;
            }
        }
        self.last = Some(LastExit { ended, at: now.wall });
    }

    pub(super) fn group_empty(&mut self, generation: Generation, now: Moment, out: &mut Vec<Effect>) {
        let State::Draining { run, cause, .. } = &self.state else { return };
        if run.generation != generation {
            return;
        }
        let (run, cause) = (run.clone(), cause.clone());
        out.push(Effect::Record(Record::Gone(generation)));
        match (self.desired, cause) {
            (Desired::Down | Desired::DownForGood, _) => self.rest(out),
            (Desired::Up, Cause::Requested) => self.check(None, out),
            (Desired::Up, Cause::Crash { problem }) => {
                self.after_crash(problem, Some(&run), now, out);
            }
        }
    }
}

/// Whether both problems have the same text on screens.
fn same_problem(a: &Problem, b: &Problem) -> bool {
    a.error_type == b.error_type && a.error_description == b.error_description
}
