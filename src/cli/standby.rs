//! Finishes a cutover, or an upgrade, if its process is killed in the middle: see [`crate::process::standby`].

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::plan::Plan;
use crate::plan::host::Host;
use crate::plan::journal::peek_unfinished;
use crate::plan::step::Step;
use crate::process::standby::{Call, Standby, stand_by};
use crate::ui::terminal::Terminal;

use super::apply::{self, Recovery};
use super::context::Context;
use super::error::{CliError, ExitKind};
use super::installation::{Found, Installation, ScopeArgs, find, no_manager};
use super::output::VerbOutput;

/// Variables that apply only to the process that posts it.
const OWN: [&str; 1] = ["PARACHUTE_FAULT"];

/// Runs `work`, with a standby if it contains a time in which no service runs.
///
/// # Errors
/// Those of `work`; or no standby could be started, and nothing was done.
pub(super) async fn watched<T>(
    cx: &Context,
    asked: &ScopeArgs,
    plan: &Plan,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    let needed = leaves_a_gap(&plan.steps) && !is_alone(cx);
    let standby = if needed { Some(post(cx, asked)?) } else { None };
    let done = work.await;
    if let Some(standby) = standby {
        standby.dismiss();
    }
    done
}

fn post(cx: &Context, asked: &ScopeArgs) -> Result<Standby, CliError> {
    Standby::post(&cx.exe, &arguments(cx, asked), &OWN).map_err(|error| {
        let text =
            "not started: if this process were killed half-way, no other process would finish the work";
        CliError::new(ExitKind::Failed, text)
            .cause(format!("{} does not start to stand by: {error}", cx.exe.display()))
            .hint("parachute doctor")
    })
}

/// Whether there is a time during the steps in which a service is down that runs afterwards.
fn leaves_a_gap(steps: &[Step]) -> bool {
    steps.iter().enumerate().any(|(at, step)| match step {
        Step::StopDaemons { .. } | Step::StartDaemons { .. } => true,
        Step::SetRunning { unit, running: false } => {
            let again = Step::SetRunning { unit: unit.clone(), running: true };
            steps[at..].contains(&again)
        }
        _ => false,
    })
}

/// Finishes, or undoes, an unfinished plan of an earlier run, with a standby if needed.
///
/// # Errors
/// As [`apply::resume_or_undo`].
pub(super) async fn resume_or_undo<H: Host>(
    cx: &Context,
    asked: &ScopeArgs,
    host: &mut H,
    state: &Path,
    recovery: Recovery,
) -> Result<VerbOutput, CliError> {
    let log = peek_unfinished(state).map_err(apply::unopened)?;
    let work = apply::resume_or_undo(cx, host, state, recovery);
    match log {
        Some(log) => watched(cx, asked, &log.plan, work).await,
        None => work.await,
    }
}

/// The same options and home.
fn arguments(cx: &Context, asked: &ScopeArgs) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    if cx.home_named {
        args.extend(["--home".into(), cx.home.root().into()]);
    }
    args.push("stand-by".into());
    args.extend(asked.words().into_iter().map(OsString::from));
    args
}

/// Tests that kill everything at once, as a power cut does, start no standby.
fn is_alone(cx: &Context) -> bool {
    cfg!(debug_assertions) && cx.env.get(OsStr::new("PARACHUTE_STANDBY")).is_some_and(|value| value == "none")
}

/// Stand by for a cutover or an upgrade, and finish it if its process is killed
#[derive(Debug, clap::Args)]
pub struct StandByArgs {
    #[command(flatten)]
    whose: ScopeArgs,
}

/// Stands by; then finishes the unfinished plan, or undoes it if it cannot be finished.
///
/// # Errors
/// Neither was possible; the next run of the verb tries again.
pub(crate) async fn run(cx: &Context, args: StandByArgs) -> Result<VerbOutput, CliError> {
    let call = stand_by().map_err(|error| {
        CliError::from_error(ExitKind::Usage, error).hint("parachute migrate --to-supervised")
    })?;
    if call == Call::Dismissed {
        return Ok(VerbOutput::done(String::new()));
    }
    let installation = installation(cx, &args.whose).await?;
    let Some(log) = peek_unfinished(&installation.layout.state).map_err(apply::unopened)? else {
        return Ok(VerbOutput::done(String::new()));
    };
    Terminal.err(&format!("\n`parachute {}` was killed; another process finished it\n", log.plan.verb));
    let output =
        apply::resume_or_undo(cx, &mut installation.host(), &installation.layout.state, Recovery::Finish)
            .await?;
    // Standard output belongs to the process that posted us.
    Terminal.err(&output.out);
    Ok(VerbOutput { out: String::new(), ..output })
}

async fn installation(cx: &Context, asked: &ScopeArgs) -> Result<Box<Installation>, CliError> {
    match find(cx, asked).await? {
        Found::Installation(installation) => Ok(installation),
        Found::NoManager(none) => Err(no_manager(&none)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::name::UnitName;

    #[test]
    fn a_stop_followed_by_a_start_is_a_gap() {
        let (hub, socket) = (UnitName::hub(), UnitName::hub().socket());
        let set = |unit: &UnitName, running| Step::SetRunning { unit: unit.clone(), running };
        let daemons = || Step::StopDaemons { daemons: Vec::new(), replaced_by: Vec::new() };
        let file = Step::RemoveFile { path: "/f".into() };
        let table = [
            (vec![set(&hub, false), file.clone(), set(&hub, true)], true),
            (vec![file.clone(), set(&hub, true)], false),
            (vec![set(&hub, false), file.clone()], false),
            (vec![set(&socket, false), set(&hub, true)], false),
            (vec![set(&hub, true), set(&hub, false)], false),
            (vec![file.clone(), daemons()], true),
            (vec![file, Step::StartDaemons { daemons: Vec::new() }], true),
        ];
        for (steps, gap) in table {
            assert_eq!(leaves_a_gap(&steps), gap, "{steps:?}");
        }
    }
}
