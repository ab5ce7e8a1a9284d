//! A verb of the supervised hub while the detached model still runs: it offers the cutover in a terminal, prints
//! the command elsewhere, and never acts by itself.

use std::time::Duration;

use crate::api::client::ClientError;
use crate::api::wire::Health;
use crate::home::fs::{self, PRIVATE, PRIVATE_DIR};
use crate::manager::runner::Tools;
use crate::migrate::planner::findings;
use crate::module::timestamp::Timestamp;
use crate::plan::daemon::{Daemon, names};
use crate::process::user;
use crate::ui::prompt::{self, Question};
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;

use super::context::Context;
use super::cutover::{self, CutoverArgs};
use super::error::{CliError, ExitKind};
use super::{detached, installation};

/// A declined offer is not repeated for this long.
const QUIET: Duration = Duration::from_secs(24 * 60 * 60);
/// The command that is offered.
const COMMAND: &str = "parachute migrate --to-supervised";

/// Runs before a verb about a supervised hub: if there is none and detached daemons run, the user means
/// those. Returns when the verb may continue: there are none, or the cutover was made.
///
/// # Errors
/// They run, and the cutover was declined or could not be offered; or it failed.
pub(super) async fn before(cx: &Context) -> Result<(), CliError> {
    let answer = cx.client().get::<Health>("/health").await;
    if !matches!(answer, Err(ClientError::NoHub { .. })) || installation::installed(cx).await.is_some() {
        return Ok(());
    }
    // If this is unknown, the verb itself reports the reason.
    let Some(daemons) = older(cx).await else { return Ok(()) };
    if !cx.interactive || is_declined(cx) {
        return Err(detached(&daemons));
    }
    Terminal.err(&format!("{}\n", printable(&words(&daemons))));
    let question = Question {
        text: "show what a cutover to the supervised hub would do?",
        flag: COMMAND,
        interactive: cx.interactive,
        style: cx.style,
    };
    if !prompt::confirm(&question, false)? {
        decline(cx)?;
        return Err(detached(&daemons));
    }
    let output = cutover::run(cx, &CutoverArgs::to_supervised()).await?;
    Terminal.err(&output.out);
    if output.kind == ExitKind::Done { Ok(()) } else { Err(detached(&daemons)) }
}

/// The detached daemons of this home, if there are any and they are known.
pub(super) async fn older(cx: &Context) -> Option<Vec<Daemon>> {
    let person = user::by_uid(user::effective_uid()).ok()?;
    let found = detached::look::<Tools>(cx, &cx.home, &person, None).await.ok()?;
    Some(findings(&found).daemons).filter(|daemons| !daemons.is_empty())
}

/// Their text.
pub(super) fn words(daemons: &[Daemon]) -> String {
    let names = names(daemons.iter().map(|daemon| (daemon.name.as_str(), &daemon.leader)));
    format!("no supervised hub runs; {names} run detached, started by an older version")
}

fn detached(daemons: &[Daemon]) -> CliError {
    CliError::new(ExitKind::NoHub, words(daemons)).hint(COMMAND).hint("parachute migrate --list")
}

fn declined_file(cx: &Context) -> std::path::PathBuf {
    cx.home.run_dir().join("cutover-declined")
}

fn is_declined(cx: &Context) -> bool {
    let output = fs::read_if_there(&declined_file(cx), 64).ok().flatten();
    let at = output.and_then(|bytes| Timestamp::parse(std::str::from_utf8(&bytes).ok()?.trim()));
    // A time in the future is not a decision of today.
    at.is_some_and(|at| at <= cx.now && cx.now.since(at) < QUIET)
}

fn decline(cx: &Context) -> Result<(), CliError> {
    let written = fs::make_dir(&cx.home.run_dir(), PRIVATE_DIR)
        .and_then(|()| fs::put(&declined_file(cx), PRIVATE, format!("{}\n", cx.now).as_bytes()));
    written.map_err(|error| CliError::from_error(ExitKind::Failed, error).hint(COMMAND))
}
