//! `parachute serve`

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::output::VerbOutput;
use crate::hub::check::{self, CheckStatus, Finding};
use crate::hub::log_filter;
use crate::hub::options::ServeOptions;
use crate::hub::own_log;
use crate::hub::serve;
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;

/// Run the hub in the foreground
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// TCP port of the API; 0 takes a free one [default: $PORT, hub.toml, 1939]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Address to listen on [default: $PARACHUTE_BIND_HOST, hub.toml, 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Add a built-in demo module while this hub runs
    #[arg(long)]
    demo: bool,
    /// Only check whether a hub could start here now; change nothing
    #[arg(long, conflicts_with = "demo")]
    check: bool,
    /// With --check: print the answers as JSON
    #[arg(long, requires = "check")]
    json: bool,
}

impl ServeArgs {
    /// Only a port.
    pub(in crate::cli) fn on(port: Option<u16>) -> Self {
        Self { port, host: None, demo: false, check: false, json: false }
    }
}

/// The output of `--check`.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether a hub would start.
    can_start: bool,
    /// Every finding.
    findings: Vec<Finding>,
}

/// Runs until it is asked to stop.
///
/// # Errors
/// Any error that ends a hub.
pub(crate) fn run(cx: &Context, args: ServeArgs) -> Result<VerbOutput, CliError> {
    let mut env = cx.env.clone();
    log_filter::ask(&mut env, cx.verbose);
    let options = ServeOptions {
        home: cx.home.clone(),
        port: args.port,
        host: args.host,
        demo: args.demo,
        env,
        exe: cx.exe.clone(),
        has_terminal: cx.has_terminal,
    };
    if args.check {
        return Ok(say(check::check(&options), args.json, cx.style));
    }
    let service_manager = options.service_manager();
    serve::run(options).or_else(|error| {
        let needs_person = error.needs_person();
        let kind = if needs_person { ExitKind::NeedsPerson } else { ExitKind::Failed };
        let refusal = CliError::with_hints(kind, error);
        if !(needs_person && service_manager.never_gives_up()) {
            return Err(refusal);
        }
        // With any other code launchd would restart this hub every ten seconds, until a user acts: launchd.plist(5),
        // KeepAlive, SuccessfulExit.
        let text = format!("not started; it needs you to act first: {}", refusal.screen(Style::PLAIN));
        // If that file cannot be written, standard error still goes to launchd's own.
        let _ = own_log::leave(&cx.home, cx.now, &text);
        Terminal.err(&text);
        Ok(())
    })?;
    Ok(VerbOutput::done(""))
}

fn say(findings: Vec<Finding>, json: bool, style: Style) -> VerbOutput {
    let can_start = findings.iter().all(|finding| finding.verdict != CheckStatus::Fail);
    let kind = if can_start { ExitKind::Done } else { ExitKind::NeedsPerson };
    let report = Report { can_start, findings };
    VerbOutput::report(json, &report, kind, || screen(&report, style))
}

fn screen(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let sign = match finding.verdict {
            CheckStatus::Ok => style.good("✓"),
            CheckStatus::Warn => style.warn("!"),
            CheckStatus::Fail => style.bad("✗"),
        };
        out.push_str(&format!("{sign} {}: {}\n", finding.id, printable(&finding.text)));
        if let Some(next) = &finding.next {
            out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(next)));
        }
    }
    out.push_str(if report.can_start { "a hub can start here\n" } else { "a hub cannot start here\n" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_its_sign_and_one_failure_decides() {
        let finding = |id, verdict, text: &str, next: Option<&str>| Finding {
            id,
            verdict,
            text: text.to_owned(),
            next: next.map(str::to_owned),
        };
        let warn = finding("settings", CheckStatus::Warn, "line 2: bad", Some("repair it"));
        let good = say(vec![warn.clone()], false, Style::PLAIN);
        assert_eq!(good.kind, ExitKind::Done);
        assert_eq!(good.out, "! settings: line 2: bad\n  hint: repair it\na hub can start here\n");
        let fail = finding("port", CheckStatus::Fail, "held", None);
        let bad = say(vec![finding("home", CheckStatus::Ok, "fine", None), warn, fail], false, Style::PLAIN);
        assert_eq!(bad.kind, ExitKind::NeedsPerson);
        assert!(
            bad.out.starts_with("✓ home: fine\n")
                && bad.out.ends_with("✗ port: held\na hub cannot start here\n")
        );
    }
}
