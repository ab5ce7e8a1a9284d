//! `parachute start`, `stop`, `restart`: ask for all modules at once, wait, tell each outcome.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use crate::api::client::{Client, ClientError, OP};
use crate::api::wire::{Health, OpReply, Status};

use super::context::Context;
use super::error::{CliError, Kind};
use super::outcome::{self, Op, Outcome};
use super::said::Said;

/// Between two looks whether the hub is gone.
const LOOK: Duration = Duration::from_millis(20);

/// Start modules and wait until they are ready
#[derive(Debug, clap::Args)]
pub struct StartArgs {
    /// Modules, by short name or row name
    #[arg(value_name = "NAME", conflicts_with = "all")]
    names: Vec<String>,
    /// Every module
    #[arg(long)]
    all: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Stop modules, or the hub itself
#[derive(Debug, clap::Args)]
pub struct StopArgs {
    /// Modules, by short name or row name; none means the hub and everything in it
    #[arg(value_name = "NAME", conflicts_with = "all")]
    names: Vec<String>,
    /// Every module, but not the hub
    #[arg(long)]
    all: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Give modules a new life and wait until they are ready
#[derive(Debug, clap::Args)]
pub struct RestartArgs {
    /// Modules, by short name or row name
    #[arg(value_name = "NAME", conflicts_with = "all")]
    names: Vec<String>,
    /// Every module
    #[arg(long)]
    all: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// What became of the hub itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct HubOutcome {
    /// Whether what was asked for is true now.
    ok: bool,
    /// Whether a hub runs now.
    running: bool,
    /// Its pid, or the one it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// One sentence.
    message: String,
}

impl HubOutcome {
    fn said(self, json: bool) -> Said {
        Said::report(json, &self, Kind::Done, || format!("✓ {}\n", self.message))
    }
}

/// Whom a verb means.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Nobody was named, or `hub` was.
    Hub,
    /// Every module.
    All,
    /// These.
    Named(Vec<String>),
}

/// `hub` means the hub in every verb (contract A-141); it cannot be mixed with modules.
fn target(names: Vec<String>, all: bool) -> Result<Target, CliError> {
    match names.as_slice() {
        _ if all => Ok(Target::All),
        [] => Ok(Target::Hub),
        [name] if name == "hub" => Ok(Target::Hub),
        names if names.iter().any(|name| name == "hub") => {
            let text = "`hub` is the hub itself: name it alone, or name modules only";
            Err(CliError::new(Kind::Usage, text).hint("parachute stop     (the hub and everything in it)"))
        }
        _ => Ok(Target::Named(names)),
    }
}

/// `parachute start`
///
/// # Errors
/// No hub.
pub async fn start(cx: &Context, args: StartArgs) -> Result<Said, CliError> {
    let client = cx.client();
    match target(args.names, args.all)? {
        Target::Hub => {
            let hub = client.get::<Status>("/api/status").await?.hub;
            let message = format!("the hub is running (pid {}, port {}, {})", hub.pid, hub.port, hub.mode);
            let (pid, port) = (Some(hub.pid), Some(hub.port));
            Ok(HubOutcome { ok: true, running: true, pid, port, message }.said(args.json))
        }
        target => modules(cx, &client, Op::Start, target, args.json).await,
    }
}

/// `parachute restart`
///
/// # Errors
/// No hub, or nobody named.
pub async fn restart(cx: &Context, args: RestartArgs) -> Result<Said, CliError> {
    match target(args.names, args.all)? {
        Target::Hub => {
            let text =
                "a hub in the foreground cannot restart itself: stop it and run `parachute serve` again";
            Err(CliError::new(Kind::Usage, text).hint("parachute restart --all     (every module)"))
        }
        target => modules(cx, &cx.client(), Op::Restart, target, args.json).await,
    }
}

/// `parachute stop`
///
/// # Errors
/// The hub cannot be talked to. No hub at all is what was asked for.
pub async fn stop(cx: &Context, args: StopArgs) -> Result<Said, CliError> {
    let client = cx.client();
    let stopped = match target(args.names, args.all)? {
        Target::Hub => stop_hub(&client, args.json).await,
        target => modules(cx, &client, Op::Stop, target, args.json).await,
    };
    match stopped {
        Err(error) if error.kind == Kind::NoHub => {
            let message = "already stopped: no hub is running".to_owned();
            Ok(HubOutcome { ok: true, running: false, pid: None, port: None, message }.said(args.json))
        }
        other => other,
    }
}

async fn stop_hub(client: &Client, json: bool) -> Result<Said, CliError> {
    let hub = client.get::<Status>("/api/status").await?.hub;
    if let Some(command) = manager_command(&hub.mode) {
        let text = format!("the hub is {}, which would only start it again", hub.mode);
        return Err(CliError::new(Kind::Failed, text).hint(command));
    }
    client.post::<serde_json::Value>("/api/hub/stop", OP).await?;
    let gone = tokio::time::timeout(OP, async {
        while still_there(client.get::<Health>("/health").await, &hub.instance) {
            tokio::time::sleep(LOOK).await;
        }
    });
    if gone.await.is_err() {
        let text = format!("the hub (pid {}) is still stopping", hub.pid);
        return Err(CliError::new(Kind::Failed, text).hint("parachute status"));
    }
    let message = format!("the hub has stopped (pid {}), and all its modules", hub.pid);
    let (pid, port) = (Some(hub.pid), Some(hub.port));
    Ok(HubOutcome { ok: true, running: false, pid, port, message }.said(json))
}

/// What stops a hub that a service manager keeps: asking the hub itself would only make the manager start it again.
fn manager_command(mode: &str) -> Option<&'static str> {
    match mode.strip_prefix("managed by ")? {
        "systemd" => Some("systemctl stop parachute-hub.service   (with --user for a user unit)"),
        _ => Some("launchctl bootout gui/$(id -u)/computer.parachute.hub"),
    }
}

/// Whether the hub that was asked to stop is still on its way out. Another one on the same home is not that hub.
fn still_there(health: Result<Health, ClientError>, instance: &str) -> bool {
    match health {
        Ok(health) => health.instance == instance,
        Err(ClientError::NoHub { .. }) => false,
        // A connection that breaks off belongs to the stopping.
        Err(_) => true,
    }
}

async fn modules(
    cx: &Context,
    client: &Client,
    op: Op,
    target: Target,
    json: bool,
) -> Result<Said, CliError> {
    let names = match target {
        Target::Named(names) => names,
        Target::All | Target::Hub => {
            let status: Status = client.get("/api/status").await?;
            status.modules.into_iter().map(|module| module.short).collect()
        }
    };
    let asked = names.iter().map(|name| one(client, op, name));
    let outcomes: Vec<Outcome> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    let kind = if outcomes.iter().all(|outcome| outcome.ok) { Kind::Done } else { Kind::Failed };
    Ok(Said::report(json, &outcomes, kind, || match outcomes.as_slice() {
        [] => "there are no modules\n".to_owned(),
        outcomes => outcome::screen(outcomes, cx.style),
    }))
}

/// Asks for one module. A refusal is an outcome of this module; no hub at all is an error for all.
async fn one(client: &Client, op: Op, name: &str) -> Result<Outcome, CliError> {
    let path = format!("/api/modules/{}/{}", encoded(name), op.word());
    match client.post::<OpReply>(&path, OP).await {
        Ok(reply) => Ok(Outcome::of(op, reply)),
        Err(error @ (ClientError::NoHub { .. } | ClientError::Socket { .. })) => Err(error.into()),
        Err(error) => {
            let error = CliError::from(error);
            Ok(Outcome::refused(name, error.message, error.next.into_iter().next()))
        }
    }
}

/// The name as one path segment.
pub(super) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_verb_means() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let meant = |given: &[&str], all| target(names(given), all).map_err(|error| error.kind);
        assert_eq!(meant(&[], false), Ok(Target::Hub));
        assert_eq!(meant(&["hub"], false), Ok(Target::Hub));
        assert_eq!(meant(&[], true), Ok(Target::All));
        assert_eq!(meant(&["vault", "notes"], false), Ok(Target::Named(names(&["vault", "notes"]))));
        assert_eq!(meant(&["vault", "hub"], false), Err(Kind::Usage), "half a hub cannot be stopped");
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

    #[test]
    fn a_managed_hub_is_left_to_its_manager() {
        assert_eq!(manager_command("foreground"), None);
        assert!(manager_command("managed by systemd").is_some_and(|c| c.starts_with("systemctl ")));
        assert!(manager_command("managed by launchd").is_some_and(|c| c.starts_with("launchctl ")));
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(encoded("a/../b?c"), "a%2F..%2Fb%3Fc");
    }
}
