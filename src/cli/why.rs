//! `parachute why`: the last failure of a module, in a paragraph.

use std::time::Duration;

use crate::api::client::ClientError;
use crate::api::wire::{ModuleView, State, Why};
use crate::home::fs;
use crate::module::failure::Failure;
use crate::module::name::Short;
use crate::module::row::short_of;
use crate::process::ports;
use crate::ui::style::Style;
use crate::ui::text::{lived, printable};

use super::context::Context;
use super::error::{CliError, Kind};
use super::ops::encoded;
use super::run::Said;

/// Explain the last failure of a module
#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    /// Module, by short name or row name
    #[arg(value_name = "NAME")]
    name: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// A failure report larger than this is not ours.
const MAX_REPORT: u64 = 1024 * 1024;

/// Asks the hub, or reads the report if there is none.
///
/// # Errors
/// No such module, or nothing can be read.
pub async fn run(cx: &Context, args: WhyArgs) -> Result<Said, CliError> {
    let path = format!("/api/modules/{}/why", encoded(&args.name));
    let why = match cx.client().get::<Why>(&path).await {
        Ok(why) => why,
        Err(ClientError::NoHub { .. }) => Why { module: None, failure: from_disk(cx, &args.name)? },
        Err(error) => return Err(error.into()),
    };
    let holder =
        why.module.as_ref().filter(|module| module.listens && module.pid.is_none()).and_then(|module| {
            ports::holder(module.port)
                .map(|(holder, _)| format!("port {} is held by {}", holder.port, holder.phrase()))
        });
    Ok(Said::report(args.json, &why, Kind::Done, || screen(&args.name, &why, holder.as_deref(), cx.style)))
}

fn from_disk(cx: &Context, name: &str) -> Result<Option<Failure>, CliError> {
    let short: Short =
        short_of(name).map_err(|error| CliError::from_error(Kind::Usage, &error).hint("parachute status"))?;
    let path = cx.home.last_failure(&short);
    let bytes = fs::read_if_there(&path, MAX_REPORT).map_err(|error| {
        CliError::from_error(Kind::Failed, &error).hint(format!("ls -l {}", path.display()))
    })?;
    match bytes {
        Some(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let message = format!("{} is not a failure report", path.display());
            let error = CliError { causes: vec![error.to_string()], ..CliError::new(Kind::Failed, message) };
            error.hint(format!("rm {}", path.display()))
        }),
        None if fs::is_dir(&cx.home.module(&short)) => Ok(None),
        None => Err(CliError::new(Kind::Failed, format!("nothing is known of a module named {name:?}"))
            .hint("parachute status")),
    }
}

/// The paragraph. Pure.
fn screen(name: &str, why: &Why, holder: Option<&str>, style: Style) -> String {
    let mut out = String::new();
    match &why.module {
        Some(module) => out.push_str(&format!("{} {}\n", style.bold(&printable(&module.short)), now(module))),
        None => out.push_str(&format!("{} the hub is not running\n", style.bold(&printable(name)))),
    }
    if let Some(problem) = why.module.as_ref().and_then(|module| module.problem.as_ref()) {
        // The same problem as the last failure is told once, below.
        if why
            .failure
            .as_ref()
            .is_none_or(|failure| failure.problem.error_description != problem.error_description)
        {
            out.push_str(&format!("\n{}\n", indented(&problem.error_description)));
            // What was typed just now is no way out.
            let asked = format!("parachute why {}", printable(name));
            if let Some(next) = problem.next.as_ref().filter(|next| **next != asked) {
                out.push_str(&format!("{} {}\n", style.good("hint:"), printable(next)));
            }
        }
    }
    let Some(failure) = &why.failure else {
        out.push_str("\nit has not failed, as far as anybody remembers\n");
        return out;
    };
    out.push_str(&format!(
        "\nlast failure, {}:\n{}\n",
        failure.at,
        indented(&failure.problem.error_description)
    ));
    out.push_str(&format!("  {}\n", story(failure)));
    if !failure.command.is_empty() {
        out.push_str(&format!("  command: {}\n", printable(&failure.command)));
    }
    if let Some(holder) = holder {
        out.push_str(&format!("  {}\n", printable(holder)));
    }
    if failure.lines.is_empty() {
        out.push_str("  it wrote nothing\n");
    } else {
        let count = failure.lines.len();
        out.push_str(&format!("\nits last {count} {}:\n", if count == 1 { "line" } else { "lines" }));
        for line in &failure.lines {
            out.push_str(&format!("  {} {}\n", style.dim("|"), printable(line)));
        }
    }
    let asked = format!("parachute why {}", failure.short);
    let next = failure.problem.next.clone().filter(|next| *next != asked);
    let next = next.unwrap_or_else(|| format!("parachute logs {}", failure.short));
    out.push_str(&format!("\n{} {}\n", style.good("hint:"), printable(&next)));
    if failure.gave_up && why.module.as_ref().is_some_and(|module| module.state == State::Crashed) {
        out.push_str(&format!(
            "{} parachute start {}   (tries again, with a new budget)\n",
            style.good("hint:"),
            failure.short
        ));
    }
    out
}

fn now(module: &ModuleView) -> String {
    match (module.state, module.pid) {
        (State::Running, Some(pid)) if module.ready => format!("is well now: ready, pid {pid}"),
        (State::Running, Some(pid)) => {
            format!("runs now, and is not ready: {}, pid {pid}", printable(&module.detail))
        }
        (State::Stopped, _) => "is stopped, because somebody asked for it".to_owned(),
        (State::Crashed, _) => format!("is down now: {}", printable(&module.detail)),
        (State::Starting | State::Restarting | State::Running, _) => {
            format!("is on its way: {}", printable(&module.detail))
        }
    }
}

fn story(failure: &Failure) -> String {
    let how = failure.ended.map_or_else(|| "no process was started".to_owned(), |ended| ended.phrase());
    let long = failure
        .lived_ms
        .map_or_else(String::new, |ms| format!(" after {}", lived(Duration::from_millis(ms))));
    let ready = match (failure.ended, failure.was_ready) {
        (None, _) => "",
        (Some(_), true) => ", having been ready",
        (Some(_), false) => ", without ever having been ready",
    };
    let end = if failure.gave_up { "; the supervisor gave up" } else { "" };
    let crashes = match failure.crashes_in_window {
        0 => "this cost no restart budget".to_owned(),
        n => format!("crash {n} of {}", failure.max_crashes),
    };
    format!("{how}{long}{ready}; {crashes}{end}")
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {}", printable(line)).trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::ended::Ended;
    use crate::module::problem::{Kind as ProblemKind, Problem};
    use crate::module::stamp::Stamp;

    fn failure(ended: Option<Ended>, gave_up: bool) -> Failure {
        Failure {
            short: "vault".to_owned(),
            at: Stamp(1_772_359_449_120),
            ended,
            lived_ms: ended.map(|_| 2340),
            was_ready: ended.is_some(),
            command: "node server.js".to_owned(),
            problem: Problem::new(ProblemKind::Exited, "vault (pid 7) ended by itself", Stamp(0))
                .next("parachute why vault"),
            crashes_in_window: if ended.is_some() { 5 } else { 0 },
            max_crashes: 5,
            gave_up,
            lines: if ended.is_some() { vec!["boom \u{1b}[31m".to_owned()] } else { Vec::new() },
        }
    }

    #[test]
    fn paragraphs() {
        let crash = Why {
            module: None,
            failure: Some(failure(Some(Ended::Signal { signal: 9, core: false }), true)),
        };
        insta::assert_snapshot!("crash_hub_down", screen("vault", &crash, None, Style::PLAIN));
        let refused = Why { module: None, failure: Some(failure(None, false)) };
        let holder = Some("port 1940 is held by pid 812 (node x)");
        insta::assert_snapshot!("refused_with_holder", screen("vault", &refused, holder, Style::PLAIN));
        let never = Why { module: None, failure: None };
        insta::assert_snapshot!("never_failed", screen("vault", &never, None, Style::PLAIN));
    }
}
