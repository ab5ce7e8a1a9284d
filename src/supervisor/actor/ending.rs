//! Ends a run: signals its group, then the remaining processes, and watches until none is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::process::group::{self, Depth, Signal, SignalError};
use crate::process::terminate::signal_all;

use super::super::effect::{EndSignal, Severity};
use super::super::event::Event;
use super::super::state::Generation;
use super::{AbortOnDrop, Actor, HostEvent};

/// Pauses between two searches for remnants: the first one, doubled up to the last.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(50);

impl From<EndSignal> for Signal {
    fn from(signal: EndSignal) -> Self {
        match signal {
            EndSignal::Term => Self::Terminate,
            EndSignal::Kill => Self::Kill,
        }
    }
}

impl Actor {
    pub(super) fn signal(&mut self, generation: Generation, signal: EndSignal) {
        let Some(run) = self.current(generation) else { return };
        let processes = run.processes.clone();
        match group::signal_group(&processes, signal.into()) {
            // Gone: the event of its end is on the way.
            Ok(()) | Err(SignalError::Gone { .. }) => {}
            Err(error) => {
                self.note(Severity::Warning, &format!("could not signal its process group: {error}"));
            }
        }
    }

    /// Signals the remnants of a run whose leader has ended. If there are none, that is reported at once, without
    /// waiting.
    pub(super) fn drain(&mut self, generation: Generation, signal: EndSignal, thorough: bool) {
        let (host, context) = (self.host.clone(), Arc::clone(&self.context));
        let Some(run) = self.current(generation) else { return };
        if let Some(leader) = run.ended_leader.take() {
            match leader.reap() {
                Ok(reaped) => {
                    run.processes.reaped = Some(reaped.at);
                    context.remnants.leader_gone(run.processes.leader.pid);
                }
                // Its end was seen, so it can be reaped; if the system disagrees, the next drain tries again.
                Err(child) => run.ended_leader = Some(child),
            }
        }
        let processes = run.processes.clone();
        if signal == EndSignal::Kill
            && let Some(cgroup) = &processes.cgroup
        {
            // Also reaches processes that start meanwhile, or have another user. What it misses is signalled below.
            let _ = cgroup.kill();
        }
        // A thorough search follows at once: if the group is empty, a search before it would find nothing. It would ask
        // for orphans, which at a stop of a thousand modules reads a list of a thousand children each.
        let left = if thorough && processes.cgroup.is_none() && group::is_empty(&processes) {
            Ok(Vec::new())
        } else {
            // Adopted zombies would keep the group's number in use and slow down the next search.
            context.remnants.reap_adopted();
            context.remnants.of(&processes, Depth::Kin)
        };
        if left.as_ref().is_ok_and(Vec::is_empty) && !thorough && signal == EndSignal::Term {
            self.pending.push_back(Event::GroupEmpty { generation });
            return;
        }
        // If the system gave no answer, it is asked again below.
        let left = left.unwrap_or_default();
        let missed = signal_all(&left, signal.into());
        let depth = if thorough { Depth::Marks } else { Depth::Kin };
        run.watch = Some(AbortOnDrop(tokio::spawn(async move {
            // Nothing was found near the leader: search farther at once.
            let mut pause = if left.is_empty() { Duration::ZERO } else { LOOK_FIRST };
            let mut told: BTreeSet<_> = left.into_iter().filter(|id| !missed.contains(id)).collect();
            loop {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).clamp(LOOK_FIRST, LOOK_LAST);
                let Ok(left) = context.remnants.of_shared(&processes, depth).await else { continue };
                if left.is_empty() {
                    break;
                }
                let new: Vec<_> = left.into_iter().filter(|id| !told.contains(id)).collect();
                let missed = signal_all(&new, signal.into());
                told.extend(new.into_iter().filter(|id| !missed.contains(id)));
            }
            // One that was killed must not be used again. If a process has come into it meanwhile, the checks of the next
            // start end that.
            if let Some(cgroup) = &processes.cgroup {
                let _ = cgroup.remove();
            }
            let _ = host.send(HostEvent::Plain(Event::GroupEmpty { generation })).await;
        })));
    }
}
