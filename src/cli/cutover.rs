//! `parachute migrate --to-supervised`: from detached daemons to the supervised hub, and back if anything fails.

use serde::Serialize;

use crate::error_chain::Hints;
use crate::hub::check::{self, CheckStatus};
use crate::hub::options::ServeOptions;
use crate::install::planner::InstallRequest as Install;
use crate::manager::autostart::Autostart;
use crate::migrate::gather::{HUB, Seed};
use crate::migrate::planner::{self, CutoverRequest, Findings, findings};
use crate::migrate::preflight;
use crate::migrate::refusal::CutoverRefusal;
use crate::plan::journal::peek_unfinished;
use crate::plan::{Note, Verb};
use crate::ui::prompt::{self, Question};
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;
use crate::unit::name::UnitName;

use super::apply::{self, Recovery};
use super::context::Context;
use super::detached;
use super::error::{CliError, ExitKind};
use super::installation::{self, Found, Installation, ScopeArgs};
use super::manager_view::autostart_line;
use super::output::VerbOutput;
use super::owned::{self, Act};
use super::standby;

/// What it would do to an existing installation.
const CUTOVER: Act = Act { verb: "uninstall", left: "nothing was stopped" };

/// Options of a cutover.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct CutoverArgs {
    /// Finish an interrupted one.
    pub resume: bool,
    /// Undo an interrupted one.
    pub rollback: bool,
    /// Only show it.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
    /// Replace a unit that was changed; stop daemons that could not be restored; leave steps that cannot be undone.
    pub force: bool,
    /// Whose services.
    pub whose: ScopeArgs,
    /// As JSON.
    pub json: bool,
}

impl CutoverArgs {
    /// A cutover that is shown and asked about.
    pub(super) fn to_supervised() -> Self {
        Self {
            resume: false,
            rollback: false,
            dry_run: false,
            yes: false,
            force: false,
            whose: ScopeArgs::default(),
            json: false,
        }
    }
}

/// The output of `migrate --to-supervised --json`.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether anything had to be done.
    changed: bool,
    /// Daemons that were stopped.
    stopped: Vec<Stopped>,
    /// The manager that runs the hub now.
    manager: String,
    unit: String,
    /// Whether it is enabled.
    survival: Autostart,
    /// Notes for the user: the downtime of each module, and the processes that were left alone.
    notes: Vec<Note>,
}

/// A daemon that was stopped.
#[derive(Debug, Serialize)]
struct Stopped {
    name: String,
    /// The pid it had.
    pid: u32,
}

/// Performs the cutover.
///
/// # Errors
/// [`CutoverRefusal`]s, with nothing changed; steps that fail, with everything undone.
pub(crate) async fn run(cx: &Context, args: &CutoverArgs) -> Result<VerbOutput, CliError> {
    let installation = installation_of(cx, args).await?;
    owned::respect_plan(&installation)?;
    let mut host = installation.host();
    let open = peek_unfinished(&installation.layout.state).map_err(apply::unopened)?;
    if args.resume || args.rollback {
        let recovery = match (args.rollback, args.force) {
            (true, true) => Recovery::RollBackAndLeave,
            (back, _) => Recovery::roll_back_if(back),
        };
        return standby::resume_or_undo(cx, &args.whose, &mut host, &installation.layout.state, recovery)
            .await;
    }
    if let Some(log) = open.filter(|_| !args.dry_run) {
        // A plan that was not being undone is finished: undoing it would stop everything twice.
        let back = log.undoing || log.plan.verb != Verb::Migrate || choose_back(cx, args, log.plan.verb)?;
        Terminal.err(&format!(
            "an earlier `{}` was interrupted; it is {}\n",
            log.plan.verb,
            if back { "undone" } else { "finished" }
        ));
        let output = standby::resume_or_undo(
            cx,
            &args.whose,
            &mut host,
            &installation.layout.state,
            Recovery::roll_back_if(back),
        )
        .await?;
        if !back {
            return Ok(output);
        }
        Terminal.err(&output.out);
    }
    cut_over(cx, args, &installation).await
}

fn choose_back(cx: &Context, args: &CutoverArgs, verb: Verb) -> Result<bool, CliError> {
    if args.yes {
        return Ok(false);
    }
    let text = format!("an earlier `{verb}` was interrupted");
    let question = Question { text: &text, flag: "--yes", interactive: cx.interactive, style: cx.style };
    Ok(prompt::choose(&question, &["finish it", "undo it, and start again"], 0)? == 1)
}

/// The manager that is to run the hub.
pub(super) async fn installation_of(cx: &Context, args: &CutoverArgs) -> Result<Box<Installation>, CliError> {
    match installation::find(cx, &args.whose).await? {
        Found::Installation(installation) => Ok(installation),
        Found::NoManager(none) => Err(installation::no_manager(&none)),
    }
}

/// A cutover never replaces the hub of another user.
async fn cut_over(
    cx: &Context,
    args: &CutoverArgs,
    installation: &Installation,
) -> Result<VerbOutput, CliError> {
    owned::respect(installation, &owned::owners(installation)?, CUTOVER, false).map_err(|error| {
        let (name, may) = (
            &installation.person.name,
            installation.person.uid != 0 && installation.driver.manager.is_system(),
        );
        let own = format!("parachute migrate --to-supervised     (as {name}, without sudo: a second hub)");
        if may { error.hint(own) } else { error }
    })?;
    let glance = installation.glance();
    let legacy = detached::look(cx, &installation.home, &installation.person, Some(&glance)).await?;
    let found = findings(&legacy);
    let port = other_port(&found);
    let mut facts = glance.facts(cx, port).await?;
    preflight::find_needs(&legacy, &found.daemons, &mut facts);
    let request = CutoverRequest { install: Install { force: args.force, port, ..Install::default() } };
    let plan = planner::plan(&legacy, &facts, &request).map_err(|refusal| refused(vec![refusal]))?;
    let seed = Seed { person: &installation.person, home: &installation.home, env: &cx.env, now: cx.now };
    let mut refusals = preflight::check(&seed, &legacy, &facts, &plan, &installation.driver).await;
    refusals.extend(hub_would_not_start(cx, installation, port));
    refusals.retain(|refusal| {
        !(args.force
            && matches!(refusal, CutoverRefusal::NoWayBack { .. } | CutoverRefusal::Elsewhere { .. }))
    });
    if !refusals.is_empty() {
        return Err(refused(refusals));
    }
    let mut host = installation.host();
    let (shown, observed) = apply::look(&plan, &glance.host(), &installation.driver.manager).await?;
    if args.dry_run {
        let screen = || apply::screen(&shown, cx.style);
        return Ok(VerbOutput::report(args.json, &shown, ExitKind::Done, screen));
    }
    let changed = !shown.nothing_to_do;
    let mut notes = plan.notes.clone();
    if changed {
        if !args.yes && !apply::agreed(cx, &shown, "continue?", "")? {
            return Ok(VerbOutput { out: "nothing was changed\n".to_owned(), kind: ExitKind::Failed });
        }
        let work = apply::run(cx, &plan, &observed, &mut host, &installation.layout.state);
        notes = standby::watched(cx, &args.whose, &plan, work).await?.notes;
    }
    let report = Report {
        changed,
        stopped: stopped(&found),
        manager: facts.manager.words(),
        unit: facts.manager.file(&UnitName::hub()).display().to_string(),
        survival: installation.autostart().await,
        notes,
    };
    Ok(VerbOutput::report(args.json, &report, ExitKind::Done, || screen(&report, cx.style)))
}

fn stopped(found: &Findings) -> Vec<Stopped> {
    found.daemons.iter().map(|d| Stopped { name: d.name.clone(), pid: d.leader.pid }).collect()
}

/// The port of the detached hub, if it is not the default one.
fn other_port(found: &Findings) -> Option<u16> {
    let hub = found.daemons.iter().find(|daemon| daemon.name == HUB)?;
    hub.ports.iter().copied().find(|port| *port != crate::module::port::HUB)
}

/// The findings of `serve --check`, except ports held by the daemons that will be stopped.
fn hub_would_not_start(cx: &Context, installation: &Installation, port: Option<u16>) -> Vec<CutoverRefusal> {
    let options = ServeOptions {
        home: installation.home.clone(),
        port,
        host: None,
        demo: false,
        env: cx.env.clone(),
        exe: cx.exe.clone(),
        has_terminal: cx.has_terminal,
    };
    check::check(&options)
        .into_iter()
        .filter(|finding| finding.verdict == CheckStatus::Fail && !matches!(finding.id, "port" | "hub"))
        .map(|finding| CutoverRefusal::HubWouldNotStart { because: finding.text, next: finding.next })
        .collect()
}

/// All of them at once, so that the user can handle them together.
fn refused(refusals: Vec<CutoverRefusal>) -> CliError {
    let mut all = refusals.into_iter();
    let Some(first) = all.next() else { return CliError::new(ExitKind::NeedsPerson, "refused") };
    let mut cli = CliError::with_hints(ExitKind::NeedsPerson, first);
    cli.message.push_str("; nothing was stopped");
    for refusal in all {
        cli.causes.push(format!("and: {refusal}"));
        let new: Vec<_> = refusal.hints().into_iter().filter(|hint| !cli.hints.contains(hint)).collect();
        cli.hints.extend(new);
    }
    cli
}

fn screen(report: &Report, style: Style) -> String {
    let mut out = apply::notes(&report.notes, style);
    if report.changed {
        let was: Vec<String> = report.stopped.iter().map(|s| format!("{} (pid {})", s.name, s.pid)).collect();
        out.push_str(&format!("{} the hub and its modules are now supervised\n", style.good("✓")));
        if !was.is_empty() {
            out.push_str(&format!("  stopped: {}\n", printable(&was.join(", "))));
        }
    } else {
        out.push_str(&format!("{} nothing to do: everything is already supervised\n", style.good("✓")));
    }
    out.push_str(&format!("  kept by {}: {}\n", report.manager, printable(&report.unit)));
    out.push_str(&autostart_line(&report.survival, style));
    if report.changed {
        out.push_str(&format!(
            "  {} parachute migrate --teardown --back-to-detached     (to go back)\n",
            style.good("hint:")
        ));
    }
    out
}
