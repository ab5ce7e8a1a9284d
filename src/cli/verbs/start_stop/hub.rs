//! `start`, `stop` and `restart` of the hub itself: through its manager if it has one, never by a pid.

use std::time::Duration;

use serde::Serialize;

use crate::api::client::{Client, ClientError, OP};
use crate::api::wire::{Health, HubView, Status};
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Installation};
use crate::cli::orphans;
use crate::cli::output::VerbOutput;
use crate::home::fs;
use crate::manager::driver::ManagerError;
use crate::manager::state::{Active, UnitState};
use crate::unit::name::UnitName;

/// Pause between two checks whether the hub runs, or has ended.
const LOOK: Duration = Duration::from_millis(20);
/// A hub that its manager reports as running answers on its socket within this time: more than the ten seconds that one
/// waits which died often.
const ANSWERS: Duration = Duration::from_secs(20);
/// A hub that its manager reports as stopped stops answering within this time.
const SILENT: Duration = Duration::from_secs(5);
/// `mode` of a hub without a manager.
const FOREGROUND: &str = "foreground";

/// The result for the hub itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct HubOutcome {
    /// Whether the request was fulfilled.
    ok: bool,
    /// Whether a hub runs now.
    running: bool,
    /// Its pid, or the one it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// One sentence.
    message: String,
}

impl HubOutcome {
    fn running(hub: &HubView, verb: &str) -> Self {
        let message = format!("the hub {verb} (pid {}, port {}, {})", hub.pid, hub.port, hub.mode);
        Self { ok: true, running: true, pid: Some(hub.pid), port: Some(hub.port), message }
    }

    fn output(self, json: bool) -> VerbOutput {
        VerbOutput::report(json, &self, ExitKind::Done, || format!("✓ {}\n", self.message))
    }
}

/// `parachute start`
///
/// # Errors
/// It does not start, or no installed hub could be started.
pub(super) async fn start(cx: &Context, json: bool) -> Result<VerbOutput, CliError> {
    let client = cx.client();
    match answering(&client).await? {
        Some(hub) => Ok(HubOutcome::running(&hub, "is running").output(json)),
        None => {
            let installation = installation::installed(cx).await.ok_or_else(not_installed)?;
            let hub = up(&client, &installation, None).await?;
            Ok(HubOutcome::running(&hub, "has started").output(json))
        }
    }
}

/// The hub, if one answers. A hub that closes the connection is stopping: its end is waited for.
async fn answering(client: &Client) -> Result<Option<HubView>, ClientError> {
    let look = async {
        loop {
            match client.get::<Status>("/api/status").await {
                Ok(status) => return Ok(Some(status.hub)),
                Err(ClientError::NoHub { .. }) => return Ok(None),
                Err(ClientError::Broken(_) | ClientError::Partial { .. }) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(error),
            }
        }
    };
    tokio::time::timeout(OP, look).await.unwrap_or(Err(ClientError::Timeout(OP)))
}

/// Starts an installed hub if none runs; if none is installed, the verb itself reports the error.
///
/// # Errors
/// It does not start.
pub(super) async fn bring_up(cx: &Context) -> Result<(), CliError> {
    let client = cx.client();
    if let Err(ClientError::NoHub { .. }) = client.get::<Health>("/health").await
        && let Some(installation) = installation::installed(cx).await
    {
        up(&client, &installation, None).await?;
    }
    Ok(())
}

/// `parachute restart`
///
/// # Errors
/// It does not start again, or nothing could start it again.
pub(super) async fn restart(cx: &Context, json: bool) -> Result<VerbOutput, CliError> {
    let client = cx.client();
    let old = answering(&client).await?;
    if old.as_ref().is_some_and(|hub| hub.mode == FOREGROUND) {
        let text =
            "a hub in the foreground cannot be restarted from here: stop it and run `parachute serve` again";
        return Err(CliError::new(ExitKind::Usage, text).hint("parachute restart --all     (every module)"));
    }
    let installation = installation::installed(cx)
        .await
        .ok_or_else(|| if old.is_some() { unseen() } else { not_installed() })?;
    let instance = old.map(|hub| hub.instance);
    let hub = up(&client, &installation, Some(instance.unwrap_or_default())).await?;
    Ok(HubOutcome::running(&hub, "has restarted").output(json))
}

/// Makes the manager start or restart it, and waits until it answers. `not` is the previous instance, which does not
/// count.
async fn up(client: &Client, installation: &Installation, not: Option<String>) -> Result<HubView, CliError> {
    let hub = UnitName::hub();
    let driver = &installation.driver;
    if not.is_some() {
        driver.restart(&hub).await.map_err(managers)?;
    } else {
        // systemd refuses to start a socket whose service runs, or is still stopping: a hub that runs is left alone.
        if has_socket(installation) && !driver.state(&hub).await.running().is_true() {
            driver.start(&hub.socket()).await.map_err(managers)?;
        }
        driver.start(&hub).await.map_err(managers)?;
    }
    let answer = tokio::time::timeout(ANSWERS, async {
        loop {
            match client.get::<Status>("/api/status").await {
                Ok(status) if Some(&status.hub.instance) != not.as_ref() => return Ok(status.hub),
                _ => tokio::time::sleep(LOOK).await,
            }
            // launchd has no readiness: a hub that it has just reported as running may have exited since.
            if let Some(how) = over(&driver.state(&hub).await) {
                return Err(format!("the hub was started by {}, and {how}", driver.manager.words()));
            }
        }
    });
    let silent = || format!("{} reports the hub running, but it does not answer", driver.manager.words());
    let answer = answer.await.unwrap_or_else(|_| Err(silent()));
    answer.map_err(|text| CliError::new(ExitKind::Failed, text).hint("parachute logs hub"))
}

/// How a started hub has ended; `None`: it has not, or that is unknown.
fn over(state: &UnitState) -> Option<String> {
    let code = state.exit.map(|code| format!("exit code {code}"));
    let how = state.result.clone().or(code).map_or_else(String::new, |how| format!(" ({how})"));
    match state.active.known()? {
        // A hub that has never run is still starting.
        Active::Idle if how.is_empty() => None,
        Active::Idle | Active::Failed | Active::Restarting => Some(format!("ended at once{how}")),
        Active::Stopped => Some("is gone".to_owned()),
        Active::Running | Active::Starting | Active::Stopping => None,
    }
}

/// `parachute stop`
///
/// # Errors
/// It does not stop, or its manager cannot be queried.
pub(super) async fn stop(cx: &Context, json: bool) -> Result<VerbOutput, CliError> {
    let client = cx.client();
    match answering(&client).await? {
        Some(hub) if hub.mode == FOREGROUND => stop_foreground(cx, &client, &hub, json).await,
        Some(hub) => {
            let installation = installation::installed(cx).await.ok_or_else(unseen)?;
            down(&installation).await?;
            // The hub that answered may run under another unit than the one that was found.
            if !ends(&client, &hub, SILENT).await {
                return Err(unseen());
            }
            orphans::end_in_unit(&installation).await?;
            stopped(cx, &hub, json).await
        }
        None => {
            let mut ended = Vec::new();
            if let Some(installation) = installation::installed(cx).await {
                // A socket without its service would start it again with the next client.
                if !asleep(&installation).await {
                    down(&installation).await?;
                }
                ended = orphans::end_in_unit(&installation).await?;
            }
            let left = orphans::running(cx).await?;
            if !left.is_empty() {
                return Err(CliError { kind: ExitKind::Failed, ..orphans::unsupervised(&left) });
            }
            Ok(if ended.is_empty() { already_stopped(json) } else { ended_without_hub(&ended, json) })
        }
    }
}

async fn down(installation: &Installation) -> Result<(), CliError> {
    let hub = UnitName::hub();
    if has_socket(installation) {
        installation.driver.stop(&hub.socket()).await.map_err(managers)?;
    }
    installation.driver.stop(&hub).await.map_err(managers)
}

/// Whether neither the service nor its socket runs.
async fn asleep(installation: &Installation) -> bool {
    let hub = UnitName::hub();
    let mut units = vec![hub.clone()];
    if has_socket(installation) {
        units.push(hub.socket());
    }
    for unit in units {
        let active = installation.driver.state(&unit).await.active;
        if !matches!(active.known(), Some(Active::Stopped | Active::Failed)) {
            return false;
        }
    }
    true
}

/// Whether there is a socket unit: an earlier version installed one, and a person may have written one.
fn has_socket(installation: &Installation) -> bool {
    let manager = &installation.driver.manager;
    manager.holds_sockets() && fs::exists(&manager.file(&UnitName::hub().socket()))
}

async fn stop_foreground(
    cx: &Context,
    client: &Client,
    hub: &HubView,
    json: bool,
) -> Result<VerbOutput, CliError> {
    client.post::<serde_json::Value>("/api/hub/stop", OP).await?;
    if !ends(client, hub, OP).await {
        let text = format!("the hub (pid {}) is still stopping", hub.pid);
        return Err(CliError::new(ExitKind::Failed, text).hint("parachute status"));
    }
    stopped(cx, hub, json).await
}

/// Whether this hub no longer answers.
async fn ends(client: &Client, hub: &HubView, within: Duration) -> bool {
    let gone = async {
        while still_there(client.get::<Health>("/health").await, &hub.instance) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(within, gone).await.is_ok()
}

/// Reports a stop, if it is true of the modules too: one that no signal reaches survives its hub.
async fn stopped(cx: &Context, hub: &HubView, json: bool) -> Result<VerbOutput, CliError> {
    let left = orphans::running(cx).await?;
    if !left.is_empty() {
        let text = format!("the hub has stopped (pid {}), but {}", hub.pid, orphans::outlived(&left));
        return Err(CliError::new(ExitKind::Failed, text).hint("parachute logs hub"));
    }
    let message = format!("the hub has stopped (pid {}), and all its modules", hub.pid);
    let (pid, port) = (Some(hub.pid), Some(hub.port));
    Ok(HubOutcome { ok: true, running: false, pid, port, message }.output(json))
}

/// The report that no hub ran, but modules did.
fn ended_without_hub(ended: &[String], json: bool) -> VerbOutput {
    let message = format!("no hub was running; its modules have been ended: {}", ended.join("; "));
    HubOutcome { ok: true, running: false, pid: None, port: None, message }.output(json)
}

/// The report that no hub runs.
pub(super) fn already_stopped(json: bool) -> VerbOutput {
    let message = "already stopped: no hub is running".to_owned();
    HubOutcome { ok: true, running: false, pid: None, port: None, message }.output(json)
}

fn not_installed() -> CliError {
    CliError::new(ExitKind::NoHub, "no hub is running, and none is installed")
        .hint("parachute init")
        .hint("parachute serve     (in the foreground)")
}

fn unseen() -> CliError {
    let text = "the hub runs under a service manager in which no unit of this home can be found from here";
    CliError::new(ExitKind::Failed, text).hint("parachute doctor")
}

fn managers(error: ManagerError) -> CliError {
    CliError::with_hints(ExitKind::Failed, error).hint("parachute doctor")
}

/// Whether the hub that was asked to stop is still stopping. Another one on the same home is not that hub.
fn still_there(health: Result<Health, ClientError>, instance: &str) -> bool {
    match health {
        Ok(health) => health.instance == instance,
        Err(ClientError::NoHub { .. }) => false,
        // A lost connection is part of the stop.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_has_ended_is_not_waited_for() {
        let over = |active, exit, result: Option<&str>| {
            let active = crate::manager::state::Told::Known(active);
            over(&UnitState { active, exit, result: result.map(str::to_owned), ..UnitState::unknown("") })
        };
        for active in [Active::Running, Active::Starting, Active::Idle] {
            assert_eq!(over(active, None, None), None);
        }
        assert_eq!(over(Active::Idle, Some(0), None).unwrap(), "ended at once (exit code 0)");
        let killed = over(Active::Restarting, None, Some("signal Killed: 9")).unwrap();
        assert_eq!(killed, "ended at once (signal Killed: 9)");
        assert_eq!(over(Active::Stopped, None, None).unwrap(), "is gone");
        assert_eq!(super::over(&UnitState::unknown("not queried")), None);
    }

    #[test]
    fn only_the_hub_that_was_asked_is_waited_for() {
        let health = |instance: &str| Health {
            status: "ok".to_owned(),
            service: "parachute-hub".to_owned(),
            version: "1".to_owned(),
            instance: instance.to_owned(),
            problems: Vec::new(),
        };
        assert!(still_there(Ok(health("a")), "a"));
        assert!(!still_there(Ok(health("b")), "a"), "its successor answers");
        assert!(!still_there(Err(ClientError::NoHub { socket: "/s".into() }), "a"));
        assert!(still_there(Err(ClientError::Timeout(OP)), "a"), "slow is not gone");
    }
}
