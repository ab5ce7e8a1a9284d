//! `parachute why`: the last failure of a module, in a paragraph.

use std::time::Duration;

use crate::api::client::ClientError;
use crate::api::wire::{ModuleView, State, Why};
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::occupied;
use crate::cli::output::VerbOutput;
use crate::duration::lived;
use crate::home::fs;
use crate::module::failure::Failure;
use crate::module::name::Short;
use crate::module::problem::ProblemKind;
use crate::module::row::short_of;
use crate::process::holder::look::{self, Asking};
use crate::ui::style::Style;
use crate::ui::text::printable;

use super::start_stop::encoded;

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

/// A larger failure report is not ours.
const MAX_REPORT: u64 = 1024 * 1024;

/// Asks the hub, or reads the report if there is none.
///
/// # Errors
/// No such module, or nothing can be read.
pub(crate) async fn run(cx: &Context, args: WhyArgs) -> Result<VerbOutput, CliError> {
    if args.name == "hub" {
        let text = "`why` explains failures of modules; for the hub itself use `status`";
        return Err(CliError::new(ExitKind::Usage, text).hint("parachute status"));
    }
    let path = format!("/api/modules/{}/why", encoded(&args.name));
    let mut why = match cx.client().get::<Why>(&path).await {
        Ok(why) => why,
        Err(ClientError::NoHub { .. }) => Why { module: None, failure: from_disk(cx, &args.name)? },
        Err(error) => return Err(error.into()),
    };
    if let Some(module) = &mut why.module
        && let Some(problem) = &mut module.problem
    {
        occupied::renew(cx, &module.short, problem);
    }
    if let Some(failure) = &mut why.failure {
        occupied::renew(cx, &failure.short.clone(), &mut failure.problem);
    }
    let down = why.module.as_ref().filter(|module| module.listens && module.pid.is_none());
    let holder = down.and_then(|module| {
        let occupant = look::occupant(module.port, &Asking::about(cx.home.root())).ok()??;
        Some(format!("port {} is held by {}", module.port, occupant.words()))
    });
    Ok(VerbOutput::report(args.json, &why, ExitKind::Done, || {
        screen(&args.name, &why, holder.as_deref(), cx.style)
    }))
}

fn from_disk(cx: &Context, name: &str) -> Result<Option<Failure>, CliError> {
    let short: Short = short_of(name)
        .map_err(|error| CliError::from_error(ExitKind::Usage, error).hint("parachute status"))?;
    let path = cx.home.last_failure(&short);
    let bytes = fs::read_if_there(&path, MAX_REPORT).map_err(|error| {
        CliError::from_error(ExitKind::Failed, error).hint(format!("ls -l {}", path.display()))
    })?;
    match bytes {
        Some(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let message = format!("{} is not a failure report", path.display());
            CliError::new(ExitKind::Failed, message).cause(error).hint(format!("rm {}", path.display()))
        }),
        None if fs::is_dir(&cx.home.module(&short)) => Ok(None),
        None => Err(CliError::new(ExitKind::Failed, format!("there is no module named {name:?}"))
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
        // A problem that equals the last failure is shown once, below.
        if why
            .failure
            .as_ref()
            .is_none_or(|failure| failure.problem.error_description != problem.error_description)
        {
            out.push_str(&format!("\n{}\n", indented(&problem.error_description)));
            // The command that was just typed is not a hint.
            let asked = format!("parachute why {}", printable(name));
            if let Some(next) = problem.next.as_ref().filter(|next| **next != asked) {
                out.push_str(&format!("{} {}\n", style.good("hint:"), printable(next)));
            }
        }
    }
    let Some(failure) = &why.failure else {
        out.push_str("\nno failure on record\n");
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
    if let Some(holder) = holder.filter(|_| failure.problem.holder.is_none()) {
        out.push_str(&format!("  {}\n", printable(holder)));
    }
    if failure.lines.is_empty() && failure.ended.is_some() {
        out.push_str("  it wrote nothing\n");
    } else if !failure.lines.is_empty() {
        let count = failure.lines.len();
        out.push_str(&format!("\nlast {count} {}:\n", if count == 1 { "line" } else { "lines" }));
        for line in &failure.lines {
            out.push_str(&format!("  {} {}\n", style.dim("|"), printable(line)));
        }
    }
    let asked = format!("parachute why {}", failure.short);
    let next = failure.problem.next.clone().filter(|next| *next != asked);
    let next = next.unwrap_or_else(|| way_out(failure));
    out.push_str(&format!("\n{} {}\n", style.good("hint:"), printable(&next)));
    if failure.gave_up && why.module.as_ref().is_some_and(|module| module.state == State::Crashed) {
        out.push_str(&format!(
            "{} parachute start {}   (tries again, with a fresh restart count)\n",
            style.good("hint:"),
            failure.short
        ));
    }
    out
}

/// The hint if the failure itself has none.
fn way_out(failure: &Failure) -> String {
    let short = &failure.short;
    // Nothing ran, so there is no output to read.
    if failure.problem.error_type == ProblemKind::MissingDependency {
        return format!(
            "parachute add {short} --replace -- COMMAND   (or install the program: it is looked for again within 8 s)"
        );
    }
    format!("parachute logs {short}")
}

fn now(module: &ModuleView) -> String {
    match (module.state, module.pid) {
        (State::Running, Some(pid)) if module.ready => format!("is ready now, pid {pid}"),
        (State::Running, Some(pid)) => {
            format!("runs now, not ready: {}, pid {pid}", printable(&module.detail))
        }
        (State::Stopped, _) => "is stopped, as requested".to_owned(),
        (State::Crashed, _) if module.is_blocked() => "is blocked".to_owned(),
        (State::Crashed, _) => "has crashed".to_owned(),
        (State::Starting | State::Restarting | State::Running, _) => {
            format!("is starting: {}", printable(&module.detail))
        }
    }
}

/// Details that the description of the failure does not contain.
fn story(failure: &Failure) -> String {
    let mut parts = Vec::new();
    match failure.ended {
        None => parts.push("no process was started".to_owned()),
        Some(ended) if failure.problem.error_type != ProblemKind::Exited => {
            let long = failure
                .lived_ms
                .map_or_else(String::new, |ms| format!(" after {}", lived(Duration::from_millis(ms))));
            parts.push(format!("{}{long}", ended.phrase()));
        }
        Some(_) if failure.was_ready => parts.push("it had been ready".to_owned()),
        Some(_) => {}
    }
    parts.push(match failure.crashes_in_window {
        0 => "this does not count as a crash".to_owned(),
        n => format!("crash {n} of {}", failure.max_crashes),
    });
    if failure.gave_up {
        parts.push(format!("not restarted until `parachute start {}`", failure.short));
    }
    parts.join("; ")
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
    use crate::module::exit_status::ExitStatus;
    use crate::module::problem::Problem;
    use crate::module::timestamp::Timestamp;

    fn failure(ended: Option<ExitStatus>, gave_up: bool) -> Failure {
        Failure {
            short: "vault".to_owned(),
            at: Timestamp(1_772_359_449_120),
            ended,
            lived_ms: ended.map(|_| 2340),
            was_ready: ended.is_some(),
            command: "node server.js".to_owned(),
            problem: Problem::new(
                ProblemKind::Exited,
                "vault (pid 7) exited with code 1 after 35ms",
                Timestamp(0),
            )
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
            failure: Some(failure(Some(ExitStatus::Signal { signal: 9, core: false }), true)),
        };
        insta::assert_snapshot!("crash_hub_down", screen("vault", &crash, None, Style::PLAIN));
        let refused = Why { module: None, failure: Some(failure(None, false)) };
        let holder = Some("port 1940 is held by pid 812 (node x)");
        insta::assert_snapshot!("refused_with_holder", screen("vault", &refused, holder, Style::PLAIN));
        let never = Why { module: None, failure: None };
        insta::assert_snapshot!("never_failed", screen("vault", &never, None, Style::PLAIN));
    }

    /// One screen per kind, so that a lost reason or hint is noticed.
    #[test]
    fn every_kind_has_its_reason_and_a_hint() {
        use ProblemKind as K;
        let kinds = [
            (K::MissingDependency, "`node` is not on PATH.\n\nInstall it", Some("apt install nodejs")),
            (K::MissingDependency, "`mine` is not on PATH.", Some("parachute why vault")),
            (K::NonExecutable, "/srv/run is not executable", Some("chmod +x /srv/run")),
            (K::MissingCwd, "/srv/gone does not exist", Some("mkdir /srv/gone")),
            (K::PortSquatter, "port 1940 of vault is held by pid 812 (nc)", Some("kill 812")),
            (K::StartedButUnbound, "vault runs and has not bound port 1940", None),
            (K::SpawnFailed, "the system refused a new process", None),
            (K::Exited, "vault exited with code 1", Some("parachute why vault")),
            (K::Unhealthy, "its health check failed 3 times", Some("parachute logs vault")),
            (K::NoStartCmd, "nothing says how to start vault", Some("parachute add vault -- COMMAND")),
            (K::BadDefinition, "module.json is not JSON", None),
            (K::StopFailed, "pid 7 survives SIGKILL", Some("parachute status")),
            (K::Edited, "the row changed since it was started", Some("parachute restart vault")),
        ];
        let mut all = String::new();
        for (kind, text, next) in kinds {
            let mut problem = Problem::new(kind, text, Timestamp(0));
            problem.next = next.map(str::to_owned);
            let failure = Failure { problem, ..failure(None, false) };
            let screen = screen("vault", &Why { module: None, failure: Some(failure) }, None, Style::PLAIN);
            assert!(screen.contains("\nhint: ") && !screen.contains("hint: parachute why vault"), "{screen}");
            all.push_str(&format!("=== {kind:?} ===\n{screen}\n"));
        }
        insta::assert_snapshot!("kinds", all);
    }
}
