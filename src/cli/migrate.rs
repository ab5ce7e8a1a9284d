//! `parachute migrate`: from the detached model to the supervised one.

use crate::manager::runner::Tools;
use crate::plan::Take;
use crate::process::person;

use super::context::Context;
use super::error::{CliError, Kind};
use super::said::Said;
use super::site::{self, Asked, Found};
use super::uninstall::{self, UninstallArgs};
use super::{cutover, legacy};

/// Move from detached daemons to the supervised hub
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct CutoverArgs {
    /// Stop the detached daemons and let the supervised hub take over
    #[arg(long, conflicts_with_all = ["list", "teardown"])]
    pub to_supervised: bool,
    /// Show what there is of the detached model, and whose it is
    #[arg(long, conflicts_with_all = ["teardown", "yes"])]
    pub list: bool,
    /// Take back the supervised hub
    #[arg(long)]
    pub teardown: bool,
    /// With --teardown: start the daemons from before again
    #[arg(long, requires = "teardown")]
    pub back_to_detached: bool,
    /// Finish a cutover that was broken off
    #[arg(long, conflicts_with_all = ["rollback", "dry_run", "list", "teardown"])]
    pub resume: bool,
    /// Undo a cutover that was broken off
    #[arg(long, conflicts_with_all = ["dry_run", "list", "teardown"])]
    pub rollback: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Replace a unit that was changed; stop daemons that could not be brought back
    #[arg(long)]
    pub force: bool,
    /// Whose services: yours alone, or the machine's (needs root)
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<site::ScopeArg>,
    /// As whom the hub runs, in the system scope
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Print the plan, or the outcome, as JSON
    #[arg(long)]
    pub json: bool,
}

impl CutoverArgs {
    /// The cutover, shown and asked about.
    pub(super) fn to_supervised() -> Self {
        Self {
            to_supervised: true,
            list: false,
            teardown: false,
            back_to_detached: false,
            resume: false,
            rollback: false,
            dry_run: false,
            yes: false,
            force: false,
            scope: None,
            user: None,
            json: false,
        }
    }
}

/// Runs it.
///
/// # Errors
/// Of the part that was asked for.
pub async fn run(cx: &Context, args: CutoverArgs) -> Result<Said, CliError> {
    if args.list {
        return list(cx, &args).await;
    }
    if args.teardown {
        return teardown(cx, args).await;
    }
    cutover::run(cx, &args).await
}

async fn list(cx: &Context, args: &CutoverArgs) -> Result<Said, CliError> {
    let asked = Asked { scope: args.scope, user: args.user.as_deref() };
    let found = match site::find(cx, &asked).await? {
        Found::Site(site) => legacy::look(cx, &site.home, &site.person, Some(&site.glance())).await?,
        Found::NoManager(_) => {
            let acting = person::by_uid(person::effective_uid())
                .map_err(|error| CliError::from_error(Kind::Failed, &error).hint("getent passwd"))?;
            legacy::look::<Tools>(cx, &cx.home, &acting, None).await?
        }
    };
    let listed = legacy::listed(&found);
    Ok(Said::report(args.json, &listed, Kind::Done, || legacy::screen(&listed, cx.style)))
}

/// Three endings: taken back (0), nothing there (3), failed (1).
async fn teardown(cx: &Context, args: CutoverArgs) -> Result<Said, CliError> {
    let take = if args.back_to_detached { Take::Everything } else { Take::Ours };
    let CutoverArgs { dry_run, yes, force, scope, user, json, .. } = args;
    let args = UninstallArgs { dry_run, yes, force, purge: false, scope, user, json };
    let (said, installed) = uninstall::take_back(cx, args, take).await?;
    let kind = if installed { said.kind } else { Kind::NotRunning };
    Ok(Said { kind, ..said })
}
