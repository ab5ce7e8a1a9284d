//! `parachute doctor`: looks at everything, says what is well and what is not, and mends what can be mended.

use serde::Serialize;

use crate::api::wire::Status;
use crate::doctor::check::{Check, Verdict, worst};
use crate::doctor::facts::DoctorFacts;
use crate::doctor::gather::{self, Seen};
use crate::doctor::{checks, fix};
use crate::install::gather::{self as install, Seed};
use crate::manager::invocation::Runner;
use crate::process::person;
use crate::ui::style::Style;
use crate::ui::table::{Cell, Table};
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;

use super::context::Context;
use super::error::{CliError, Kind};
use super::legacy;
use super::plans;
use super::said::Said;
use super::site::{self, Asked, Found, NoManager, Site};

/// Look at everything, say what is not well, and what to type
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct DoctorArgs {
    /// Mend what can be mended: shown first, then asked
    #[arg(long)]
    fix: bool,
    /// With --fix: only show what would be done
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// With --fix: do it without asking
    #[arg(short, long, requires = "fix")]
    yes: bool,
    /// Whose services
    #[arg(long, value_name = "SCOPE")]
    scope: Option<site::ScopeArg>,
    /// As whom the hub runs, in the system scope
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
}

/// What `doctor --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// The worst of all.
    verdict: Verdict,
    /// Every check.
    checks: Vec<Check>,
}

/// Looks, and mends if that was asked for.
///
/// # Errors
/// Something that everything else stands on cannot be looked at; a step of `--fix` failed.
pub async fn run(cx: &Context, args: DoctorArgs) -> Result<Said, CliError> {
    let asked = Asked { scope: args.scope, user: args.user.as_deref() };
    let site = match site::installed(cx).await.filter(|_| args.scope.is_none() && args.user.is_none()) {
        Some(site) => Ok(Box::new(site)),
        None => match site::find(cx, &asked).await? {
            Found::Site(site) => Ok(site),
            Found::NoManager(none) => Err(none),
        },
    };
    let glance = site.as_ref().map(|site| site.glance());
    let facts = look(cx, glance.as_ref().map_err(|none| &**none)).await?;
    if !args.fix {
        return Ok(say(&facts, args.json, cx.style));
    }
    let Ok(site) = site else {
        return Err(CliError::new(
            Kind::NoHub,
            "without a service manager there is nothing that --fix could mend",
        )
        .hint("parachute doctor"));
    };
    let plan = fix::plan(&facts).map_err(|refusal| site::refused(&refusal))?;
    let mut host = site.host();
    let (shown, found) = plans::look(&plan, &host, &site.driver.manager).await?;
    if args.dry_run {
        return Ok(Said::report(args.json, &shown, Kind::Done, || plans::screen(&shown, cx.style)));
    }
    if shown.nothing_to_do {
        Terminal.err("there is nothing that --fix could mend\n");
        return Ok(say(&facts, args.json, cx.style));
    }
    if !args.yes {
        Terminal.err(&plans::screen(&shown, cx.style));
        if !plans::agreed(cx, "do this?")? {
            return Ok(Said { out: "nothing was changed\n".to_owned(), kind: Kind::Failed });
        }
    }
    let done = plans::apply(cx, &plan, &found, &mut host, &site.place.state).await?;
    Terminal.err(&plans::notes(&done.notes, cx.style));
    let facts = look(cx, Ok(&site.glance())).await?;
    Ok(say(&facts, args.json, cx.style))
}

/// Asks everything.
async fn look<R: Runner + Clone>(
    cx: &Context,
    site: Result<&Site<R>, &NoManager>,
) -> Result<DoctorFacts, CliError> {
    let home = site.map_or(&cx.home, |site| &site.home);
    let hub =
        crate::api::client::Client::new(home.socket()).get::<Status>("/api/status").await.ok().map(Box::new);
    let (install, needs, survival, older) = match site {
        Ok(site) => {
            let facts = Box::new(site.facts(cx, None).await?);
            let needs = facts.needs.clone();
            let survival = site.survival().await;
            (Ok(facts), needs, Some(survival), legacy::in_the_way(cx, site).await?)
        }
        Err(none) => {
            let person = person::by_uid(person::effective_uid())
                .map_err(|error| CliError::from_error(Kind::Failed, &error).hint("getent passwd"))?;
            let seed = Seed { person: &person, home, exe: &cx.exe, env: &cx.env, port: None, now: cx.now };
            let needs = install::needs(&seed);
            let why = none.why.iter().map(|why| format!("{}: {}", why.manager, why.because)).collect();
            (Err(why), needs, None, None)
        }
    };
    Ok(gather::gather(Seen { home, install, needs, survival, hub, older, now: cx.now }))
}

fn say(facts: &DoctorFacts, json: bool, style: Style) -> Said {
    let checks = checks::all(facts);
    let verdict = worst(&checks);
    let kind = if verdict == Verdict::Fail { Kind::Failed } else { Kind::Done };
    let report = Report { verdict, checks };
    Said::report(json, &report, kind, || screen(&report, style))
}

fn screen(report: &Report, style: Style) -> String {
    let mut table = Table::default();
    for check in &report.checks {
        let sign = match check.verdict {
            Verdict::Ok => Cell::painted("✓", |text| style.good(text)),
            Verdict::CannotTell => Cell::painted("?", |text| style.warn(text)),
            Verdict::Warn => Cell::painted("!", |text| style.warn(text)),
            Verdict::Fail => Cell::painted("✗", |text| style.bad(text)),
        };
        let under = check.next.iter().map(|next| format!("  {} {}", style.good("hint:"), printable(next)));
        let message = printable(&check.message);
        table.row(vec![sign, Cell::new(check.id), Cell::new(message)], under.collect());
    }
    let count = |verdict| report.checks.iter().filter(|check| check.verdict == verdict).count();
    let said: Vec<String> =
        [(Verdict::Fail, "failed"), (Verdict::Warn, "to look at"), (Verdict::CannotTell, "cannot be told")]
            .into_iter()
            .filter(|(verdict, _)| count(*verdict) > 0)
            .map(|(verdict, words)| format!("{} {words}", count(verdict)))
            .collect();
    let sum = if said.is_empty() { "everything is well".to_owned() } else { said.join(", ") };
    let fixable = report.checks.iter().any(|check| check.fixable);
    let hint =
        if fixable { format!("{} parachute doctor --fix\n", style.good("hint:")) } else { String::new() };
    format!("{}{sum}\n{hint}", table.render())
}

#[cfg(test)]
mod tests;
