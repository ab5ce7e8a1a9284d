//! `parachute uninstall`: the inverse of the installation, from the receipt.

use serde::Serialize;

use crate::cli::apply;
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Found, Installation, ScopeArgs};
use crate::cli::orphans;
use crate::cli::output::VerbOutput;
use crate::cli::owned;
use crate::cli::purge::{Listing, Purge, Purged};
use crate::cli::standby;
use crate::error_chain;
use crate::home::fs;
use crate::install::owner::{Owner, Owners};
use crate::manager::runner::Tools;
use crate::module::shell::{quote, quote_path};
use crate::plan::events::UnfinishedPlan;
use crate::plan::host::observe_all;
use crate::plan::host::real::RealHost;
use crate::plan::journal::{peek_receipt, peek_unfinished};
use crate::plan::observed::Observed;
use crate::plan::receipt::Receipt;
use crate::plan::show::PlanView;
use crate::plan::step::{Key, Step};
use crate::plan::{Note, Plan, UndoScope, Verb, undo_plan};
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;
use crate::unit::name::UnitName;

/// Uninstall the hub: undo what `init` did
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct UninstallArgs {
    /// Show what would be done; change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Undo also what was changed after the installation
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Delete the home too: modules' data, logs, tokens
    #[arg(long)]
    pub(in crate::cli) purge: bool,
    #[command(flatten)]
    pub(in crate::cli) whose: ScopeArgs,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// The output of `uninstall --json`.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether there was an installation.
    installed: bool,
    /// Steps that changed something.
    performed: usize,
    /// What stays: the user's own files.
    kept: Option<String>,
    /// The command that deletes them.
    #[serde(skip)]
    purge: String,
    /// The home that was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<Purged>,
    /// The owner of the restored earlier hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<String>,
    /// Files that were changed since, and left.
    notes: Vec<Note>,
}

/// The output of `uninstall --dry-run --json`.
#[derive(Debug, Serialize)]
struct Preview<'a> {
    #[serde(flatten)]
    plan: &'a PlanView,
    /// The home that would be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<Listing<'a>>,
}

/// Uninstalls.
///
/// # Errors
/// Questions without an answer, steps that fail, a receipt that cannot be read.
pub(crate) async fn run(cx: &Context, args: UninstallArgs) -> Result<VerbOutput, CliError> {
    take_back(cx, args, UndoScope::OnlyAdded).await.map(|(output, _)| output)
}

/// Undoes our changes, or everything down to the state before. Also returns whether there was an installation.
///
/// # Errors
/// As [`run`].
pub(crate) async fn take_back(
    cx: &Context,
    args: UninstallArgs,
    scope: UndoScope,
) -> Result<(VerbOutput, bool), CliError> {
    let installation = match installation::find(cx, &args.whose).await? {
        Found::Installation(installation) => installation,
        Found::NoManager(none) => return Err(installation::no_manager(&none)),
    };
    let act = if scope == UndoScope::Everything { owned::TEARDOWN } else { owned::UNINSTALL };
    let owners = owned::owners(&installation)?;
    let (cx, installation) = owned::at_its_home(cx, *installation, &owners);
    let cx = &cx;
    let mut host = installation.host();
    let open = peek_unfinished(&installation.layout.state).map_err(apply::unopened)?;
    may_take_back(&installation, open.is_some(), act, args.force)?;
    let purge = if args.purge {
        let receipt = peek_receipt(&installation.layout.state).map_err(apply::unopened)?;
        let hub = installation.driver.state(&UnitName::hub()).await;
        Purge::prepare(&installation, receipt.is_empty() || hub.running().is_false())?
    } else {
        None
    };
    let receipt = || peek_receipt(&installation.layout.state).map_err(apply::unopened);
    let earlier = receipt()?;
    let mut finished = false;
    if let Some(log) = open.filter(|_| !args.dry_run) {
        finished = end_interrupted(cx, &args.whose, &mut host, &installation, &log, scope).await?;
        // Else something was left, which this run may be told to remove.
        finished &= receipt()?.depth() < earlier.depth();
        // The installation beneath it may be another owner's.
        if !finished {
            may_take_back(&installation, false, act, args.force)?;
        }
    }
    // One that is finished is not followed by that of the installation beneath it.
    let receipt = if finished { Receipt::default() } else { receipt()? };
    let restored = restored(if finished { &earlier } else { &receipt }, &installation);
    let now = observe_all(&host, &receipt.steps()).await.map_err(apply::unseen)?;
    let plan = undo_plan(&receipt, &now, scope, args.force);
    let (shown, found) = apply::look(&plan, &host, &installation.driver.manager).await?;
    let missing = missing(&plan, &found);
    if !missing.is_empty() {
        return Err(not_again(&missing));
    }
    if args.dry_run {
        let delete = purge.as_ref().map(Purge::listing);
        let preview = Preview { plan: &shown, delete };
        let output = VerbOutput::report(args.json, &preview, ExitKind::Done, || {
            before(cx.style, &receipt, &shown, purge.as_ref())
        });
        return Ok((output, !receipt.is_empty()));
    }
    if receipt.is_empty() && purge.is_none() && !finished {
        return Ok((nothing_here(cx, &args, &installation, &owners), false));
    }
    let is_agreed = args.yes || (finished && purge.is_none());
    if !is_agreed {
        let beside = purge.as_ref().map_or_else(String::new, |purge| purge.screen(cx.style));
        let agreed = match (&purge, receipt.is_empty()) {
            (None, _) => apply::agreed(cx, &shown, "uninstall this?", "")?,
            (Some(_), false) => {
                apply::agreed_to_delete(cx, Some(&shown), "uninstall and delete this?", &beside)?
            }
            (Some(_), true) => {
                let beside = format!("{NOT_INSTALLED}{beside}");
                apply::agreed_to_delete(cx, None, "delete this?", &beside)?
            }
        };
        if !agreed {
            let output = VerbOutput { out: "nothing was changed\n".to_owned(), kind: ExitKind::Failed };
            return Ok((output, true));
        }
    }
    let mut performed = 0;
    let mut notes = plan.notes.clone();
    // Also without steps: changes that need no undoing are removed from the receipt.
    if !receipt.is_empty() {
        let work = apply::run(cx, &plan, &found, &mut host, &installation.layout.state);
        let done = standby::watched(cx, &args.whose, &plan, work).await?;
        performed = done.performed;
        notes.extend(done.notes);
    }
    // Of a unit that had failed its stop has ended nothing. The hub beneath, if there is one, runs its own modules.
    if (finished || !receipt.is_empty())
        && restored.is_none()
        && let Err(error) = orphans::end_in_unit(&installation).await
    {
        notes.push(Note { text: error.message, hint: error.hints.into_iter().next() });
    }
    let deleted = match purge {
        Some(purge) => Some(purge.run(apply::fault(cx)?)?),
        None => None,
    };
    let root = installation.home.root();
    let kept = (!args.purge && fs::exists(root)).then(|| root.display().to_string());
    let whole = notes.is_empty() && deleted.as_ref().is_none_or(Purged::is_whole);
    let kind = if whole { ExitKind::Done } else { ExitKind::Failed };
    let report = Report {
        installed: finished || !receipt.is_empty(),
        performed,
        kept,
        purge: purging(cx, &args),
        deleted,
        restored,
        notes,
    };
    let output = VerbOutput::report(args.json, &report, kind, || screen(&report, cx.style));
    Ok((output, report.installed))
}

/// Ends an interrupted plan in the direction of this verb: an uninstallation is finished, anything else is undone.
/// Returns whether it was finished.
///
/// # Errors
/// As [`run`].
async fn end_interrupted(
    cx: &Context,
    whose: &ScopeArgs,
    host: &mut RealHost<Tools>,
    installation: &Installation,
    log: &UnfinishedPlan,
    scope: UndoScope,
) -> Result<bool, CliError> {
    let (verb, state) = (log.plan.verb, &installation.layout.state);
    let starts_daemons = log.plan.steps.iter().any(|step| matches!(step, Step::StartDaemons { .. }));
    let finishes =
        verb == Verb::Uninstall && scope == UndoScope::OnlyAdded && !starts_daemons && !log.undoing;
    if finishes {
        Terminal.err(&format!("an earlier `{verb}` was interrupted; it is finished\n"));
        match standby::resume_or_undo(cx, whose, host, state, apply::Recovery::Finish).await {
            Ok(output) => {
                Terminal.err(&output.out);
                return Ok(true);
            }
            // What another program changed meanwhile is left by an undo, and the rest is uninstalled then.
            Err(error) if peek_unfinished(state).map_err(apply::unopened)?.is_none() => return Err(error),
            Err(_) => {}
        }
    }
    Terminal.err(&format!("an earlier `{verb}` was interrupted; it is undone first\n"));
    let output = standby::resume_or_undo(cx, whose, host, state, apply::Recovery::RollBack).await?;
    Terminal.err(&output.out);
    Ok(false)
}

/// Refuses another owner's. A home without an installation has nothing to undo, whatever its user's own
/// manager runs.
fn may_take_back(
    installation: &Installation,
    open: bool,
    act: owned::Act,
    force: bool,
) -> Result<(), CliError> {
    let receipt = peek_receipt(&installation.layout.state).map_err(apply::unopened)?;
    if open || !receipt.is_empty() || installation.driver.manager.is_system() {
        owned::respect(installation, &owned::owners(installation)?, act, force)?;
    }
    Ok(())
}

/// The owner of the earlier hub, which is restored.
fn restored(receipt: &Receipt, installation: &Installation) -> Option<String> {
    let record = receipt.get(&Key::File(installation.driver.manager.file(&UnitName::hub())))?;
    let text = record.before.entry()?.text()?;
    Owner::of_unit(text, &installation.driver.manager.target(), &installation.person)
        .map(|owner| owner.to_string())
}

/// Daemons that could not be started again: their names, and what is missing.
fn missing(plan: &Plan, found: &[Observed]) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for (step, found) in plan.steps.iter().zip(found) {
        let (Step::StartDaemons { daemons }, Observed::Daemons { running }) = (step, found) else { continue };
        for daemon in daemons.iter().filter(|daemon| !running.contains(daemon)) {
            if let Err(error) = daemon.record.check() {
                missing.push((daemon.name.clone(), error_chain::of(&error)));
            }
        }
    }
    missing
}

/// The error before the hub is stopped, because it would have to be started again.
fn not_again(missing: &[(String, String)]) -> CliError {
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!("{} could not be started again; nothing was changed", names.join(", "));
    let mut cli = CliError::new(ExitKind::NeedsPerson, text)
        .hint("restore what is missing, then: parachute migrate --teardown --back-to-detached");
    cli.causes = missing.iter().map(|(name, because)| format!("{name}: {because}")).collect();
    cli.hints.push("parachute migrate --teardown     (starts none of them)".to_owned());
    cli
}

/// No receipt: nothing is changed, whatever files exist.
fn nothing_here(
    cx: &Context,
    args: &UninstallArgs,
    installation: &Installation,
    owners: &Owners,
) -> VerbOutput {
    let hub = UnitName::hub();
    let file = installation.driver.manager.file(&hub);
    let mut notes = Vec::new();
    if fs::exists(&file) {
        let whose = match owners.other(&installation.person, installation.home.root()) {
            Some(owner) => format!("is that of {owner}"),
            None => "was not installed by this program".to_owned(),
        };
        let text = format!("{} {whose} and is left alone", file.display());
        notes.push(Note { text, hint: Some(format!("ls -l {}", file.display())) });
    }
    let report = Report {
        installed: false,
        performed: 0,
        kept: None,
        purge: String::new(),
        deleted: None,
        restored: None,
        notes,
    };
    VerbOutput::report(args.json, &report, ExitKind::Done, || screen(&report, cx.style))
}

/// The same command, with `--purge`.
fn purging(cx: &Context, args: &UninstallArgs) -> String {
    let mut words = vec!["parachute".to_owned()];
    if cx.home_named {
        words.extend(["--home".to_owned(), quote_path(cx.home.root())]);
    }
    words.extend(["uninstall".to_owned(), "--purge".to_owned()]);
    words.extend(args.whose.words().iter().map(|word| quote(word)));
    words.join(" ")
}

const NOT_INSTALLED: &str = "nothing is installed\n";

/// What would be done, for a screen.
fn before(style: Style, receipt: &Receipt, shown: &PlanView, purge: Option<&Purge>) -> String {
    let plan = match (receipt.is_empty(), purge) {
        (true, Some(_)) => NOT_INSTALLED.to_owned(),
        _ => apply::screen(shown, style),
    };
    plan + &purge.map_or_else(String::new, |purge| purge.screen(style))
}

fn screen(report: &Report, style: Style) -> String {
    let mut out = apply::notes(&report.notes, style);
    if !report.installed && report.deleted.is_some() {
        out.push_str("nothing was installed\n");
    } else if !report.installed && report.performed == 0 {
        out.push_str("nothing is installed: nothing to undo\n");
    } else if report.notes.is_empty() {
        let left = match &report.restored {
            Some(owner) => format!("the hub of {} is back", printable(owner)),
            None => "nothing is left of it".to_owned(),
        };
        out.push_str(&format!("{} uninstalled: {left}\n", style.good("✓")));
    } else {
        out.push_str("uninstalled, except for what is named above\n");
    }
    if let Some(deleted) = &report.deleted {
        out.push_str(&deleted.screen(style));
    }
    if let Some(kept) = &report.kept {
        out.push_str(&format!("  your home {} stays, with your modules' data\n", printable(kept)));
        out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(&report.purge)));
    }
    out
}
