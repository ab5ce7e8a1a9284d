//! `parachute doctor`: all checks, their results and the next commands; on request, a plan that repairs problems.

use serde::Serialize;

use crate::cli::apply;
use crate::cli::context::Context;
use crate::cli::detached;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Found, Installation, NoManager, ScopeArgs};
use crate::cli::orphans;
use crate::cli::output::VerbOutput;
use crate::cli::owned;
use crate::cli::standby;
use crate::doctor::check::{Check, Verdict, worst};
use crate::doctor::checks;
use crate::doctor::facts::{DoctorFacts, InstallationFacts};
use crate::doctor::fix;
use crate::doctor::gather::{self, Looking};
use crate::install::refusal::InstallRefusal;
use crate::manager::cached_runner::CachedRunner;
use crate::manager::runner::Tools;
use crate::manager::state::Told;
use crate::plan::Note;
use crate::process::user;
use crate::ui::style::Style;
use crate::ui::table::{Cell, Table};
use crate::ui::text::printable;

/// Check everything about the hub, and mend what can be mended
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct DoctorArgs {
    /// Repair what can be repaired: shown first, then done
    #[arg(long)]
    fix: bool,
    /// With --fix: show what would be done; change nothing
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// With --fix: do not ask for confirmation
    #[arg(short, long, requires = "fix")]
    yes: bool,
    #[command(flatten)]
    whose: ScopeArgs,
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
}

/// The output.
#[derive(Debug, Serialize)]
struct Report {
    /// The worst of all checks.
    verdict: Verdict,
    /// Steps of `--fix` that changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<usize>,
    /// Notes about them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Note>,
    /// The results.
    checks: Vec<Check>,
}

/// Runs the checks, and with `--fix` repairs and checks again.
///
/// # Errors
/// With `--fix` only: no plan can be made, questions without an answer, steps that fail.
pub(crate) async fn run(cx: &Context, args: DoctorArgs) -> Result<VerbOutput, CliError> {
    let (cx, installation) = match find(cx, &args.whose).await {
        Ok(installation) => own(cx, installation, args.fix)?,
        Err(install) => (cx.clone(), Err(install)),
    };
    let cx = &cx;
    let facts = look(cx, &installation).await;
    let checks = checks::all(&facts);
    if args.fix {
        return mend(cx, &args, installation, &facts, checks).await;
    }
    Ok(output(cx, &args, Report { verdict: worst(&checks), mended: None, notes: Vec::new(), checks }))
}

/// The installation of this home, or the place where `init` would create one.
async fn find(cx: &Context, asked: &ScopeArgs) -> Result<Installation, InstallationFacts> {
    if asked.scope.is_none()
        && asked.user.is_none()
        && let Some(installation) = installation::installed(cx).await
    {
        return Ok(installation);
    }
    match installation::find(cx, asked).await {
        Ok(Found::Installation(installation)) => Ok(*installation),
        Ok(Found::NoManager(none)) => Err(no_manager(&none)),
        Err(error) => Err(InstallationFacts::Untold {
            next: error.hints.first().cloned().unwrap_or_else(|| "parachute init --dry-run".to_owned()),
            because: error.message,
        }),
    }
}

/// The same, at the user's own home. Another owner's installation is checked only if that owner is named: from here
/// all its results would be wrong.
///
/// # Errors
/// It was to be repaired.
fn own(
    cx: &Context,
    installation: Installation,
    fix: bool,
) -> Result<(Context, Result<Installation, InstallationFacts>), CliError> {
    // Other checks report what cannot be read.
    let Ok(owners) = owned::owners(&installation) else { return Ok((cx.clone(), Ok(installation))) };
    let (cx, installation) = owned::at_its_home(cx, installation, &owners);
    match owned::respect(&installation, &owners, owned::LOOK, false) {
        Ok(()) => Ok((cx, Ok(installation))),
        Err(refused) if fix => Err(refused),
        Err(refused) => {
            let next = refused.hints.into_iter().next().unwrap_or_else(|| "parachute status".to_owned());
            Ok((cx, Err(InstallationFacts::Untold { because: refused.message, next })))
        }
    }
}

fn no_manager(none: &NoManager) -> InstallationFacts {
    let next = none.why.iter().find_map(|why| why.next.clone()).filter(|_| !none.at_all);
    InstallationFacts::NoManager {
        why: none.why.iter().map(|why| format!("{}: {}", why.manager, why.because)).collect(),
        next: next.unwrap_or_else(|| "parachute serve     (in the foreground)".to_owned()),
    }
}

/// Gathers all facts, each once.
async fn look(cx: &Context, installation: &Result<Installation, InstallationFacts>) -> DoctorFacts {
    let glance = installation.as_ref().map(Installation::glance);
    gather::gather(Looking {
        home: glance.as_ref().map_or(&cx.home, |installation| &installation.home),
        exe: &cx.exe,
        env: &cx.env,
        older: match &glance {
            Ok(installation) => Some(older(cx, installation).await),
            Err(_) => None,
        },
        left: orphans::sentence(cx).await,
        now: cx.now,
        keeper: glance
            .as_ref()
            .map(|installation| (&installation.person, &installation.driver))
            .map_err(|install| (*install).clone()),
    })
    .await
}

/// Detached daemons, in a sentence.
async fn older(cx: &Context, installation: &Installation<CachedRunner<Tools>>) -> Told<Option<String>> {
    detached::in_the_way(cx, installation)
        .await
        .map_or_else(|error| Told::Unknown(error.message), Told::Known)
}

async fn mend(
    cx: &Context,
    args: &DoctorArgs,
    installation: Result<Installation, InstallationFacts>,
    facts: &DoctorFacts,
    checks: Vec<Check>,
) -> Result<VerbOutput, CliError> {
    let plan = fix::plan(facts, &checks);
    if plan.steps.is_empty() {
        let report = Report { verdict: worst(&checks), mended: Some(0), notes: plan.notes, checks };
        return Ok(output(cx, args, report));
    }
    let installation = may_mend(installation, facts, &checks)?;
    let mut host = installation.host();
    let (shown, found) = apply::look(&plan, &host, &installation.driver.manager).await?;
    if args.dry_run {
        return Ok(VerbOutput::report(args.json, &shown, ExitKind::Done, || apply::screen(&shown, cx.style)));
    }
    if shown.nothing_to_do {
        // It was repaired meanwhile, or no step can repair it.
        let report = Report { verdict: worst(&checks), mended: Some(0), notes: plan.notes, checks };
        return Ok(output(cx, args, report));
    }
    if !args.yes && !apply::agreed(cx, &shown, "continue?", "")? {
        return Ok(VerbOutput { out: "nothing was changed\n".to_owned(), kind: ExitKind::Failed });
    }
    // The scope of the installation, not the requested one: the standby would look elsewhere.
    let asked = ScopeArgs::of(&installation);
    let work = apply::run(cx, &plan, &found, &mut host, &installation.layout.state);
    let done = standby::watched(cx, &asked, &plan, work).await?;
    let notes = plan.notes.into_iter().chain(done.notes).collect();
    let installation = Ok(installation);
    let checks = checks::all(&look(cx, &installation).await);
    Ok(output(cx, args, Report { verdict: worst(&checks), mended: Some(done.performed), notes, checks }))
}

/// Whether this user can run a plan here.
fn may_mend(
    installation: Result<Installation, InstallationFacts>,
    facts: &DoctorFacts,
    checks: &[Check],
) -> Result<Installation, CliError> {
    let refused =
        |kind, because: &str| CliError::new(kind, format!("nothing can be repaired from here: {because}"));
    let installation = installation.map_err(|install| match install {
        // A plan has its journal in the directory of the installation; without one the repair can still be typed.
        InstallationFacts::NoManager { why, .. } => {
            let mut error = refused(ExitKind::NoHub, &why.join("; "));
            error.hints =
                checks.iter().filter(|check| check.mend.is_some()).filter_map(|c| c.next.clone()).collect();
            error
        }
        InstallationFacts::Untold { because, next } => refused(ExitKind::NeedsPerson, &because).hint(next),
        InstallationFacts::Known(_) => {
            refused(ExitKind::Failed, "it can be examined but not changed from here")
        }
    })?;
    if let InstallationFacts::Untold { because, next } = &facts.install {
        return Err(refused(ExitKind::NeedsPerson, because).hint(next));
    }
    if let Some(verb) = facts.install.known().and_then(|install| install.unfinished.clone()) {
        return Err(installation::refused(InstallRefusal::Unfinished { verb }));
    }
    if installation.driver.manager.is_system() && user::effective_uid() != 0 {
        return Err(
            refused(ExitKind::NeedsPerson, "only root may change it").hint("sudo parachute doctor --fix")
        );
    }
    Ok(installation)
}

fn output(cx: &Context, args: &DoctorArgs, report: Report) -> VerbOutput {
    let kind = if report.verdict == Verdict::Fail { ExitKind::Failed } else { ExitKind::Done };
    VerbOutput::report(args.json, &report, kind, || screen(&report, cx.style))
}

/// One line per check, its next command below it, and the total at the end.
fn screen(report: &Report, style: Style) -> String {
    let mut table = Table::default();
    for check in &report.checks {
        let sign = match check.verdict {
            Verdict::Ok => Cell::painted("✓", |sign| style.good(sign)),
            Verdict::CannotTell => Cell::painted("?", |sign| style.dim(sign)),
            Verdict::Warn => Cell::painted("!", |sign| style.warn(sign)),
            Verdict::Fail => Cell::painted("✗", |sign| style.bad(sign)),
        };
        let mut lines = check.message.lines().filter(|line| !line.trim().is_empty());
        let first = printable(lines.next().unwrap_or_default());
        let mut under: Vec<String> = lines.map(|line| format!("     {}", printable(line))).collect();
        under.extend(check.next.iter().map(|next| format!("   {} {}", style.good("hint:"), printable(next))));
        let words =
            if check.verdict == Verdict::CannotTell { format!("cannot tell: {first}") } else { first };
        table.row(vec![sign, Cell::new(check.id.word()), Cell::new(words)], under);
    }
    let mut out = table.render();
    out.push('\n');
    out.push_str(&apply::notes(&report.notes, style));
    match report.mended {
        Some(0) => out.push_str("nothing that --fix can repair\n"),
        Some(1) => out.push_str(&format!("{} 1 step was done\n", style.good("✓"))),
        Some(n) => out.push_str(&format!("{} {n} steps were done\n", style.good("✓"))),
        None => {}
    }
    out.push_str(&sum(&report.checks, style));
    if report.mended.is_none() && report.checks.iter().any(|check| check.mend.is_some()) {
        out.push_str(&format!(
            "{} parachute doctor --fix     (shows a plan and asks)\n",
            style.good("hint:")
        ));
    }
    out
}

fn sum(checks: &[Check], style: Style) -> String {
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let parts = [
        (count(Verdict::Fail), style.bad("failed")),
        (count(Verdict::Warn), style.warn("to check")),
        (count(Verdict::CannotTell), "cannot be told".to_owned()),
    ];
    let told: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!("{n} {words}")).collect();
    if told.is_empty() {
        return format!("{}\n", style.good(&format!("all ok ({} checks)", checks.len())));
    }
    format!("{} ok, {}\n", count(Verdict::Ok), told.join(", "))
}

#[cfg(test)]
mod tests;
