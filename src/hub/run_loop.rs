//! A hub between its first module and its last: it answers signals, edits of its files, and the manager's watchdog.

use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::process::this_process::{heap, program_text};
use crate::supervisor::effect::Outcome;

use super::app::App;
use super::notify::Notifier;
use super::safe_mode;
use super::signals::{Signals, Wish};
use super::views;
use super::watch::{Changed, Watch};

/// Adopted orphans that ended are reaped this often.
const REAP: Duration = Duration::from_secs(5);
/// So long after its start a hub does not need the code of its start any more.
const STARTED: Duration = Duration::from_secs(1);
/// It gives back this often what was needed only for a while: a burst of lines, a follower, a request seldom made.
const TIDY: Duration = Duration::from_secs(60);

/// What the loop stands on.
#[derive(Debug)]
pub struct RunLoop<'a> {
    /// The hub.
    pub app: &'a App,
    /// What is asked of it by signals.
    pub signals: &'a mut Signals,
    /// Who is told that it lives.
    pub notifier: &'a Notifier,
    /// Edits of services.json and hub.env. Begun before the first read, so that none falls between.
    pub watch: Watch,
    /// `127.0.0.1:1939`, for the manager's status line.
    pub listening: String,
}

impl RunLoop<'_> {
    /// Brings the modules up, or leaves them be in safe mode; what earlier hubs left is ended.
    pub async fn begin(&self) {
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

    /// Whoever waits for the file to be mended is asked for again; who runs gets it at the next start.
    async fn hub_env_changed(&self) {
        match self.app.hub_env.refused() {
            Some(refused) => error!("{refused}"),
            None => info!("hub.env changed: modules get it when they are next started"),
        }
        self.app.supervisor.ask_blocked_again().await;
    }

    /// Runs until somebody wants an end; returns who.
    pub async fn until_asked_to_stop(&mut self, stops: &mut mpsc::Receiver<()>) -> &'static str {
        let mut beat = tokio::time::interval(self.notifier.watchdog().unwrap_or(REAP).min(REAP));
        let well = tokio::time::sleep(safe_mode::WITHIN);
        let tidy = tokio::time::sleep(STARTED);
        tokio::pin!(well, tidy);
        loop {
            tokio::select! {
                wish = self.signals.next() => match wish {
                    Wish::Stop(reason) => return reason,
                    Wish::Reload => {
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
                // A hub that cannot do that is a little larger, and nothing else.
                () = &mut tidy => {
                    let _ = (program_text::forget(), heap::trim());
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

    /// Stops all modules in parallel and returns those that could not be. Every actor bounds its own ending; meanwhile
    /// the manager is told that we live, and a further signal that we have heard.
    pub async fn stop_modules(&mut self) -> Vec<String> {
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
