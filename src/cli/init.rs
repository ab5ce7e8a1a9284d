//! `parachute init`: the front door. Looks, plans, shows, asks, applies, proves.

use serde::Serialize;

use crate::api::client::Client;
use crate::api::wire::Status;
use crate::install::planner::{self, Request};
use crate::manager::detect::Why;
use crate::manager::memo::Memo;
use crate::manager::runner::Tools;
use crate::manager::survival::Survival;
use crate::migrate::sweep;
use crate::plan::Note;
use crate::plan::host::real::RealHost;
use crate::ui::prompt::{self, Question};
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;
use crate::unit::name::UnitName;

use super::add::{self, AddArgs};
use super::context::Context;
use super::cutover::{self, CutoverArgs};
use super::error::{CliError, Kind};
use super::legacy;
use super::managed::survival_line;
use super::owned;
use super::plans::{self, Recovery};
use super::said::Said;
use super::site::{self, Asked, Found, Site};
use super::standby;

/// Install the hub: planned, shown, then done
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct InitArgs {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Replace a unit that was changed, or that another program wrote
    #[arg(long)]
    pub force: bool,
    /// Replace the hub of another person, or of another home: it stops, with its modules; `uninstall` brings it back
    #[arg(long, conflicts_with_all = ["resume", "rollback"])]
    pub take_over: bool,
    /// Whose services: yours alone, or the machine's (needs root)
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<site::ScopeArg>,
    /// As whom the hub runs, in the system scope
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// TCP port of the hub [default: hub.toml, 1939]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The hub opens its port itself: clients are refused while it restarts
    #[arg(long)]
    pub no_socket: bool,
    /// Leave it alone whether your services outlive your logins
    #[arg(long)]
    pub no_linger: bool,
    /// Install it and do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Finish a plan that was broken off
    #[arg(long, conflicts_with_all = ["rollback", "dry_run"])]
    pub resume: bool,
    /// Undo a plan that was broken off
    #[arg(long, conflicts_with = "dry_run")]
    pub rollback: bool,
    /// Print the plan, or the outcome, as JSON
    #[arg(long)]
    pub json: bool,
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

/// What `init --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether anything had to be done.
    changed: bool,
    /// Who keeps it.
    manager: String,
    /// Its unit.
    unit: String,
    /// The hub as it answers now; null if it was not started.
    hub: Option<Health>,
    /// Whether it starts by itself.
    survival: Survival,
    /// What a person should know.
    notes: Vec<Note>,
}

/// Where the hub answers.
#[derive(Debug, Serialize)]
struct Health {
    /// For a browser.
    url: String,
    /// Its pid.
    pid: u32,
    /// Modules that are ready.
    ready: usize,
    /// All modules.
    modules: usize,
}

/// How the installing part ended.
pub enum Ended {
    /// With this.
    Said(Said),
    /// There is no manager: the hub runs here and now.
    Foreground(Option<u16>),
}

/// Installs the hub. Where nothing can keep it, says so, and leaves it to the caller to run it.
///
/// # Errors
/// [`crate::install::refusal::Refusal`]s, questions nobody answers, steps that fail.
pub async fn run(cx: &Context, args: &InitArgs) -> Result<Ended, CliError> {
    let asked = Asked { scope: args.scope, user: args.user.as_deref() };
    let site = match site::find(cx, &asked).await? {
        Found::Site(site) => site,
        Found::NoManager(none) if none.at_all => return foreground(cx, args, &none.why).await,
        Found::NoManager(none) => return Err(site::no_manager(&none)),
    };
    owned::respect_plan(&site)?;
    let mut host = site.host();
    if args.resume || args.rollback {
        let recovery = Recovery::roll_back_if(args.rollback);
        return standby::settle(cx, &asked, &mut host, &site.place.state, recovery).await.map(Ended::Said);
    }
    let mut glance = site.glance();
    let mut facts = glance.facts(cx, args.port).await?;
    if let Some(verb) = facts.unfinished.clone().filter(|_| !args.dry_run) {
        if over(cx, args, &site, &mut host, &verb).await? {
            return Ok(Ended::Said(Said::done("the broken-off plan is finished\n")));
        }
        // Taken back: the machine is another one now.
        glance = site.glance();
        facts = glance.facts(cx, args.port).await?;
    }
    planner::respect_others(&facts, args.take_over).map_err(|refusal| site::refused(&refusal))?;
    if let Some(said) = older(cx, args, &glance).await? {
        return Ok(Ended::Said(said));
    }
    let request = Request {
        force: args.force,
        take_over: args.take_over,
        start: !args.no_start,
        socket: args.no_socket.then_some(false),
        linger: !args.no_linger,
        port: args.port,
    };
    let plan = planner::plan(&facts, &request).map_err(|refusal| site::refused(&refusal))?;
    let (shown, found) = plans::look(&plan, &glance.host(), &site.driver.manager).await?;
    if args.dry_run {
        let kind = Kind::Done;
        return Ok(Ended::Said(Said::report(args.json, &shown, kind, || plans::screen(&shown, cx.style))));
    }
    let mut notes = Vec::new();
    let changed = !shown.nothing_to_do;
    if changed {
        if !args.yes {
            Terminal.err(&plans::screen(&shown, cx.style));
            if !plans::agreed(cx, "do this?")? {
                return Ok(Ended::Said(Said { out: "nothing was changed\n".to_owned(), kind: Kind::Failed }));
            }
        }
        let work = plans::apply(cx, &plan, &found, &mut host, &site.place.state);
        let done = standby::watched(cx, &asked, &plan, work).await?;
        glance = site.glance();
        notes.extend(done.notes);
    }
    notes.splice(0..0, plan.notes);
    notes.extend(
        sweep::notice(&site.home)
            .map(|text| Note { text, hint: Some("parachute migrate --list".to_owned()) }),
    );
    let hub = client(&site).get::<Status>("/api/status").await.ok();
    let report = Report {
        changed,
        manager: facts.manager.words(),
        unit: facts.manager.file(&UnitName::hub()).display().to_string(),
        survival: glance.survival().await,
        hub: hub.as_ref().map(|status| Health {
            url: format!("http://{}:{}/", status.hub.host, status.hub.port),
            pid: status.hub.pid,
            ready: status.modules.iter().filter(|module| module.ready).count(),
            modules: status.modules.len(),
        }),
        notes,
    };
    let said = Said::report(args.json, &report, Kind::Done, || screen(&report, &site, cx.style));
    if hub.is_some_and(|status| status.modules.is_empty()) && !args.json {
        return first_module(cx, args, &site, said).await.map(Ended::Said);
    }
    Ok(Ended::Said(said))
}

/// A plan that was broken off is never left lying: it is taken back, or finished if a person wants that. `true`: it is
/// finished, and that is all there is to do.
async fn over(
    cx: &Context,
    args: &InitArgs,
    site: &Site,
    host: &mut RealHost<Tools>,
    verb: &str,
) -> Result<bool, CliError> {
    let mut back = true;
    if !args.yes {
        let text = format!("an earlier `{verb}` was broken off");
        let question = Question { text: &text, flag: "--yes", interactive: cx.interactive, style: cx.style };
        let items = ["take it back, and begin anew", "finish it"];
        back = prompt::choose(&question, &items, 0)? == 0;
    }
    Terminal.err(&format!(
        "an earlier `{verb}` was broken off; it is {}\n",
        if back { "taken back" } else { "finished" }
    ));
    let asked = Asked { scope: args.scope, user: args.user.as_deref() };
    let said = standby::settle(cx, &asked, host, &site.place.state, Recovery::roll_back_if(back)).await?;
    Terminal.err(&said.out);
    Ok(!back)
}

/// Where the detached model still runs, `init` is the wrong verb: it stops nothing. Whoever can answer is led on.
async fn older(cx: &Context, args: &InitArgs, glance: &Site<Memo<Tools>>) -> Result<Option<Said>, CliError> {
    let Some(words) = legacy::in_the_way(cx, glance).await? else { return Ok(None) };
    let refused =
        || CliError::new(Kind::NeedsPerson, words.clone()).hint("parachute migrate --to-supervised");
    if args.yes || args.dry_run || !cx.interactive {
        return Err(refused());
    }
    Terminal.err(&format!(
        "{}
",
        printable(&words)
    ));
    let question = Question {
        text: "look at a cutover to the supervised hub?",
        flag: "parachute migrate --to-supervised",
        interactive: cx.interactive,
        style: cx.style,
    };
    if !prompt::confirm(&question, true)? {
        return Err(refused());
    }
    let asked = CutoverArgs { scope: args.scope, user: args.user.clone(), ..CutoverArgs::to_supervised() };
    cutover::run(cx, &asked).await.map(Some)
}

fn client(site: &Site) -> Client {
    Client::new(site.home.socket())
}

/// The end of it all: where it answers, where it writes, and whether it will be there tomorrow.
fn screen(report: &Report, site: &Site, style: Style) -> String {
    let mut out = plans::notes(&report.notes, style);
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
    out.push_str(&format!("  logs: parachute logs hub     ({})\n", site.home.hub_log().display()));
    out.push_str(&survival_line(&report.survival, style));
    out
}

/// Without a manager nothing is installed, and nothing pretends to be.
async fn foreground(cx: &Context, args: &InitArgs, why: &[Why]) -> Result<Ended, CliError> {
    let mut out = String::from("no service manager can keep a hub here:\n");
    for why in why {
        out.push_str(&format!("  {}: {}\n", why.manager, printable(&why.because)));
        if let Some(next) = &why.next {
            out.push_str(&format!("    {} {}\n", cx.style.good("hint:"), printable(next)));
        }
    }
    if let Ok(status) = cx.client().get::<Status>("/api/status").await {
        out.push_str(&format!("the hub runs in the foreground already (pid {})\n", status.hub.pid));
        return Ok(Ended::Said(Said::done(out)));
    }
    if args.dry_run || args.no_start {
        out.push_str("nothing would be installed; the hub would run in the foreground: parachute serve\n");
        return Ok(Ended::Said(Said::done(out)));
    }
    out.push_str("nothing is installed; the hub runs in the foreground until Ctrl-C or SIGTERM\n");
    Terminal.err(&out);
    Ok(Ended::Foreground(args.port))
}

/// An empty hub is of no use: one question leads to the first module.
async fn first_module(cx: &Context, args: &InitArgs, site: &Site, said: Said) -> Result<Said, CliError> {
    const NOTHING: &str = "there are no modules yet; make any command one: parachute add NAME -- COMMAND\n";
    let mut said = said;
    if args.yes || !cx.interactive {
        said.out.push_str(NOTHING);
        return Ok(said);
    }
    Terminal.err(&said.out);
    let question = Question {
        text: "add a first module?",
        flag: "parachute add NAME -- COMMAND",
        interactive: cx.interactive,
        style: cx.style,
    };
    let program = site.place.program.to_string_lossy().into_owned();
    let items = ["the small demo that is built in", "a command of mine", "nothing now"];
    let add = match prompt::choose(&question, &items, 0)? {
        0 => AddArgs::of("demo", vec![program, "demo-module".to_owned()]),
        1 => {
            let ask = |text| prompt::line(&Question { text, ..question }, None, &|_| Ok(()));
            let (name, command) = (ask("its name?")?, ask("its command?")?);
            AddArgs::of(&name, vec!["sh".to_owned(), "-c".to_owned(), command])
        }
        _ => return Ok(Said::done(NOTHING)),
    };
    add::run(cx, add).await
}
