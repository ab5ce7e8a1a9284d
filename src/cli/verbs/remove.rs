//! `parachute remove`

use serde::Serialize;

use crate::api::client::{Client, ClientError, OP};
use crate::api::wire::{ApiError, OpReply};
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::orphans;
use crate::cli::output::VerbOutput;
use crate::home::services::PATIENCE;
use crate::home::{registration, services};
use crate::module::name::Short;
use crate::module::row::short_of;
use crate::process::fifo;
use crate::ui::prompt::{self, Question};

use super::start_stop::encoded;

/// Remove a module
#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// Module, by short name or row name
    #[arg(value_name = "NAME")]
    name: String,
    /// Delete its environment and logs too
    #[arg(long)]
    purge: bool,
    /// Do not ask before deleting
    #[arg(short, long)]
    yes: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    row: String,
    deleted: Vec<String>,
    kept: Vec<String>,
}

/// Stops the module, then removes its row.
///
/// # Errors
/// No such module, no answer to the question, files that cannot be changed.
pub(crate) async fn run(cx: &Context, args: RemoveArgs) -> Result<VerbOutput, CliError> {
    let short = short_of(&args.name)
        .map_err(|error| CliError::from_error(ExitKind::Usage, error).hint("parachute status"))?;
    if args.purge && !args.yes {
        let dir = cx.home.module(&short);
        let question = Question {
            text: &format!("delete {} with everything in it?", dir.display()),
            flag: &format!("parachute remove {short} --purge --yes"),
            interactive: cx.interactive,
            style: cx.style,
        };
        if !prompt::confirm(&question, false)? {
            return Err(CliError::new(ExitKind::Failed, "nothing was changed").hint("parachute status"));
        }
    }
    // An unwritable file is found before the module is stopped, not after.
    let unreadable = |error| CliError::from_error(ExitKind::Failed, error).hint("parachute status");
    let rows = services::read(&cx.home).map_err(unreadable)?;
    let meant = services::named(&cx.home, &args.name).map_err(unreadable)?;
    let client = cx.client();
    // If another row with this short name is the running module, only this row is removed, and the module keeps
    // running.
    let runs_another =
        rows.row(&short).is_some_and(|row| meant.as_ref().is_some_and(|name| row.name != *name));
    if !runs_another {
        stop(cx, &client, &short).await?;
    }
    let removed = registration::remove(&cx.home, &args.name, args.purge, PATIENCE)
        .map_err(|error| CliError::from_error(ExitKind::Failed, error).hint("parachute status"))?;
    // The row is removed whatever the hub answers; the hub also notices by itself, within a second.
    let told = client.post::<serde_json::Value>("/api/reload", OP).await;
    if !runs_another && matches!(told, Err(ClientError::NoHub { .. })) {
        // Left by a killed hub, and no process of the module is. What stays here is removed by the next hub.
        let _ = fifo::remove(&cx.home.outputs(), &short);
    }
    let names = |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    let report = Report { row: removed.row, deleted: names(&removed.deleted), kept: names(&removed.kept) };
    Ok(VerbOutput::report(args.json, &report, ExitKind::Done, || screen(&report)))
}

async fn stop(cx: &Context, client: &Client, short: &Short) -> Result<(), CliError> {
    let stopped = client.post::<OpReply>(&format!("/api/modules/{}/stop", encoded(short.as_str())), OP).await;
    match stopped {
        Ok(OpReply { ok: false, problem: Some(problem), .. }) => {
            let mut error = CliError::new(ExitKind::Failed, problem.error_description);
            error.hints.extend(problem.next);
            return Err(error);
        }
        Ok(OpReply { ok: false, problem: None, .. }) => {
            let text = format!("{short} is not removed; the hub gives no reason");
            return Err(CliError::new(ExitKind::Failed, text).hint(format!("parachute why {short}")));
        }
        Ok(_) => {}
        Err(ClientError::NoHub { .. }) => {
            let mut left = orphans::running(cx).await?;
            left.retain(|left| left.short == short.as_str());
            if !left.is_empty() {
                return Err(orphans::unsupervised(&left));
            }
        }
        // Unknown to the hub: the row decides. After any other refusal it may still run.
        Err(ClientError::Refused(error, _)) if has_no_module(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The hub has no module with this name.
fn has_no_module(error: &ApiError) -> bool {
    matches!(error.error.as_str(), "unknown_module" | "not_supervised")
}

fn screen(report: &Report) -> String {
    let mut out = format!("✓ {} removed\n", report.row);
    for (word, paths) in [("deleted", &report.deleted), ("kept", &report.kept)] {
        for path in paths {
            out.push_str(&format!("  {word} {path}\n"));
        }
    }
    out
}
