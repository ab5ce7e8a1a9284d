//! Facts about a life: they change the phase, never the want. A fact of an older life changes nothing.
#![deny(clippy::wildcard_enum_match_arm)]

use crate::module::ended::Ended;
use crate::module::problem::{Kind, Problem};
use crate::process::id::ProcessId;

use super::super::phase::{Cause, Effect, Inc, Moment, Outcome, Phase, Push, Ready, Record, Run, Shut, Sig};
use super::steps::answer;
use super::{Last, Machine, RECHECK_FIRST, RECHECK_LAST, WORKER_READY, Want};

impl Machine {
    pub(super) fn refuse(&mut self, problem: Problem, now: Moment, out: &mut Vec<Effect>) {
        let same = match &self.phase {
            Phase::Checking { was: Some(was), .. } | Phase::Spawning { was: Some(was), .. }
                if same_problem(&was.problem, &problem) =>
            {
                Some(was.pause)
            }
            Phase::Checking { .. }
            | Phase::Down
            | Phase::Blocked { .. }
            | Phase::Spawning { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Draining { .. }
            | Phase::Backoff { .. }
            | Phase::Crashed { .. } => None,
        };
        if same.is_none() {
            let first = problem.error_description.lines().next().unwrap_or_default();
            out.push(Effect::Note(format!("not started: {first}")));
            out.push(Effect::Report(self.failed(&problem, None, now, false)));
        }
        answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
        let pause = same.map_or(RECHECK_FIRST, |pause| (pause * 2).clamp(RECHECK_FIRST, RECHECK_LAST));
        self.phase = Phase::Blocked { shut: Shut { problem, pause }, retry_at: now.mono + pause };
    }

    pub(super) fn spawned(&mut self, inc: Inc, leader: ProcessId, now: Moment, out: &mut Vec<Effect>) {
        if !matches!(&self.phase, Phase::Spawning { inc: current, .. } if *current == inc) {
            return;
        }
        let run = Run { inc, leader, since: now, was_ready: false };
        self.started = Some(now.wall);
        out.push(Effect::Record(Record::Born(run.clone())));
        out.push(Effect::Note(format!("started, {}", run.leader)));
        let patience = if self.listens { self.policy.ready_within } else { WORKER_READY };
        let until = now.mono + patience;
        self.phase = Phase::Up { run, ready: Ready::Waiting { until }, sick: 0 };
        match self.want {
            Want::Up => out.push(Effect::WatchReady(inc)),
            Want::Down | Want::DownForGood => self.end(Cause::Asked, now, out),
        }
    }

    pub(super) fn spawn_failed(
        &mut self,
        inc: Inc,
        problem: Problem,
        no_room: bool,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(&self.phase, Phase::Spawning { inc: current, .. } if *current == inc) {
            return;
        }
        match self.want {
            Want::Up if no_room => self.refuse(problem, now, out),
            Want::Up => {
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.count_crash(now, out);
                self.after_crash(problem, None, now, out);
            }
            Want::Down | Want::DownForGood => self.rest(out),
        }
    }

    pub(super) fn bound(&mut self, inc: Inc, now: Moment, out: &mut Vec<Effect>) {
        let Phase::Up { run, ready, .. } = &mut self.phase else { return };
        if run.inc != inc || matches!(ready, Ready::Yes { .. }) {
            return;
        }
        run.was_ready = true;
        *ready = Ready::Yes { since: now.mono };
        out.push(Effect::Note("ready".to_owned()));
        if self.policy.liveness.is_some() {
            out.push(Effect::WatchHealth(inc));
        }
        answer(&mut self.starters, &Outcome::Ready, out);
    }

    pub(super) fn health(
        &mut self,
        inc: Inc,
        verdict: Result<(), String>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let Some(liveness) = self.policy.liveness.as_ref() else { return };
        let Phase::Up { run, ready: Ready::Yes { .. }, sick } = &mut self.phase else { return };
        if run.inc != inc {
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
        let problem =
            Problem::new(Kind::Unhealthy, format!("{} is up and not well: {text}", self.short), now.wall)
                .next(format!("parachute logs {}", self.short));
        out.push(Effect::Note(format!("{text}; it is restarted")));
        self.count_crash(now, out);
        self.end(Cause::Crash { problem }, now, out);
    }

    pub(super) fn exited(&mut self, inc: Inc, ended: Ended, now: Moment, out: &mut Vec<Effect>) {
        if self.run().is_none_or(|run| run.inc != inc) {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Down) {
            Phase::Up { run, ready, .. } => {
                let problem = self.exit_problem(&run, &ready, ended, now);
                out.push(Effect::Note(format!("ended by itself: {}", ended.phrase())));
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.count_crash(now, out);
                let push = Push::Term { kill_at: now.mono + self.policy.kill_timeout };
                out.push(Effect::Drain { inc, sig: Sig::Term, thorough: false });
                self.phase = Phase::Draining { run, cause: Cause::Crash { problem }, push };
            }
            Phase::Stopping { run, cause, push } => {
                out.push(Effect::Note(format!("ended: {}", ended.phrase())));
                let sig = match &push {
                    Push::Term { .. } => Sig::Term,
                    Push::Kill { .. } | Push::Stuck { .. } => Sig::Kill,
                };
                out.push(Effect::Drain { inc, sig, thorough: true });
                self.phase = Phase::Draining { run, cause, push };
            }
            // A leader ends once; a second report of it changes nothing.
            phase @ (Phase::Draining { .. }
            | Phase::Down
            | Phase::Checking { .. }
            | Phase::Blocked { .. }
            | Phase::Spawning { .. }
            | Phase::Backoff { .. }
            | Phase::Crashed { .. }) => {
                self.phase = phase;
                return;
            }
        }
        self.last = Some(Last { ended, at: now.wall });
    }

    pub(super) fn group_empty(&mut self, inc: Inc, now: Moment, out: &mut Vec<Effect>) {
        let Phase::Draining { run, cause, .. } = &self.phase else { return };
        if run.inc != inc {
            return;
        }
        let (run, cause) = (run.clone(), cause.clone());
        out.push(Effect::Record(Record::Gone(inc)));
        match (self.want, cause) {
            (Want::Down | Want::DownForGood, _) => self.rest(out),
            (Want::Up, Cause::Asked) => self.check(None, out),
            (Want::Up, Cause::Crash { problem }) => {
                self.after_crash(problem, Some(&run), now, out);
            }
        }
    }
}

/// Whether two problems would be told to a person in the same words.
fn same_problem(a: &Problem, b: &Problem) -> bool {
    a.error_type == b.error_type && a.error_description == b.error_description
}
