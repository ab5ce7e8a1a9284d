//! `parachute start`, `stop`, `restart`: ask for all modules at once, wait, tell each outcome.

use futures_util::future::join_all;
use serde::Serialize;

use crate::api::client::{Client, ClientError, OP};
use crate::api::wire::{LegacyState, OpReply, Status};
use crate::module::problem::Problem;
use crate::ui::style::Style;
use crate::ui::text::printable;

use super::context::Context;
use super::error::{CliError, Kind};
use super::run::Said;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Start,
    Stop,
    Restart,
}

impl Op {
    fn path(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// What became of one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// As it was typed, or its short name.
    pub module: String,
    /// Whether what was asked for came true.
    pub ok: bool,
    /// One phrase.
    pub message: String,
    /// The module afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<LegacyState>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What to type next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `parachute start`
///
/// # Errors
/// No hub.
pub async fn start(cx: &Context, args: StartArgs) -> Result<Said, CliError> {
    let client = cx.client();
    if args.names.is_empty() && !args.all {
        let status: Status = client.get("/api/status").await?;
        let hub = status.hub;
        return Ok(Said::done(format!(
            "the hub is running (pid {}, port {}, {})\n",
            hub.pid, hub.port, hub.mode
        )));
    }
    modules(cx, &client, Op::Start, args.names, args.json).await
}

/// `parachute restart`
///
/// # Errors
/// No hub, or nobody named.
pub async fn restart(cx: &Context, args: RestartArgs) -> Result<Said, CliError> {
    if args.names.is_empty() && !args.all {
        let message =
            "a hub in the foreground cannot restart itself: stop it and run `parachute serve` again";
        return Err(CliError::new(Kind::Usage, message).hint("parachute restart --all     (every module)"));
    }
    modules(cx, &cx.client(), Op::Restart, args.names, args.json).await
}

/// `parachute stop`
///
/// # Errors
/// The hub cannot be talked to. No hub at all is what was asked for.
pub async fn stop(cx: &Context, args: StopArgs) -> Result<Said, CliError> {
    let client = cx.client();
    if args.names.is_empty() && !args.all {
        return hub(&client).await;
    }
    match modules(cx, &client, Op::Stop, args.names, args.json).await {
        Err(error) if error.kind == Kind::NoHub => Ok(Said::done("already stopped: no hub is running\n")),
        other => other,
    }
}

async fn hub(client: &Client) -> Result<Said, CliError> {
    let status: Status = match client.get("/api/status").await {
        Err(ClientError::NoHub { .. }) => return Ok(Said::done("already stopped: no hub is running\n")),
        other => other?,
    };
    let manager = match status.hub.mode.strip_prefix("managed by ") {
        Some("systemd") => Some("systemctl stop parachute-hub.service   (with --user for a user unit)"),
        Some(_) => Some("launchctl bootout gui/$(id -u)/computer.parachute.hub"),
        None => None,
    };
    if let Some(command) = manager {
        let text = format!("the hub is {}, which would only start it again", status.hub.mode);
        return Err(CliError::new(Kind::Failed, text).hint(command));
    }
    client.post::<serde_json::Value>("/api/hub/stop", OP).await?;
    let within = tokio::time::timeout(OP, async {
        loop {
            match client.get::<serde_json::Value>("/health").await {
                Err(ClientError::NoHub { .. }) => return,
                // Still on its way out; a connection that breaks off belongs to that.
                Ok(_) | Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    });
    match within.await {
        Ok(()) => {
            Ok(Said::done(format!("✓ the hub has stopped (pid {}), and all its modules\n", status.hub.pid)))
        }
        Err(_) => {
            Err(CliError::new(Kind::Failed, format!("the hub (pid {}) is still stopping", status.hub.pid))
                .hint("parachute status"))
        }
    }
}

async fn modules(
    cx: &Context,
    client: &Client,
    op: Op,
    names: Vec<String>,
    json: bool,
) -> Result<Said, CliError> {
    let names = if names.is_empty() {
        let status: Status = client.get("/api/status").await?;
        status.modules.into_iter().map(|module| module.short).collect()
    } else {
        names
    };
    let asked = names.iter().map(|name| one(client, op, name));
    let outcomes: Vec<Outcome> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    let kind = if outcomes.iter().all(|outcome| outcome.ok) { Kind::Done } else { Kind::Failed };
    Ok(Said::report(json, &outcomes, kind, || screen(&outcomes, cx.style)))
}

/// Asks for one module. A refusal is an outcome of this module; no hub at all is an error for all.
async fn one(client: &Client, op: Op, name: &str) -> Result<Outcome, CliError> {
    let path = format!("/api/modules/{}/{}", encoded(name), op.path());
    match client.post::<OpReply>(&path, OP).await {
        Ok(reply) => Ok(outcome(op, reply)),
        Err(error @ (ClientError::NoHub { .. } | ClientError::Socket { .. })) => Err(error.into()),
        Err(error) => {
            let error = CliError::from(error);
            Ok(Outcome {
                module: name.to_owned(),
                ok: false,
                message: error.message,
                state: None,
                problem: None,
                next: error.next.into_iter().next(),
            })
        }
    }
}

fn outcome(op: Op, reply: OpReply) -> Outcome {
    let pid = reply
        .state
        .as_ref()
        .and_then(|state| state.pid)
        .map_or_else(String::new, |pid| format!(" (pid {pid})"));
    let message = match (&reply.problem, op) {
        (Some(problem), _) => problem.error_description.clone(),
        (None, Op::Start | Op::Restart) => format!("ready{pid}"),
        (None, Op::Stop) if reply.stopped == Some(false) => "was not running".to_owned(),
        (None, Op::Stop) => "stopped".to_owned(),
    };
    let next = reply.problem.as_ref().and_then(|problem| problem.next.clone());
    Outcome { module: reply.short, ok: reply.ok, message, state: reply.state, problem: reply.problem, next }
}

/// The name as one path segment.
pub(super) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn screen(outcomes: &[Outcome], style: Style) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        let sign = if outcome.ok { style.good("✓") } else { style.bad("✗") };
        let mut lines = outcome.message.lines();
        let first = lines.next().unwrap_or_default();
        let line = if outcome.ok {
            format!("{} {first}", outcome.module)
        } else {
            format!("{}: {first}", outcome.module)
        };
        out.push_str(&format!("{sign} {}\n", printable(&line)));
        for line in lines {
            out.push_str(&format!("    {}\n", printable(line)));
        }
        if let Some(next) = &outcome.next {
            out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(next)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::State;
    use crate::module::problem::Kind as Why;
    use crate::module::stamp::Stamp;

    fn reply(ok: bool, problem: Option<Problem>) -> OpReply {
        let state = LegacyState {
            short: "vault".to_owned(),
            status: State::Running,
            pid: Some(4711),
            started_at: None,
            restarts_in_window: 0,
            last_crash_at: None,
            last_exit_code: None,
            start_error: None,
        };
        OpReply { short: "vault".to_owned(), ok, stopped: None, state: Some(state), problem }
    }

    #[test]
    fn each_outcome_has_its_line() {
        let problem =
            Problem::new(Why::MissingDependency, "`x` is not on PATH.\n\nInstall it", Stamp(0)).next("apt x");
        let outcomes =
            [outcome(Op::Start, reply(true, None)), outcome(Op::Restart, reply(false, Some(problem)))];
        assert_eq!(
            screen(&outcomes, Style::PLAIN),
            "✓ vault ready (pid 4711)\n✗ vault: `x` is not on PATH.\n    \n    Install it\n  hint: apt x\n"
        );
        assert_eq!(screen(&[outcome(Op::Stop, reply(true, None))], Style::PLAIN), "✓ vault stopped\n");
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(encoded("a/../b?c"), "a%2F..%2Fb%3Fc");
    }
}
