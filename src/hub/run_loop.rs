//! A running hub: it handles signals, changes of its files, and the manager's watchdog.

use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::process::this_process::heap;
use crate::supervisor::effect::Outcome;

use super::app::App;
use super::notify::Notifier;
use super::safe_mode;
use super::signals::{HubRequest, Signals};
use super::views;
use super::watch::{Changed, Watch};

/// How often adopted orphans that have ended are reaped.
const REAP: Duration = Duration::from_secs(5);
/// This long after its start a hub no longer needs the code of its start.
const STARTED: Duration = Duration::from_secs(1);
/// How often it frees memory that was needed only for a while: for a burst of lines, a follower, a rare request.
const TIDY: Duration = Duration::from_secs(60);

/// The inputs of the loop.
#[derive(Debug)]
pub(crate) struct RunLoop<'a> {
    /// The hub.
    pub app: &'a App,
    /// Its signals.
    pub signals: &'a mut Signals,
    /// Notifies the manager's watchdog.
    pub notifier: &'a Notifier,
    /// Changes of services.json and hub.env. Begun before the first read, so that no change is missed.
    pub watch: Watch,
    /// `127.0.0.1:1939`, for the manager's status line.
    pub listening: String,
}

impl RunLoop<'_> {
    /// Starts the modules; in safe mode none.
    pub(crate) async fn begin(&self) {
        for note in self.app.notes() {
            warn!("{note}");
        }
        self.reload().await;
        let supervisor = self.app.supervisor.clone();
        tokio::spawn(async move { supervisor.end_forgotten().await });
    }

    async fn reload(&self) {
        self.app.supervisor.reload().await;
        for problem in views::file_problems(self.app) {
            error!("{}", problem.message);
        }
    }

    /// Modules blocked by the refused file are checked again; running ones get it at their next start.
    async fn hub_env_changed(&self) {
        match self.app.hub_env.refused() {
            Some(refused) => error!("{refused}"),
            None => info!("hub.env changed: modules get it when they are next started"),
        }
        self.app.supervisor.ask_blocked_again().await;
    }

    /// Runs until a stop is requested; returns by whom.
    pub(crate) async fn until_asked_to_stop(&mut self, stops: &mut mpsc::Receiver<()>) -> &'static str {
        let mut beat = tokio::time::interval(self.notifier.watchdog().unwrap_or(REAP).min(REAP));
        let well = tokio::time::sleep(safe_mode::WITHIN);
        let tidy = tokio::time::sleep(STARTED);
        tokio::pin!(well, tidy);
        loop {
            tokio::select! {
                request = self.signals.next() => match request {
                    HubRequest::Stop(reason) => return reason,
                    HubRequest::Reload => {
                        info!("reading services.json: SIGHUP");
                        self.notifier.reloading();
                        self.reload().await;
                        self.notifier.ready(&format!("listening on {}", self.listening));
                    }
                },
                Some(()) = stops.recv() => return "`parachute stop`",
                changed = self.watch.changed() => match changed {
                    Changed::Services => {
                        info!("services.json changed");
                        self.reload().await;
                    }
                    Changed::HubEnv => self.hub_env_changed().await,
                },
                () = &mut tidy => {
                    // If this fails, the hub only uses a little more memory.
                    let _ = heap::trim();
                    let next = tidy.deadline() + TIDY;
                    tidy.as_mut().reset(next);
                }
                () = &mut well, if !well.is_elapsed() => self.app.boots.lived(),
                _ = beat.tick() => {
                    self.notifier.alive();
                    self.app.supervisor.reap_adopted();
                    if self.app.supervisor.is_services_unread() {
                        self.app.supervisor.reload().await;
                    }
                }
            }
        }
    }

    /// Stops all modules in parallel and returns those that could not be stopped. Every actor limits its own stop;
    /// meanwhile the watchdog is notified, and further signals are acknowledged.
    pub(crate) async fn stop_modules(&mut self) -> Vec<String> {
        let supervisor = &self.app.supervisor;
        self.notifier.stopping();
        let ending = supervisor.shutdown();
        tokio::pin!(ending);
        let mut beat = tokio::time::interval(self.notifier.watchdog().unwrap_or(REAP));
        loop {
            tokio::select! {
                outcomes = &mut ending => {
                    let stuck =
                        outcomes.into_iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Stopped { .. }));
                    return stuck.map(|(short, _)| short.to_string()).collect();
                }
                _ = self.signals.next() => {
                    let alive = supervisor.members().iter().filter(|m| m.snapshot().alive).count();
                    warn!(alive, "already stopping; {alive} modules still run and are killed in time");
                }
                _ = beat.tick() => self.notifier.alive(),
            }
        }
    }
}
