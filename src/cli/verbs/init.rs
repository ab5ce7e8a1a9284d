//! `parachute init`: gathers, plans, shows, asks, applies, verifies.

use serde::Serialize;

use crate::api::client::Client;
use crate::api::wire::Status;
use crate::cli::apply::{self, Recovery};
use crate::cli::context::Context;
use crate::cli::cutover::{self, CutoverArgs};
use crate::cli::detached;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Found, Installation, ScopeArgs};
use crate::cli::manager_view::autostart_line;
use crate::cli::output::VerbOutput;
use crate::cli::owned;
use crate::cli::standby;
use crate::home::registration;
use crate::install::planner::{self, InstallRequest};
use crate::manager::autostart::Autostart;
use crate::manager::cached_runner::CachedRunner;
use crate::manager::host::Unavailable;
use crate::manager::runner::Tools;
use crate::migrate::sweep;
use crate::module::name::Short;
use crate::module::shell::quote;
use crate::plan::Note;
use crate::plan::host::real::RealHost;
use crate::ui::prompt::{self, Question};
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;
use crate::unit::name::UnitName;

use super::add::{self, AddArgs};

/// Install the hub as a systemd unit or launchd job
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct InitArgs {
    /// Show what would be done; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Replace a unit that was changed, or that another program wrote
    #[arg(long)]
    pub force: bool,
    /// Replace the hub of another person, or of another home: it stops, with its modules; `uninstall` brings it back
    #[arg(long, conflicts_with_all = ["resume", "rollback"])]
    pub take_over: bool,
    /// Whose services.
    #[command(flatten)]
    pub whose: ScopeArgs,
    /// TCP port of the hub [default: hub.toml, 1939]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Do not enable linger (services then stop at logout)
    #[arg(long)]
    pub no_linger: bool,
    /// Install without starting
    #[arg(long)]
    pub no_start: bool,
    /// Finish an interrupted plan
    #[arg(long, conflicts_with_all = ["rollback", "dry_run"])]
    pub resume: bool,
    /// Undo an interrupted plan
    #[arg(long, conflicts_with = "dry_run")]
    pub rollback: bool,
    /// Print the plan, or the outcome, as JSON
    #[arg(long)]
    pub json: bool,
    /// Accepted for scripts of an earlier version: no socket unit is installed
    #[arg(long, hide = true)]
    pub no_socket: bool,
    /// Accepted for scripts of the earlier hub: no browser is ever opened
    #[arg(long, hide = true)]
    pub no_browser: bool,
    /// Accepted for scripts of the earlier hub: nothing is exposed here
    #[arg(long, hide = true)]
    pub no_expose_prompt: bool,
    /// Accepted for scripts of the earlier hub, with `none` only
    #[arg(long, hide = true, value_parser = ["none"])]
    pub expose: Option<String>,
}

/// The output of `init --json`.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether anything had to be done.
    changed: bool,
    /// The manager that runs it.
    manager: String,
    unit: String,
    /// The hub as it answers now; null if it was not started.
    hub: Option<Health>,
    /// Whether it is enabled.
    survival: Autostart,
    /// Notes for the user.
    notes: Vec<Note>,
}

/// The address and state of the hub.
#[derive(Debug, Serialize)]
struct Health {
    /// URL for a browser.
    url: String,
    pid: u32,
    /// Modules that are ready.
    ready: usize,
    /// All modules.
    modules: usize,
}

/// The result of the installing part.
pub(crate) enum Ended {
    Output(VerbOutput),
    /// There is no manager: the hub runs in the foreground.
    Foreground(Option<u16>),
}

/// Installs the hub. Without a usable manager it says so, and the caller runs the hub.
///
/// # Errors
/// [`crate::install::refusal::InstallRefusal`]s, questions without an answer, steps that fail.
pub(crate) async fn run(cx: &Context, args: &InitArgs) -> Result<Ended, CliError> {
    let installation = match installation::find(cx, &args.whose).await? {
        Found::Installation(installation) => installation,
        Found::NoManager(none) if none.at_all => return foreground(cx, args, &none.why).await,
        Found::NoManager(none) => return Err(installation::no_manager(&none)),
    };
    owned::respect_plan(&installation)?;
    let mut host = installation.host();
    if args.resume || args.rollback {
        let recovery = Recovery::roll_back_if(args.rollback);
        return standby::resume_or_undo(cx, &args.whose, &mut host, &installation.layout.state, recovery)
            .await
            .map(Ended::Output);
    }
    let mut glance = installation.glance();
    let mut facts = glance.facts(cx, args.port).await?;
    if let Some(verb) = facts.unfinished.clone().filter(|_| !args.dry_run) {
        if over(cx, args, &installation, &mut host, &verb).await? {
            return Ok(Ended::Output(VerbOutput::done("the interrupted plan is finished\n")));
        }
        // After an undo the facts have changed.
        glance = installation.glance();
        facts = glance.facts(cx, args.port).await?;
    }
    planner::respect_others(&facts, args.take_over).map_err(installation::refused)?;
    if let Some(output) = older(cx, args, &glance).await? {
        return Ok(Ended::Output(output));
    }
    let request = InstallRequest {
        force: args.force,
        take_over: args.take_over,
        start: !args.no_start,
        linger: !args.no_linger,
        port: args.port,
    };
    let plan = planner::plan(&facts, &request).map_err(installation::refused)?;
    let (shown, found) = apply::look(&plan, &glance.host(), &installation.driver.manager).await?;
    if args.dry_run {
        let kind = ExitKind::Done;
        return Ok(Ended::Output(VerbOutput::report(args.json, &shown, kind, || {
            apply::screen(&shown, cx.style)
        })));
    }
    let mut notes = Vec::new();
    let changed = !shown.nothing_to_do;
    if changed {
        if !args.yes && !apply::agreed(cx, &shown, "continue?", "")? {
            return Ok(Ended::Output(VerbOutput {
                out: "nothing was changed\n".to_owned(),
                kind: ExitKind::Failed,
            }));
        }
        let work = apply::run(cx, &plan, &found, &mut host, &installation.layout.state);
        let done = standby::watched(cx, &args.whose, &plan, work).await?;
        glance = installation.glance();
        notes.extend(done.notes);
    }
    notes.splice(0..0, plan.notes);
    notes.extend(
        sweep::notice(&installation.home)
            .map(|text| Note { text, hint: Some("parachute migrate --list".to_owned()) }),
    );
    let hub = client(&installation).get::<Status>("/api/status").await.ok();
    let report = Report {
        changed,
        manager: facts.manager.words(),
        unit: facts.manager.file(&UnitName::hub()).display().to_string(),
        survival: glance.autostart().await,
        hub: hub.as_ref().map(|status| Health {
            url: format!("http://{}:{}/", status.hub.host, status.hub.port),
            pid: status.hub.pid,
            ready: status.modules.iter().filter(|module| module.ready).count(),
            modules: status.modules.len(),
        }),
        notes,
    };
    let output =
        VerbOutput::report(args.json, &report, ExitKind::Done, || screen(&report, &installation, cx.style));
    if hub.is_some_and(|status| status.modules.is_empty()) && !args.json {
        return first_module(cx, args, &installation, output).await.map(Ended::Output);
    }
    Ok(Ended::Output(output))
}

/// An interrupted plan is never kept: it is undone, or finished if the user wants that. `true`: it was
/// finished, and nothing else has to be done.
async fn over(
    cx: &Context,
    args: &InitArgs,
    installation: &Installation,
    host: &mut RealHost<Tools>,
    verb: &str,
) -> Result<bool, CliError> {
    let mut back = true;
    if !args.yes {
        let text = format!("an earlier `{verb}` was interrupted");
        let question = Question { text: &text, flag: "--yes", interactive: cx.interactive, style: cx.style };
        let items = ["undo it, and start again", "finish it"];
        back = prompt::choose(&question, &items, 0)? == 0;
    }
    Terminal.err(&format!(
        "an earlier `{verb}` was interrupted; it is {}\n",
        if back { "undone" } else { "finished" }
    ));
    let output = standby::resume_or_undo(
        cx,
        &args.whose,
        host,
        &installation.layout.state,
        Recovery::roll_back_if(back),
    )
    .await?;
    Terminal.err(&output.out);
    Ok(!back)
}

/// While the detached model runs, `init` is the wrong verb: it stops nothing. In a terminal the cutover is offered.
async fn older(
    cx: &Context,
    args: &InitArgs,
    glance: &Installation<CachedRunner<Tools>>,
) -> Result<Option<VerbOutput>, CliError> {
    let Some(words) = detached::in_the_way(cx, glance).await? else { return Ok(None) };
    let refused =
        || CliError::new(ExitKind::NeedsPerson, words.clone()).hint("parachute migrate --to-supervised");
    if args.yes || args.dry_run || !cx.interactive {
        return Err(refused());
    }
    Terminal.err(&format!(
        "{}
",
        printable(&words)
    ));
    let question = Question {
        text: "show what a cutover to the supervised hub would do?",
        flag: "parachute migrate --to-supervised",
        interactive: cx.interactive,
        style: cx.style,
    };
    if !prompt::confirm(&question, true)? {
        return Err(refused());
    }
    let asked = CutoverArgs { whose: args.whose.clone(), ..CutoverArgs::to_supervised() };
    cutover::run(cx, &asked).await.map(Some)
}

fn client(installation: &Installation) -> Client {
    Client::new(installation.home.socket())
}

/// The final screen: the address of the hub, its log, and whether it starts after a reboot.
fn screen(report: &Report, installation: &Installation, style: Style) -> String {
    let mut out = apply::notes(&report.notes, style);
    let nothing = if report.changed { "" } else { "nothing to do: " };
    match &report.hub {
        Some(hub) => {
            let modules = match hub.modules {
                0 => String::new(),
                all => format!(", {} of {all} modules ready", hub.ready),
            };
            out.push_str(&format!("{} {nothing}the hub runs (pid {}){modules}\n", style.good("✓"), hub.pid));
            out.push_str(&format!("  {}\n", hub.url));
        }
        None => out.push_str(&format!("{} {nothing}installed, not started\n", style.good("✓"))),
    }
    out.push_str(&format!("  kept by {}: {}\n", report.manager, printable(&report.unit)));
    out.push_str(&format!("  logs: parachute logs hub     ({})\n", installation.home.hub_log().display()));
    out.push_str(&autostart_line(&report.survival, style));
    out
}

/// Without a manager nothing is installed, and the output says so.
async fn foreground(cx: &Context, args: &InitArgs, why: &[Unavailable]) -> Result<Ended, CliError> {
    let mut out = String::from("no service manager can keep a hub here:\n");
    for why in why {
        out.push_str(&format!("  {}: {}\n", why.manager, printable(&why.because)));
        if let Some(next) = &why.next {
            out.push_str(&format!("    {} {}\n", cx.style.good("hint:"), printable(next)));
        }
    }
    if let Ok(status) = cx.client().get::<Status>("/api/status").await {
        out.push_str(&format!("the hub runs in the foreground already (pid {})\n", status.hub.pid));
        return Ok(Ended::Output(VerbOutput::done(out)));
    }
    if args.dry_run || args.no_start {
        out.push_str("nothing would be installed; the hub would run in the foreground: parachute serve\n");
        return Ok(Ended::Output(VerbOutput::done(out)));
    }
    out.push_str("nothing is installed; the hub runs in the foreground until Ctrl-C or SIGTERM\n");
    Terminal.err(&out);
    Ok(Ended::Foreground(args.port))
}

/// An empty hub is useless: one question leads to the first module.
async fn first_module(
    cx: &Context,
    args: &InitArgs,
    installation: &Installation,
    output: VerbOutput,
) -> Result<VerbOutput, CliError> {
    const NOTHING: &str = "no modules yet; any command can be one: parachute add NAME -- COMMAND\n";
    let mut output = output;
    if args.yes || !cx.interactive {
        output.out.push_str(NOTHING);
        return Ok(output);
    }
    Terminal.err(&output.out);
    let question = Question {
        text: "add a first module?",
        flag: "parachute add NAME -- COMMAND",
        interactive: cx.interactive,
        style: cx.style,
    };
    let program = installation.layout.program.to_string_lossy().into_owned();
    let items = ["the built-in demo", "a command", "nothing now"];
    let add = match prompt::choose(&question, &items, 0)? {
        0 => AddArgs::of("demo", vec![program, "demo-module".to_owned()]),
        1 => {
            let ask = |text, check: &dyn Fn(&str) -> Result<(), String>| {
                prompt::line(&Question { text, ..question }, None, check)
            };
            let name = ask("its name?", &|name| is_free(cx, name))?;
            let command = ask("its command?", &|_| Ok(()))?;
            let typed = format!("parachute add {} -- sh -c {}", quote(&name), quote(&command));
            let add = AddArgs::of(&name, vec!["sh".to_owned(), "-c".to_owned(), command]);
            // What was typed is not lost with it.
            return add::run(cx, add).await.map_err(|error| error.hint(typed));
        }
        _ => return Ok(VerbOutput::done(NOTHING)),
    };
    add::run(cx, add).await
}

/// Whether a module of this name can be added, said at the question.
fn is_free(cx: &Context, name: &str) -> Result<(), String> {
    let short = Short::new(name).map_err(|error| error.to_string())?;
    registration::available(&cx.home, &short).map_err(|error| error.to_string())
}
