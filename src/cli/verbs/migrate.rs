//! `parachute migrate`: from an older version's files and daemons to the supervised hub.

mod sweep;

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::cutover::{self, CutoverArgs};
use crate::cli::detached;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Found, ScopeArgs};
use crate::cli::output::VerbOutput;
use crate::manager::runner::Tools;
use crate::plan::UndoScope;
use crate::process::user;

use super::uninstall::{self, UninstallArgs};
use sweep::SweepArgs;

/// Move from the detached daemons of Parachute 0.6 to the supervised hub. Without a mode: its leftovers go into an archive
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct MigrateArgs {
    /// Stop the detached daemons and let the supervised hub take over
    #[arg(long, conflicts_with_all = ["list", "teardown", "unarchive"])]
    to_supervised: bool,
    /// List detached daemons and who owns them, files of older versions, archives
    #[arg(long, conflicts_with_all = ["teardown", "yes", "dry_run", "unarchive"])]
    list: bool,
    /// Uninstall the supervised hub
    #[arg(long, conflicts_with = "unarchive")]
    teardown: bool,
    /// With --teardown: start the detached daemons again
    #[arg(long, requires = "teardown")]
    back_to_detached: bool,
    /// Finish an interrupted cutover
    #[arg(long, conflicts_with_all = ["rollback", "dry_run", "list", "teardown", "unarchive"])]
    resume: bool,
    /// Undo an interrupted cutover
    #[arg(long, conflicts_with_all = ["dry_run", "list", "teardown", "unarchive"])]
    rollback: bool,
    /// Move back what was moved into the archive of that day
    #[arg(long, value_name = "DATE", value_parser = sweep::day)]
    unarchive: Option<String>,
    /// Show what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// With --to-supervised: replace a unit that was changed, stop what could not be brought back or may not come
    /// up. With --rollback: leave what cannot be undone and close the plan
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    whose: ScopeArgs,
    /// Print the plan, or the outcome, as JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// Those of the selected mode.
pub(crate) async fn run(cx: &Context, args: MigrateArgs) -> Result<VerbOutput, CliError> {
    if args.list {
        return list(cx, &args).await;
    }
    if args.teardown {
        return teardown(cx, args).await;
    }
    let MigrateArgs { to_supervised, resume, rollback, unarchive, dry_run, yes, force, whose, json, .. } =
        args;
    if to_supervised || resume || rollback {
        let args = CutoverArgs { resume, rollback, dry_run, yes, force, whose, json };
        return cutover::run(cx, &args).await;
    }
    sweep::run(cx, SweepArgs { dry_run, yes, unarchive, json }).await
}

/// The output of `migrate --list --json`.
#[derive(Debug, Serialize)]
struct Everything {
    /// Daemons and their files.
    #[serde(flatten)]
    detached: detached::Listed,
    /// Leftovers and archives.
    #[serde(flatten)]
    left: sweep::Report,
}

async fn list(cx: &Context, args: &MigrateArgs) -> Result<VerbOutput, CliError> {
    let found = match installation::find(cx, &args.whose).await? {
        Found::Installation(installation) => {
            detached::look(cx, &installation.home, &installation.person, Some(&installation.glance())).await?
        }
        Found::NoManager(_) => {
            let acting = user::by_uid(user::effective_uid())
                .map_err(|error| CliError::from_error(ExitKind::Failed, error).hint("getent passwd"))?;
            detached::look::<Tools>(cx, &cx.home, &acting, None).await?
        }
    };
    let everything = Everything { detached: detached::listed(&found), left: sweep::listed(cx)? };
    Ok(VerbOutput::report(args.json, &everything, ExitKind::Done, || {
        detached::screen(&everything.detached, cx.style) + &sweep::screen(cx, &everything.left)
    }))
}

/// Three results: undone (0), nothing installed (3), failed (1).
async fn teardown(cx: &Context, args: MigrateArgs) -> Result<VerbOutput, CliError> {
    let undo_scope = if args.back_to_detached { UndoScope::Everything } else { UndoScope::OnlyAdded };
    let MigrateArgs { dry_run, yes, force, whose, json, .. } = args;
    let args = UninstallArgs { dry_run, yes, force, purge: false, whose, json };
    let (output, installed) = uninstall::take_back(cx, args, undo_scope).await?;
    let kind = if installed { output.kind } else { ExitKind::NotRunning };
    Ok(VerbOutput { kind, ..output })
}
