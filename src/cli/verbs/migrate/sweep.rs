//! `parachute migrate` without a mode: moves leftovers at the root of the home into the archive of the day, and back.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::api::wire::Status;
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::output::VerbOutput;
use crate::cli::{apply, installation};
use crate::home::fs::{self, FsError};
use crate::home::lock::Lock;
use crate::manager::runner::Tools;
use crate::manager::state::{Active, Told};
use crate::migrate::archive::{self, ArchiveMove, Leftover, Stay};
use crate::migrate::guard::{self, HomeUser};
use crate::migrate::sweep::{self, Archive};
use crate::plan::host::observe_all;
use crate::plan::host::real::RealHost;
use crate::plan::journal::peek_unfinished;
use crate::plan::{Plan, Verb};
use crate::ui::prompt::{self, Question};
use crate::ui::terminal::Terminal;
use crate::unit::name::UnitName;

mod screen;

/// The options of a sweep.
#[derive(Debug)]
pub(super) struct SweepArgs {
    /// Only show it.
    pub(super) dry_run: bool,
    /// Do not ask.
    pub(super) yes: bool,
    /// Restore the files that were moved on that day.
    pub(super) unarchive: Option<String>,
    pub(super) json: bool,
}

/// Parses a day.
pub(super) fn day(text: &str) -> Result<String, String> {
    if archive::is_day(text) { Ok(text.to_owned()) } else { Err("a day looks like 2026-03-01".to_owned()) }
}

/// The output of `migrate --json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Whether anything was moved.
    done: bool,
    /// Every file at the root that this version does not use, before the moves.
    leftovers: Vec<Leftover>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<PathBuf>,
    /// The moves, done or planned.
    moves: Vec<ArchiveMove>,
    /// Files that are not restored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stays: Vec<Stay>,
    /// An earlier sweep was interrupted: the next one finishes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
    /// All archives of this home.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    archives: Vec<Archive>,
}

/// Runs it.
///
/// # Errors
/// The home is in use, a question has no answer, a step fails.
pub(super) async fn run(cx: &Context, args: SweepArgs) -> Result<VerbOutput, CliError> {
    if !args.dry_run {
        finish_earlier(cx).await?;
    }
    match &args.unarchive {
        Some(day) => back(cx, &args, day).await,
        None => away(cx, &args).await,
    }
}

/// The leftovers and archives.
///
/// # Errors
/// They cannot be read.
pub(super) fn listed(cx: &Context) -> Result<Report, CliError> {
    let log = peek_unfinished(&cx.home.install_dir()).map_err(apply::unopened)?;
    Ok(Report {
        unfinished: log.is_some_and(|log| log.plan.verb == Verb::Sweep),
        leftovers: sweep::leftovers(&cx.home).map_err(unread)?,
        archives: sweep::archives(&cx.home).map_err(unread)?,
        ..Report::default()
    })
}

/// The same as text.
#[must_use]
pub(super) fn screen(cx: &Context, report: &Report) -> String {
    screen::list(report, cx.home.root(), cx.style)
}

/// Moves leftovers into the archive of the day.
async fn away(cx: &Context, args: &SweepArgs) -> Result<VerbOutput, CliError> {
    let root = cx.home.root();
    let leftovers = sweep::leftovers(&cx.home).map_err(unread)?;
    let to = archive::dir(root, &cx.today());
    let taken = sweep::taken(&to).map_err(unread)?;
    let moves = archive::away(root, &to, &leftovers, &taken);
    let plan = archive::plan_away(&to, &moves);
    let none = moves.is_empty();
    let mut report = Report { leftovers, archive: (!none).then(|| to.clone()), moves, ..Report::default() };
    let show = |report: &Report| screen::away(report, root, cx.style);
    if none || args.dry_run {
        return Ok(VerbOutput::report(args.json, &report, ExitKind::Done, || show(&report)));
    }
    let _lock = unused(cx).await?;
    if !args.yes {
        Terminal.err(&show(&report));
        let day = day_of(&to);
        let mut agreed = ask(cx, &format!("move them into .archive-{day}?"))?;
        let live = screen::databases(&report.leftovers);
        if agreed && !live.is_empty() {
            agreed = ask(cx, &format!("is {live} closed in every other program?"))?;
        }
        if !agreed {
            return Ok(VerbOutput { out: "nothing was changed\n".to_owned(), kind: ExitKind::Failed });
        }
    }
    apply(cx, &plan).await?;
    report.done = true;
    Ok(VerbOutput::report(args.json, &report, ExitKind::Done, || show(&report)))
}

/// Restores files from an archive.
async fn back(cx: &Context, args: &SweepArgs, day: &str) -> Result<VerbOutput, CliError> {
    let root = cx.home.root();
    let from = archive::dir(root, day);
    if !fs::is_dir(&from) {
        return Err(CliError::new(
            ExitKind::Failed,
            format!("there is no archive of {day} in {}", root.display()),
        )
        .hint("parachute migrate --list"));
    }
    let names = sweep::names(&from).map_err(unread)?;
    let taken = sweep::taken(root).map_err(unread)?;
    let (moves, stays) = archive::back(root, &from, &names, &taken);
    let plan = archive::plan_back(&from, &moves);
    let kind = if stays.is_empty() { ExitKind::Done } else { ExitKind::Failed };
    let mut report = Report { archive: Some(from), moves, stays, ..Report::default() };
    let show = |report: &Report| screen::back(report, root, cx.style);
    if args.dry_run {
        return Ok(VerbOutput::report(args.json, &report, ExitKind::Done, || show(&report)));
    }
    if report.moves.is_empty() && !report.stays.is_empty() {
        return Ok(VerbOutput::report(args.json, &report, kind, || show(&report)));
    }
    let _lock = unused(cx).await?;
    if !args.yes {
        Terminal.err(&show(&report));
        if !ask(cx, "move them back?")? {
            return Ok(VerbOutput { out: "nothing was changed\n".to_owned(), kind: ExitKind::Failed });
        }
    }
    apply(cx, &plan).await?;
    report.done = true;
    Ok(VerbOutput::report(args.json, &report, kind, || show(&report)))
}

/// Enter alone means no: a sweep is not urgent. Without a terminal the error names the flag.
fn ask(cx: &Context, text: &str) -> Result<bool, CliError> {
    let question = Question { text, flag: "--yes", interactive: cx.interactive, style: cx.style };
    prompt::confirm(&question, false).map_err(|error| {
        let mut cli = CliError::from(error);
        if cli.kind == ExitKind::Usage {
            cli.kind = ExitKind::Failed;
            cli.hints = vec!["parachute migrate --yes".to_owned()];
        }
        cli
    })
}

/// Checks that no process uses the home; no hub starts on it while the lock is held.
async fn unused(cx: &Context) -> Result<Option<Lock>, CliError> {
    let mut users = Vec::new();
    let lock = match cx.client().get::<Status>("/api/status").await {
        Ok(status) => {
            let who = format!("the hub answers (pid {})", status.hub.pid);
            users.push(HomeUser { who, next: "parachute stop".to_owned() });
            None
        }
        Err(_) => guard::lock(&cx.home).unwrap_or_else(|user| {
            users.push(user);
            None
        }),
    };
    if users.is_empty() {
        users.extend(kept(cx).await);
    }
    users.extend(guard::users(&cx.home, cx.now));
    if users.is_empty() {
        return Ok(lock);
    }
    let mut cli = CliError::new(
        ExitKind::Failed,
        format!("{} is in use, so nothing is moved", cx.home.root().display()),
    );
    for user in users {
        cli.causes.push(user.who);
        if !cli.hints.contains(&user.next) {
            cli.hints.push(user.next);
        }
    }
    Err(cli)
}

/// A hub that its manager runs, or is about to start. A manager that does not answer proves nothing.
async fn kept(cx: &Context) -> Option<HomeUser> {
    let installation = installation::installed(cx).await?;
    let hub = UnitName::hub();
    match installation.driver.state(&hub).await.active {
        Told::Known(Active::Running | Active::Starting | Active::Stopping | Active::Restarting) => {
            let manager = &installation.driver.manager;
            let who = format!("{} runs {}", manager.words(), manager.name_of(&hub));
            Some(HomeUser { who, next: "parachute stop".to_owned() })
        }
        Told::Known(Active::Stopped | Active::Failed | Active::Idle) | Told::Unknown(_) => None,
    }
}

/// The machine for sweeps: they change files only.
fn real_host(cx: &Context) -> RealHost<Tools> {
    RealHost::without_manager(&cx.home.install_dir(), cx.client())
}

async fn apply(cx: &Context, plan: &Plan) -> Result<(), CliError> {
    let mut host = real_host(cx);
    let found = observe_all(&host, &plan.steps).await.map_err(apply::unseen)?;
    apply::run(cx, plan, &found, &mut host, &cx.home.install_dir()).await.map(|_| ())
}

/// An interrupted sweep was already agreed to: it is finished, or, if its files were changed meanwhile,
/// undone. Any other plan is left to its own verb.
async fn finish_earlier(cx: &Context) -> Result<(), CliError> {
    let state = cx.home.install_dir();
    let Some(log) = peek_unfinished(&state).map_err(apply::unopened)? else { return Ok(()) };
    if log.plan.verb != Verb::Sweep {
        let text = format!("an earlier `parachute {}` was interrupted", log.plan.verb);
        let next =
            if log.plan.verb == Verb::Init { "init --resume".to_owned() } else { log.plan.verb.to_string() };
        return Err(CliError::new(ExitKind::Failed, text).hint(format!("parachute {next}")));
    }
    let _lock = unused(cx).await?;
    Terminal.err("an earlier `parachute migrate` was interrupted; it is finished first\n");
    let mut host = real_host(cx);
    match apply::resume_or_undo(cx, &mut host, &state, apply::Recovery::Finish).await {
        Ok(output) => {
            Terminal.err(&output.out);
            Ok(())
        }
        Err(error) => {
            if peek_unfinished(&state).is_ok_and(|log| log.is_some()) {
                Terminal.err(&error.screen(cx.style));
                Terminal
                    .err(&apply::resume_or_undo(cx, &mut host, &state, apply::Recovery::RollBack).await?.out);
            }
            Err(error)
        }
    }
}

fn unread(error: FsError) -> CliError {
    CliError::from_error(ExitKind::Failed, error)
}

fn day_of(archive: &Path) -> String {
    archive.file_name().and_then(archive::day).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
