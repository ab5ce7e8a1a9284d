//! Requests: they change the want and escalation the phase one step towards it.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use super::super::state::{Cause, Effect, Escalation, Moment, Outcome, Readiness, Refusal, State, Ticket};
use super::steps::answer;
use super::{Desired, MAX_WAITING, Machine, StartKind};

impl Machine {
    pub(super) fn wish_up(&mut self, ticket: Ticket, kind: StartKind, now: Moment, out: &mut Vec<Effect>) {
        if self.desired == Desired::DownForGood {
            out.push(Effect::Reply(ticket, Outcome::ShuttingDown));
            return;
        }
        if self.starters.len() + self.stoppers.len() >= MAX_WAITING {
            out.push(Effect::Reply(ticket, Outcome::Busy));
            return;
        }
        self.desired = Desired::Up;
        answer(&mut self.stoppers, &Outcome::Superseded, out);
        match &self.state {
            State::Down | State::Blocked { .. } | State::Backoff { .. } | State::Crashed { .. } => {
                self.starters.push(ticket);
                if kind != StartKind::Boot {
                    self.forgive(out);
                }
                self.check(None, out);
            }
            State::Up { .. } if kind == StartKind::Restart => {
                self.starters.push(ticket);
                self.forgive(out);
                self.end(Cause::Requested, now, out);
            }
            State::Up { ready: Readiness::Yes { .. }, .. } => out.push(Effect::Reply(ticket, Outcome::Ready)),
            State::Up { ready: Readiness::Unbound { problem }, .. } => {
                out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
            }
            // A request that arrives while a life begins or ends joins the one that is already under way.
            State::Stopping { escalation: Escalation::Stuck { problem }, .. }
            | State::Draining { escalation: Escalation::Stuck { problem }, .. } => {
                out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
            }
            State::Up { ready: Readiness::Waiting { .. }, .. }
            | State::Checking { .. }
            | State::Spawning { .. }
            | State::Stopping { .. }
            | State::Draining { .. } => {
                self.starters.push(ticket);
                // Whoever starts something by hand has perhaps just changed its `.env`, of which nobody else tells.
                if kind != StartKind::Boot {
                    self.ask_again();
                }
                self.hurry();
            }
        }
    }

    pub(super) fn wish_down(&mut self, ticket: Ticket, want: Desired, now: Moment, out: &mut Vec<Effect>) {
        let shutdown = want == Desired::DownForGood;
        if !shutdown && self.starters.len() + self.stoppers.len() >= MAX_WAITING {
            out.push(Effect::Reply(ticket, Outcome::Busy));
            return;
        }
        if self.desired != Desired::DownForGood {
            self.desired = want;
        }
        answer(&mut self.starters, if shutdown { &Outcome::ShuttingDown } else { &Outcome::Superseded }, out);
        match &self.state {
            State::Down | State::Blocked { .. } | State::Backoff { .. } | State::Crashed { .. } => {
                self.state = State::Down;
                out.push(Effect::Reply(ticket, Outcome::Stopped { had: self.started.is_some() }));
            }
            // The gate may be ending what an earlier hub left: "stopped" is said when it has answered.
            State::Checking { .. } | State::Spawning { .. } => self.stoppers.push(ticket),
            State::Up { .. } => {
                self.stoppers.push(ticket);
                self.end(Cause::Requested, now, out);
            }
            State::Stopping { escalation, .. } | State::Draining { escalation, .. } => match escalation {
                Escalation::Stuck { problem } => {
                    out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
                }
                Escalation::Term { .. } | Escalation::Kill { .. } => self.stoppers.push(ticket),
            },
        }
    }

    /// A changed row is picked up by the next start. What waits for the outside world asks again at once,
    /// and patience begins anew.
    pub(super) fn row_edited(&mut self, out: &mut Vec<Effect>) {
        match &mut self.state {
            State::Spawning { .. } | State::Up { .. } | State::Stopping { .. } | State::Draining { .. } => {
                self.edited = true
            }
            State::Blocked { refusal, .. } => {
                let was = Refusal { problem: refusal.problem.clone(), pause: Duration::ZERO };
                self.check(Some(was), out);
            }
            State::Checking { .. } => {
                self.ask_again();
                self.hurry();
            }
            State::Down | State::Backoff { .. } | State::Crashed { .. } => {}
        }
    }

    /// An answer to the question under way, if there is one, is not enough for a spawn.
    fn ask_again(&mut self) {
        if let State::Checking { outdated, .. } = &mut self.state {
            *outdated = true;
        }
    }

    /// A refusal of the question under way counts as a first one.
    fn hurry(&mut self) {
        if let State::Checking { was: Some(refusal), .. } | State::Spawning { was: Some(refusal), .. } =
            &mut self.state
        {
            refusal.pause = Duration::ZERO;
        }
    }
}
