//! Requests: they change the want and push the phase one step towards it.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use super::super::phase::{Cause, Effect, Moment, Outcome, Phase, Push, Ready, Shut, Ticket};
use super::steps::answer;
use super::{MAX_WAITING, Machine, Want, Wish};

impl Machine {
    pub(super) fn wish_up(&mut self, ticket: Ticket, wish: Wish, now: Moment, out: &mut Vec<Effect>) {
        if self.want == Want::DownForGood {
            out.push(Effect::Reply(ticket, Outcome::ShuttingDown));
            return;
        }
        if self.starters.len() + self.stoppers.len() >= MAX_WAITING {
            out.push(Effect::Reply(ticket, Outcome::Busy));
            return;
        }
        self.want = Want::Up;
        answer(&mut self.stoppers, &Outcome::Superseded, out);
        match &self.phase {
            Phase::Down | Phase::Blocked { .. } | Phase::Backoff { .. } | Phase::Crashed { .. } => {
                self.starters.push(ticket);
                if wish != Wish::Boot {
                    self.forgive(out);
                }
                self.check(None, out);
            }
            Phase::Up { .. } if wish == Wish::Restart => {
                self.starters.push(ticket);
                self.forgive(out);
                self.end(Cause::Asked, now, out);
            }
            Phase::Up { ready: Ready::Yes { .. }, .. } => out.push(Effect::Reply(ticket, Outcome::Ready)),
            Phase::Up { ready: Ready::Unbound { problem }, .. } => {
                out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
            }
            // A request that arrives while a life begins or ends joins the one that is already under way.
            Phase::Stopping { push: Push::Stuck { problem }, .. }
            | Phase::Draining { push: Push::Stuck { problem }, .. } => {
                out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
            }
            Phase::Up { ready: Ready::Waiting { .. }, .. }
            | Phase::Checking { .. }
            | Phase::Spawning { .. }
            | Phase::Stopping { .. }
            | Phase::Draining { .. } => {
                self.starters.push(ticket);
                // Whoever starts something by hand has perhaps just changed its `.env`, of which nobody else tells.
                if wish != Wish::Boot {
                    self.ask_again();
                }
                self.hurry();
            }
        }
    }

    pub(super) fn wish_down(&mut self, ticket: Ticket, want: Want, now: Moment, out: &mut Vec<Effect>) {
        let shutdown = want == Want::DownForGood;
        if !shutdown && self.starters.len() + self.stoppers.len() >= MAX_WAITING {
            out.push(Effect::Reply(ticket, Outcome::Busy));
            return;
        }
        if self.want != Want::DownForGood {
            self.want = want;
        }
        answer(&mut self.starters, if shutdown { &Outcome::ShuttingDown } else { &Outcome::Superseded }, out);
        match &self.phase {
            Phase::Down | Phase::Blocked { .. } | Phase::Backoff { .. } | Phase::Crashed { .. } => {
                self.phase = Phase::Down;
                out.push(Effect::Reply(ticket, Outcome::Stopped { had: self.started.is_some() }));
            }
            // The gate may be ending what an earlier hub left: "stopped" is said when it has answered.
            Phase::Checking { .. } | Phase::Spawning { .. } => self.stoppers.push(ticket),
            Phase::Up { .. } => {
                self.stoppers.push(ticket);
                self.end(Cause::Asked, now, out);
            }
            Phase::Stopping { push, .. } | Phase::Draining { push, .. } => match push {
                Push::Stuck { problem } => {
                    out.push(Effect::Reply(ticket, Outcome::Failed(problem.clone())));
                }
                Push::Term { .. } | Push::Kill { .. } => self.stoppers.push(ticket),
            },
        }
    }

    /// A changed row is picked up by the next start. What waits for the outside world asks again at once,
    /// and patience begins anew.
    pub(super) fn row_edited(&mut self, out: &mut Vec<Effect>) {
        match &mut self.phase {
            Phase::Spawning { .. } | Phase::Up { .. } | Phase::Stopping { .. } | Phase::Draining { .. } => {
                self.edited = true
            }
            Phase::Blocked { shut, .. } => {
                let was = Shut { problem: shut.problem.clone(), pause: Duration::ZERO };
                self.check(Some(was), out);
            }
            Phase::Checking { .. } => {
                self.ask_again();
                self.hurry();
            }
            Phase::Down | Phase::Backoff { .. } | Phase::Crashed { .. } => {}
        }
    }

    /// An answer to the question under way, if there is one, is not enough for a spawn.
    fn ask_again(&mut self) {
        if let Phase::Checking { outdated, .. } = &mut self.phase {
            *outdated = true;
        }
    }

    /// A refusal of the question under way counts as a first one.
    fn hurry(&mut self) {
        if let Phase::Checking { was: Some(shut), .. } | Phase::Spawning { was: Some(shut), .. } =
            &mut self.phase
        {
            shut.pause = Duration::ZERO;
        }
    }
}
