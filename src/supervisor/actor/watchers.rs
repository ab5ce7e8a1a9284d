//! Watches a run: for its port, then for its health.

use std::sync::Arc;

use crate::process::group::Depth;

use tracing::debug;

use super::super::clock::moment;
use super::super::event::Event;
use super::super::snapshot::HealthSample;
use super::super::state::Generation;
use super::super::{health, readiness};
use super::diagnostics::millis;
use super::{AbortOnDrop, Actor, HostEvent};

impl Actor {
    pub(super) fn watch_ready(&mut self, generation: Generation) {
        let (host, context) = (self.host.clone(), Arc::clone(&self.context));
        let Some(run) = self.current(generation) else { return };
        if !run.launch.listens {
            return;
        }
        let (processes, port) = (run.processes.clone(), run.launch.port);
        run.watch = Some(AbortOnDrop(tokio::spawn(async move {
            let members = || {
                let kin = context.remnants.of(&processes, Depth::Kin).unwrap_or_default();
                kin.into_iter().map(|id| id.pid).collect()
            };
            let asked = moment().mono;
            readiness::wait_until_bound(&processes, port, members).await;
            let ms = millis(moment().mono.saturating_duration_since(asked));
            debug!(module = %processes.module, port, ms, "its port is bound");
            let _ = host.send(HostEvent::Plain(Event::Bound { generation })).await;
        })));
    }

    pub(super) fn watch_health(&mut self, generation: Generation) {
        let host = self.host.clone();
        let Some(run) = self.current(generation) else { return };
        let Some(liveness) = run.launch.policy.liveness.clone() else { return };
        let launch = Arc::clone(&run.launch);
        run.health_watch = Some(AbortOnDrop(tokio::spawn(async move {
            loop {
                let asked = moment();
                let answer = health::ask(launch.port, &launch.health, liveness.timeout).await;
                let latency = moment().mono.saturating_duration_since(asked.mono);
                let (verdict, detail) = match answer {
                    Ok(status) if health::counts_as_alive(status) => (Ok(()), status.to_string()),
                    Ok(status) => (Err(format!("{} answered {status}", launch.health)), status.to_string()),
                    Err(error) => (Err(error.clone()), error),
                };
                let latency = verdict.is_ok().then_some(latency);
                let sample = HealthSample { ok: verdict.is_ok(), latency, detail, at: asked.wall };
                if host.send(HostEvent::Health { generation, verdict, sample }).await.is_err() {
                    return;
                }
                tokio::time::sleep(liveness.interval).await;
            }
        })));
    }
}
