//! Transitions that several events share. Pure.
#![deny(clippy::wildcard_enum_match_arm)]

use super::super::clock::Moment;
use super::super::effect::{Effect, EndSignal, Outcome};
use super::super::event::Ticket;
use super::super::state::{Cause, Escalation, Generation, StartRefusal, State};
use super::Machine;

impl Machine {
    /// To `Checking`: begins the next generation, which uses the row as it is now.
    pub(super) fn check(&mut self, was: Option<StartRefusal>, out: &mut Vec<Effect>) {
        self.check_after(0, was, out);
    }

    /// The same, after checks that were outdated `repeats` times in a row.
    pub(super) fn check_after(&mut self, repeats: u8, was: Option<StartRefusal>, out: &mut Vec<Effect>) {
        let generation = Generation(self.next_generation);
        self.next_generation = self.next_generation.wrapping_add(1);
        self.edited = false;
        self.state = State::Checking { generation, was, outdated: false, repeats };
        out.push(Effect::Check(generation));
    }

    /// To `Down`, as desired.
    pub(super) fn rest(&mut self, out: &mut Vec<Effect>) {
        self.state = State::Down;
        answer(&mut self.stoppers, &Outcome::Stopped { had: self.started.is_some() }, out);
    }

    /// From `Up` to `Stopping`: sends SIGTERM.
    pub(super) fn end(&mut self, cause: Cause, now: Moment, out: &mut Vec<Effect>) {
        let State::Up { run, .. } = &self.state else { return };
        let (run, generation) = (run.clone(), run.generation);
        let escalation = Escalation::Term { kill_at: now.mono + self.policy.kill_timeout };
        self.state = State::Stopping { run, cause, escalation };
        out.push(Effect::Signal(generation, EndSignal::Term));
    }
}

/// Answers all requests that wait, each once.
pub(super) fn answer(tickets: &mut Vec<Ticket>, outcome: &Outcome, out: &mut Vec<Effect>) {
    out.extend(tickets.drain(..).map(|ticket| Effect::Reply(ticket, outcome.clone())));
}
