//! `parachute start`, `stop`, `restart`: sends the requests for all modules at once, waits, and reports each result.

mod hub;
mod without_hub;

use futures_util::future::join_all;

use crate::api::client::{Client, ClientError, OP};
use crate::api::wire::{OpReply, Status};
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::outcome::{self, ModuleOutcome, Op};
use crate::cli::output::VerbOutput;
use crate::cli::{occupied, offer, orphans, owned};
use crate::module::row::short_of;

/// Start modules, or the hub itself, and wait until they are ready
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
    /// Modules, by short name or row name; none means the hub and all its modules
    #[arg(value_name = "NAME", conflicts_with = "all")]
    names: Vec<String>,
    /// Every module, but not the hub
    #[arg(long)]
    all: bool,
    /// End the processes of modules that run on after their hub; refused while a hub runs
    #[arg(long)]
    without_hub: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Restart modules, or the hub itself, and wait until they are ready
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

/// The target of a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// No name was given, or `hub`.
    Hub,
    /// Every module.
    All,
    /// These.
    Named(Vec<String>),
}

/// `hub` means the hub in every verb; it cannot be mixed with modules.
fn target(names: Vec<String>, all: bool) -> Result<Target, CliError> {
    match names.as_slice() {
        _ if all => Ok(Target::All),
        [] => Ok(Target::Hub),
        [name] if name == "hub" => Ok(Target::Hub),
        names if names.iter().any(|name| name == "hub") => {
            let text = "`hub` means the hub itself: name it alone, or name modules only";
            Err(CliError::new(ExitKind::Usage, text)
                .hint("parachute stop     (the hub and everything in it)"))
        }
        _ => Ok(Target::Named(names)),
    }
}

/// `parachute start`: starts an installed hub first.
///
/// # Errors
/// No hub, and none installed.
pub(crate) async fn start(cx: &Context, args: StartArgs) -> Result<VerbOutput, CliError> {
    owned::respect_machines(cx, "start").await?;
    offer::before(cx).await?;
    match target(args.names, args.all)? {
        Target::Hub => hub::start(cx, args.json).await,
        target => {
            hub::bring_up(cx).await?;
            match modules(cx, &cx.client(), Op::Start, target, args.json).await {
                Err(error) if error.kind == ExitKind::NoHub => Err(with_runs_on(cx, error).await),
                other => other,
            }
        }
    }
}

/// `parachute restart`
///
/// # Errors
/// No hub, or one that cannot be restarted.
pub(crate) async fn restart(cx: &Context, args: RestartArgs) -> Result<VerbOutput, CliError> {
    owned::respect_machines(cx, "restart").await?;
    offer::before(cx).await?;
    match target(args.names, args.all)? {
        Target::Hub => hub::restart(cx, args.json).await,
        target => modules(cx, &cx.client(), Op::Restart, target, args.json).await,
    }
}

/// `parachute stop`
///
/// # Errors
/// The hub cannot be reached. If no hub runs, that is not an error.
pub(crate) async fn stop(cx: &Context, args: StopArgs) -> Result<VerbOutput, CliError> {
    owned::respect_machines(cx, "stop").await?;
    offer::before(cx).await?;
    let target = target(args.names, args.all)?;
    if args.without_hub {
        return match target {
            Target::Hub => {
                let text = "`--without-hub` is for modules: name them, or say `--all`";
                Err(CliError::new(ExitKind::Usage, text).hint("parachute stop --all --without-hub"))
            }
            Target::All => without_hub::stop(cx, None, args.json).await,
            Target::Named(names) => without_hub::stop(cx, Some(names), args.json).await,
        };
    }
    match target {
        Target::Hub => hub::stop(cx, args.json).await,
        target => match modules(cx, &cx.client(), Op::Stop, target.clone(), args.json).await {
            Err(error) if error.kind == ExitKind::NoHub => {
                let mut left = orphans::running(cx).await?;
                if let Target::Named(names) = &target {
                    left.retain(|left| names.iter().any(|name| is_called(&left.short, name)));
                }
                if left.is_empty() {
                    Ok(hub::already_stopped(args.json))
                } else {
                    Err(orphans::unsupervised(&left))
                }
            }
            other => other,
        },
    }
}

/// There is no hub to start a module, and the modules that it would find are named.
async fn with_runs_on(cx: &Context, error: CliError) -> CliError {
    match orphans::running(cx).await {
        Ok(left) if !left.is_empty() => {
            let later = "the next hub takes it over, or ends it and starts it again";
            error.cause(format!("{}; {later}", orphans::words(&left)))
        }
        _ => error,
    }
}

/// Whether this typed name means the module with that short name.
fn is_called(short: &str, typed: &str) -> bool {
    short_of(typed).is_ok_and(|typed| typed.as_str() == short)
}

async fn modules(
    cx: &Context,
    client: &Client,
    op: Op,
    target: Target,
    json: bool,
) -> Result<VerbOutput, CliError> {
    let names = match target {
        Target::Named(names) => names,
        Target::All | Target::Hub => {
            let status: Status = client.get("/api/status").await?;
            status.modules.into_iter().map(|module| module.short).collect()
        }
    };
    let asked = names.iter().map(|name| one(cx, client, op, name));
    let outcomes: Vec<ModuleOutcome> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    let kind = if outcomes.iter().all(|outcome| outcome.ok) { ExitKind::Done } else { ExitKind::Failed };
    Ok(VerbOutput::report(json, &outcomes, kind, || match outcomes.as_slice() {
        [] => "there are no modules\n".to_owned(),
        outcomes => outcome::screen(outcomes, cx.style),
    }))
}

/// Sends the request for one module. A refusal is the result of this module; no hub is an error for all.
async fn one(cx: &Context, client: &Client, op: Op, name: &str) -> Result<ModuleOutcome, CliError> {
    let path = format!("/api/modules/{}/{}", encoded(name), op.word());
    match client.post::<OpReply>(&path, OP).await {
        Ok(reply) => Ok(ModuleOutcome::of(op, occupied::renew_reply(cx, reply))),
        Err(error @ (ClientError::NoHub { .. } | ClientError::Socket { .. })) => Err(error.into()),
        Err(error) => {
            let error = CliError::from(error);
            Ok(ModuleOutcome::refused(name, error.message, error.hints.into_iter().next()))
        }
    }
}

/// The name as one path segment.
pub(in crate::cli) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_a_verb() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let meant = |given: &[&str], all| target(names(given), all).map_err(|error| error.kind);
        assert_eq!(meant(&[], false), Ok(Target::Hub));
        assert_eq!(meant(&["hub"], false), Ok(Target::Hub));
        assert_eq!(meant(&[], true), Ok(Target::All));
        assert_eq!(meant(&["vault", "notes"], false), Ok(Target::Named(names(&["vault", "notes"]))));
        assert_eq!(meant(&["vault", "hub"], false), Err(ExitKind::Usage), "hub and modules cannot be mixed");
    }

    #[test]
    fn a_name_is_encoded_as_one_path_segment() {
        assert_eq!(encoded("a/../b?c"), "a%2F..%2Fb%3Fc");
    }
}
