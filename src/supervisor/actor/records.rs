//! The actor's writes to disk: entries of the ledger, and the last failure.

use std::time::Duration;

use crate::logs::line::Stream;
use crate::module::failure::Failure;

use super::super::effect::{FailureFacts, Record};
use super::super::ledger::Entry;
use super::super::state::Generation;
use super::Actor;

/// Lines of the module's output that a saved failure has.
const LAST_LINES: usize = 20;
/// Lines that are searched for them: the supervisor's own lines are left out.
const LAST_LOOK: usize = 200;
/// How long to wait for the last lines of an ended module.
const LOG_DRAIN: Duration = Duration::from_millis(200);

impl Actor {
    pub(super) fn record(&mut self, record: Record) {
        let short = self.machine.short().clone();
        let entry = match record {
            Record::Born(run) => {
                let facts = self.current(run.generation).map(|run| run.facts.clone()).unwrap_or_default();
                Entry::Born { short, incarnation: self.mark_of(run.generation), leader: run.leader, facts }
            }
            Record::Gone(generation) => Entry::Gone { short, incarnation: self.mark_of(generation) },
            Record::Crashes(at) => Entry::Crashes { short, at },
        };
        self.context.record(&entry);
    }

    /// The mark of a run that is there: an adopted one has that of the hub that started it.
    fn mark_of(&mut self, generation: Generation) -> String {
        let mark = self.current(generation).map(|run| run.processes.incarnation.clone());
        mark.unwrap_or_else(|| self.incarnation(generation))
    }

    /// The last lines of an ended module may still be in its pipe: a task waits for them, so that this actor does not.
    pub(super) fn save_failure(&mut self, facts: FailureFacts) {
        let pumps = self.run.as_mut().map(|run| std::mem::take(&mut run.pumps)).unwrap_or_default();
        let command = self.run.as_ref().map_or_else(String::new, |run| run.launch.command_line());
        let (log, short) = (self.log.clone(), self.machine.short().clone());
        let pending = self.context.failures.announce(self.machine.short());
        tokio::spawn(async move {
            let drained = async {
                for mut pump in pumps {
                    pump.drained().await;
                }
            };
            // A descendant may hold the pipe open: there is no further wait for that.
            let _ = tokio::time::timeout(LOG_DRAIN, drained).await;
            let mut lines: Vec<String> = log
                .tail(LAST_LOOK)
                .into_iter()
                .filter(|line| line.stream != Stream::Hub)
                .map(|line| String::from_utf8_lossy(&line.text).into_owned())
                .collect();
            // A start that was refused printed nothing: the lines would be those of an earlier run.
            let kept = if facts.ended.is_some() { LAST_LINES } else { 0 };
            lines.drain(..lines.len().saturating_sub(kept));
            let failure = Failure {
                short: short.to_string(),
                at: facts.problem.at,
                ended: facts.ended,
                lived_ms: facts.lived_ms,
                was_ready: facts.was_ready,
                command,
                problem: facts.problem,
                crashes_in_window: facts.crashes_in_window,
                max_crashes: facts.max_crashes,
                gave_up: facts.is_crashed,
                lines,
            };
            pending.save(failure).await;
        });
    }
}
