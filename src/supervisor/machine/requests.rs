//! Requests to start, stop and restart, and edits of the row. Pure.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use super::super::clock::Moment;
use super::super::effect::{Effect, Outcome};
use super::super::event::Ticket;
use super::super::state::{Cause, Desired, Escalation, Readiness, StartRefusal, State};
use super::transitions::answer;
use super::{MAX_WAITING, Machine, StartKind};

impl Machine {
    pub(super) fn request_up(&mut self, ticket: Ticket, kind: StartKind, now: Moment, out: &mut Vec<Effect>) {
        if self.desired == Desired::DownForGood {
            out.push(Effect::Reply(ticket, Outcome::ShuttingDown));
            return;
        }
        if self.starters.len() + self.stoppers.len() >= MAX_WAITING {
            out.push(Effect::Reply(ticket, Outcome::Busy));
            return;
        }
        self.desired = Desired::Up;
        self.only_adopts = kind == StartKind::Adopt;
        answer(&mut self.stoppers, &Outcome::Superseded, out);
        match &self.state {
            State::Down | State::Blocked { .. } | State::Backoff { .. } | State::Crashed { .. } => {
                self.starters.push(ticket);
                if !kind.is_of_hub() {
                    self.forget_crashes(out);
                }
                // With nothing of it running a restart is a start.
                self.anew = kind == StartKind::Restart;
                self.check(None, out);
            }
            State::Up { .. } if kind == StartKind::Restart => {
                self.starters.push(ticket);
                self.forget_crashes(out);
                self.end(Cause::Requested, now, out);
            }
            State::Up { ready: Readiness::Ready { .. }, .. } => {
                out.push(Effect::Reply(ticket, Outcome::Ready));
            }
            State::Up { ready: Readiness::Unbound { problem }, .. }
            | State::Stopping { escalation: Escalation::Stuck { problem }, .. }
            | State::Draining { escalation: Escalation::Stuck { problem }, .. } => {
                out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
            }
            // It waits for the run that begins now, or for the one that follows the run that ends now.
            State::Up { ready: Readiness::Waiting { .. }, .. }
            | State::Checking { .. }
            | State::Spawning { .. }
            | State::Stopping { .. }
            | State::Draining { .. } => {
                self.starters.push(ticket);
                // A user may have changed the module's `.env` before this request, and that file is not watched.
                if !kind.is_of_hub() {
                    self.check_again();
                }
                self.anew |= kind == StartKind::Restart;
                self.reset_pause();
            }
        }
    }

    pub(super) fn request_down(
        &mut self,
        ticket: Ticket,
        desired: Desired,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let shutdown = desired == Desired::DownForGood;
        if !shutdown && self.starters.len() + self.stoppers.len() >= MAX_WAITING {
            out.push(Effect::Reply(ticket, Outcome::Busy));
            return;
        }
        if self.desired != Desired::DownForGood {
            self.desired = desired;
        }
        answer(&mut self.starters, if shutdown { &Outcome::ShuttingDown } else { &Outcome::Superseded }, out);
        match &self.state {
            State::Down | State::Blocked { .. } | State::Backoff { .. } | State::Crashed { .. } => {
                self.state = State::Down;
                out.push(Effect::Reply(ticket, Outcome::Stopped { had: self.started.is_some() }));
            }
            // The start checks may be ending processes of an earlier hub: the stop is answered when they have ended.
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

    /// The next start uses the changed row. A blocked module is checked again at once, and its pauses begin with the
    /// shortest.
    pub(super) fn row_edited(&mut self, out: &mut Vec<Effect>) {
        match &mut self.state {
            State::Spawning { .. } | State::Up { .. } | State::Stopping { .. } | State::Draining { .. } => {
                self.edited = true
            }
            State::Blocked { refusal, .. } => {
                let was = StartRefusal { problem: refusal.problem.clone(), pause: Duration::ZERO };
                self.check(Some(was), out);
            }
            State::Checking { .. } => {
                // Unless the checks are run again, which begins with the row as it is then.
                self.edited = true;
                self.check_again();
                self.reset_pause();
            }
            State::Down | State::Backoff { .. } | State::Crashed { .. } => {}
        }
    }

    /// If the start checks are running, they must run once more before a spawn.
    fn check_again(&mut self) {
        if let State::Checking { outdated, .. } = &mut self.state {
            *outdated = true;
        }
    }

    /// If the start checks are running and fail, that counts as a first refusal.
    fn reset_pause(&mut self) {
        if let State::Checking { was: Some(refusal), .. } | State::Spawning { was: Some(refusal), .. } =
            &mut self.state
        {
            refusal.pause = Duration::ZERO;
        }
    }
}
