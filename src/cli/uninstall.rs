//! `parachute uninstall`: the inverse of everything that was installed, from the receipt.

use serde::Serialize;

use crate::api::client::Client;
use crate::api::wire::Status;
use crate::home::{fs, sentence};
use crate::install::owner::Owner;
use crate::plan::before::Before;
use crate::plan::host::observe_all;
use crate::plan::journal::{peek_log, peek_receipt};
use crate::plan::receipt::Receipt;
use crate::plan::step::{Key, Step};
use crate::plan::{Note, Plan, Take, inverse_of};
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;
use crate::unit::name::UnitName;

use super::context::Context;
use super::error::{CliError, Kind};
use super::owned;
use super::plans;
use super::said::Said;
use super::site::{self, Asked, Found, Site};
use super::standby;

/// Take back what `init` installed
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct UninstallArgs {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do it without asking
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Take back also what somebody changed since
    #[arg(long)]
    pub(super) force: bool,
    /// Delete the home too: modules' data, logs, tokens
    #[arg(long)]
    pub(super) purge: bool,
    /// Whose services
    #[arg(long, value_name = "SCOPE")]
    pub(super) scope: Option<site::ScopeArg>,
    /// As whom the hub runs, in the system scope
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What `uninstall --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether there was anything to take back.
    installed: bool,
    /// Steps that changed something.
    performed: usize,
    /// What stays: the person's own.
    kept: Option<String>,
    /// Whose hub it had been before, which is there again.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<String>,
    /// What somebody changed since, and was left.
    notes: Vec<Note>,
}

/// Takes it back.
///
/// # Errors
/// Questions nobody answers, steps that fail, a receipt that cannot be read.
pub async fn run(cx: &Context, args: UninstallArgs) -> Result<Said, CliError> {
    take_back(cx, args, Take::Ours).await.map(|(said, _)| said)
}

/// Takes back what is ours, or everything down to what was there before. Also says whether there was anything.
///
/// # Errors
/// As [`run`].
pub async fn take_back(cx: &Context, args: UninstallArgs, take: Take) -> Result<(Said, bool), CliError> {
    let asked = Asked { scope: args.scope, user: args.user.as_deref() };
    let site = match site::find(cx, &asked).await? {
        Found::Site(site) => site,
        Found::NoManager(none) => return Err(site::no_manager(&none)),
    };
    let act = if take == Take::Everything { owned::TEARDOWN } else { owned::UNINSTALL };
    let owners = owned::owners(&site)?;
    let (cx, site) = owned::at_its_home(cx, *site, &owners);
    let cx = &cx;
    owned::respect(&site, &owners, act, args.force)?;
    let mut host = site.host();
    let open = peek_log(&site.place.state).map_err(|error| plans::unopened(&error))?;
    if let Some(log) = open.filter(|_| !args.dry_run) {
        // Whatever it was doing: taking it back leads where this verb wants to go.
        Terminal.err(&format!("an earlier `{}` was broken off; it is taken back first\n", log.plan.verb));
        let said = standby::settle(cx, &asked, &mut host, &site.place.state, plans::Way::Back).await?;
        Terminal.err(&said.out);
        // What comes to light below it may be another's.
        owned::respect(&site, &owned::owners(&site)?, act, args.force)?;
    }
    let receipt = peek_receipt(&site.place.state).map_err(|error| plans::unopened(&error))?;
    let restored = restored(&receipt, &site);
    let now = observe_all(&host, &receipt.steps()).await.map_err(|error| plans::unseen(&error))?;
    let plan = inverse_of(&receipt, &now, take, args.force);
    let (shown, found) = plans::look(&plan, &host, &site.driver.manager).await?;
    let missing = missing(&plan, &found);
    if !missing.is_empty() {
        return Err(not_again(&missing));
    }
    if args.dry_run {
        let said = Said::report(args.json, &shown, Kind::Done, || plans::screen(&shown, cx.style));
        return Ok((said, !receipt.is_empty()));
    }
    if receipt.is_empty() && !args.purge {
        return Ok((nothing_here(cx, &args, &site).await, false));
    }
    if !args.yes {
        Terminal.err(&plans::screen(&shown, cx.style));
        if args.purge {
            let root = printable(&site.home.root().display().to_string());
            Terminal.err(&format!("{} {root} with everything in it would be deleted\n", cx.style.bad("and")));
        }
        if !plans::agreed(cx, "take this back?")? {
            let said = Said { out: "nothing was changed\n".to_owned(), kind: Kind::Failed };
            return Ok((said, true));
        }
    }
    let mut performed = 0;
    let mut notes = plan.notes.clone();
    // Also with no step: what needs no taking back is struck from the receipt.
    if !receipt.is_empty() {
        let work = plans::apply(cx, &plan, &found, &mut host, &site.place.state);
        let done = standby::watched(cx, &asked, &plan, work).await?;
        performed = done.performed;
        notes.extend(done.notes);
    }
    if args.purge {
        purge(&site).await?;
    }
    let root = site.home.root();
    let kept = fs::exists(root).then(|| root.display().to_string());
    let kind = if notes.is_empty() { Kind::Done } else { Kind::Failed };
    let report = Report { installed: !receipt.is_empty(), performed, kept, restored, notes };
    let said = Said::report(args.json, &report, kind, || screen(&report, cx.style));
    Ok((said, report.installed))
}

/// Whose hub was there before ours, and comes back.
fn restored(receipt: &Receipt, site: &Site) -> Option<String> {
    let record = receipt.get(&Key::File(site.driver.manager.file(&UnitName::hub())))?;
    let text = record.before.entry()?.text()?;
    Owner::of_unit(text, &site.driver.manager, &site.person).map(|owner| owner.to_string())
}

/// Daemons that are to be started and could not be: who, and what is missing.
fn missing(plan: &Plan, found: &[Before]) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for (step, found) in plan.steps.iter().zip(found) {
        let (Step::StartDaemons { daemons }, Before::Daemons { up }) = (step, found) else { continue };
        for daemon in daemons.iter().filter(|daemon| !up.contains(daemon)) {
            if let Err(error) = daemon.record.check() {
                missing.push((daemon.name.clone(), sentence::of(&error)));
            }
        }
    }
    missing
}

/// Said before the hub is stopped: it would have to be started again.
fn not_again(missing: &[(String, String)]) -> CliError {
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!("{} could not be started again; nothing was touched", names.join(", "));
    let mut cli = CliError::new(Kind::NeedsPerson, text)
        .hint("put back what is missing, then: parachute migrate --teardown --back-to-detached");
    cli.causes = missing.iter().map(|(name, because)| format!("{name}: {because}")).collect();
    cli.next.push("parachute migrate --teardown     (starts none of them)".to_owned());
    cli
}

/// No receipt: nothing is touched, whatever lies there.
async fn nothing_here(cx: &Context, args: &UninstallArgs, site: &Site) -> Said {
    let hub = UnitName::hub();
    let file = site.driver.manager.file(&hub);
    let mut notes = Vec::new();
    if fs::exists(&file) {
        let text = format!("{} was not installed by this program and is left alone", file.display());
        notes.push(Note { text, next: Some(format!("ls -l {}", file.display())) });
    }
    let report = Report { installed: false, performed: 0, kept: None, restored: None, notes };
    Said::report(args.json, &report, Kind::Done, || screen(&report, cx.style))
}

/// Deletes the home. Only a directory that has a hub's traces, that is nobody's mount or login directory, and that no
/// hub uses.
async fn purge(site: &Site) -> Result<(), CliError> {
    let root = site.home.root();
    if !fs::exists(root) {
        return Ok(());
    }
    let refused = |why: &str| {
        let text = format!("{} is not deleted: {why}", root.display());
        CliError::new(Kind::Failed, text).hint(format!("ls -la {}", root.display()))
    };
    if root == site.person.home || site.person.home.starts_with(root) {
        return Err(refused("it is, or holds, a login directory"));
    }
    if fs::read_link(root).is_ok() {
        return Err(refused("it is a symbolic link"));
    }
    if !fs::exists(&site.home.services()) && !fs::exists(&site.home.run_dir()) {
        return Err(refused("nothing in it says that a hub ever used it"));
    }
    if Client::new(site.home.socket()).get::<Status>("/api/status").await.is_ok() {
        return Err(refused("a hub is using it").hint("parachute stop"));
    }
    fs::remove_tree(root).map_err(|error| CliError::from_error(Kind::Failed, &error))
}

fn screen(report: &Report, style: Style) -> String {
    let mut out = plans::notes(&report.notes, style);
    if !report.installed && report.performed == 0 {
        out.push_str("nothing is installed: there is nothing to take back\n");
    } else if report.notes.is_empty() {
        let left = match &report.restored {
            Some(owner) => format!("the hub of {} is back", printable(owner)),
            None => "nothing of it is left".to_owned(),
        };
        out.push_str(&format!("{} uninstalled: {left}\n", style.good("✓")));
    } else {
        out.push_str("uninstalled, but for what is named above\n");
    }
    if let Some(kept) = &report.kept {
        out.push_str(&format!("  your home {} stays, with your modules' data\n", printable(kept)));
        out.push_str(&format!("  {} parachute uninstall --purge\n", style.good("hint:")));
    }
    out
}
