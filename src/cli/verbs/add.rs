//! `parachute add`

use std::path::PathBuf;

use crate::api::client::{ClientError, OP};
use crate::api::wire::{OpReply, Status};
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::occupied;
use crate::cli::outcome::{self, ModuleOutcome, Op};
use crate::cli::output::VerbOutput;
use crate::home::registration::{self, AddError, NewModule, Occupied};
use crate::home::services::PATIENCE;
use crate::home::settings;
use crate::module::name::Short;
use crate::module::port;
use crate::process::ports;

use super::start_stop::encoded;

/// Add a module: any command
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: parachute add web -- sh -c 'exec python3 -m http.server --bind 127.0.0.1 \"$PORT\"'"
)]
pub struct AddArgs {
    /// Short name: letters, digits, `.`, `_`, `-`
    #[arg(value_name = "NAME")]
    name: String,
    /// Port it listens on, given to it as $PORT [default: the next free one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Health check path: three failures in a row restart the module
    #[arg(long, value_name = "PATH", conflicts_with = "no_listen")]
    health: Option<String>,
    /// Extra environment, kept in the module's .env (0600)
    #[arg(long, value_name = "K=V", value_parser = assignment)]
    env: Vec<(String, String)>,
    /// Its working directory [default: the current one]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// A worker that binds no port: ready after it has run for a second
    #[arg(long)]
    no_listen: bool,
    /// Replace a module that `add` made under the same name
    #[arg(long)]
    replace: bool,
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, last = true)]
    command: Vec<String>,
}

impl AddArgs {
    /// Only a name and a command.
    pub(in crate::cli) fn of(name: &str, command: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            port: None,
            health: None,
            env: Vec::new(),
            cwd: None,
            no_listen: false,
            replace: false,
            command,
        }
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it is not of the form KEY=VALUE".to_owned()),
    }
}

/// Writes the module, and waits for it if a hub runs.
///
/// # Errors
/// A name, port or file that cannot be used; a module that does not become ready.
pub(crate) async fn run(cx: &Context, args: AddArgs) -> Result<VerbOutput, CliError> {
    let short = Short::new(&args.name).map_err(|error| {
        CliError::from_error(ExitKind::Usage, error).hint("parachute add my-module -- COMMAND")
    })?;
    let hub = cx.client().get::<Status>("/api/status").await;
    let module = NewModule {
        short: short.clone(),
        argv: args.command,
        port: args.port,
        health: args.health,
        env: args.env,
        cwd: Some(args.cwd.map_or_else(|| cx.cwd.clone(), |dir| cx.cwd.join(dir))),
        listens: !args.no_listen,
        replace: args.replace,
    };
    let hub_port = match &hub {
        Ok(status) => status.hub.port,
        Err(_) => settings::read(&cx.home)
            .ok()
            .and_then(|s| s.hub.port)
            .map_or(port::HUB, std::num::NonZeroU16::get),
    };
    let occupied = ports::occupied()
        .map_err(|unknown| CliError::from_error(ExitKind::Failed, unknown).hint("ulimit -n"))?;
    let added =
        registration::add(&cx.home, &module, Occupied { listening: &occupied, hub: hub_port }, PATIENCE)
            .map_err(|error| refused(error, &short))?;
    let reserved = if module.listens { "" } else { " (reserved: a worker binds no port)" };
    let mut out = format!("✓ {short} added, port {}{reserved}\n", added.port);
    let asked = match hub {
        Ok(_) => start(cx, &short, added.replaced).await,
        Err(error) => Err(error),
    };
    // From here on the module is on disk: that is reported first, whatever the hub answers.
    let outcome = match asked {
        Ok(reply) => ModuleOutcome::of(Op::Start, occupied::renew_reply(cx, reply)),
        Err(ClientError::NoHub { .. }) => {
            out.push_str("  no hub is running; it starts with: parachute serve\n");
            return Ok(VerbOutput::done(out));
        }
        Err(error) => {
            let error = CliError::from(error);
            let text = format!("it is registered, but the hub did not start it: {}", error.message);
            ModuleOutcome::refused(short.as_str(), text, error.hints.into_iter().next())
        }
    };
    let kind = if outcome.ok { ExitKind::Done } else { ExitKind::Failed };
    out.push_str(&outcome::screen(&[outcome], cx.style));
    Ok(VerbOutput { out, kind })
}

async fn start(cx: &Context, short: &Short, replaced: bool) -> Result<OpReply, ClientError> {
    let client = cx.client();
    client.post::<serde_json::Value>("/api/reload", OP).await?;
    let op = if replaced { Op::Restart } else { Op::Start };
    client.post(&format!("/api/modules/{}/{}", encoded(short.as_str()), op.word()), OP).await
}

fn refused(error: AddError, short: &Short) -> CliError {
    let hint = match error {
        AddError::Exists { .. } => format!("parachute remove {short}"),
        _ => "parachute status".to_owned(),
    };
    CliError::from_error(ExitKind::Failed, error).hint(hint)
}
