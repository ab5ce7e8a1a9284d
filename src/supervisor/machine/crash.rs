//! Crashes: counting, reporting, and restarting. Pure.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use crate::duration;
use crate::module::exit_status::ExitStatus;
use crate::module::problem::{Problem, ProblemKind};

use super::super::clock::Moment;
use super::super::effect::{Effect, FailureFacts, Outcome, Record, Severity};
use super::super::restart_policy::AfterCrash;
use super::super::state::{Readiness, Run, State};
use super::Machine;
use super::transitions::answer;

impl Machine {
    pub(super) fn forget_crashes(&mut self, out: &mut Vec<Effect>) {
        if !self.history.is_clear() {
            self.history.clear();
            out.push(Effect::Record(Record::Crashes(Vec::new())));
        }
    }

    pub(super) fn count_crash(&mut self, now: Moment, out: &mut Vec<Effect>) {
        self.history.record(now, self.policy.window);
        out.push(Effect::Record(Record::Crashes(self.history.stamps())));
    }

    /// Starts it again, now or later, or leaves it crashed. No process of the crashed run is left.
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
        let is_crashed = next == AfterCrash::Crashed;
        out.push(Effect::SaveFailure(self.failure_facts(&problem, run, now, is_crashed)));
        match next {
            AfterCrash::Crashed => {
                let window = duration::words(self.policy.window);
                out.push(Effect::Note(
                    Severity::Error,
                    format!(
                        "crashed: {crashes} times within {window}; `parachute start {}` tries again",
                        self.short
                    ),
                ));
                answer(&mut self.starters, &Outcome::Failed(problem.clone()), out);
                self.state = State::Crashed { problem };
            }
            AfterCrash::RestartAt(until) if until <= now.mono => {
                out.push(Effect::Note(
                    Severity::Info,
                    format!("restarting it at once (crash {crashes} of {max})"),
                ));
                self.respawns = self.respawns.saturating_add(1);
                self.check(None, out);
            }
            AfterCrash::RestartAt(until) => {
                let wait =
                    Duration::from_millis(u64::try_from((until - now.mono).as_millis()).unwrap_or(u64::MAX));
                let wait = duration::words(wait);
                out.push(Effect::Note(
                    Severity::Info,
                    format!("restarting it in {wait} (crash {crashes} of {max})"),
                ));
                self.state = State::Backoff { until, problem };
            }
        }
    }

    pub(super) fn exit_problem(
        &self,
        run: &Run,
        ready: &Readiness,
        ended: ExitStatus,
        now: Moment,
    ) -> Problem {
        let lived = now.mono.saturating_duration_since(run.since.mono);
        let lived = duration::words(Duration::from_millis(u64::try_from(lived.as_millis()).unwrap_or(0)));
        let before = match ready {
            Readiness::Ready { .. } => "",
            Readiness::Waiting { .. } | Readiness::Unbound { .. } => ", before it was ready",
        };
        let text = format!("{} ({}) {} after {lived}{before}", self.short, run.leader, ended.phrase());
        Problem::new(ProblemKind::Exited, text, now.wall).next(format!("parachute why {}", self.short))
    }

    pub(super) fn failure_facts(
        &self,
        problem: &Problem,
        run: Option<&Run>,
        now: Moment,
        is_crashed: bool,
    ) -> FailureFacts {
        let lived = run.map(|run| now.mono.saturating_duration_since(run.since.mono));
        FailureFacts {
            problem: problem.clone(),
            ended: run.and(self.last).map(|last| last.ended),
            lived_ms: lived.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            was_ready: run.is_some_and(|run| run.was_ready),
            crashes_in_window: self.crashes(now.mono),
            max_crashes: self.policy.max_crashes.max(1),
            is_crashed,
        }
    }
}
