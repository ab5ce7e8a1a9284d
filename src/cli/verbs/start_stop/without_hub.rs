//! `parachute stop NAME --without-hub`: ends the processes of modules that run on after their hub, those that are proven to
//! be theirs, and records it in the ledger, so that the next hub starts from there.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::client::ClientError;
use crate::api::wire::Health;
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Installation};
use crate::cli::orphans;
use crate::cli::outcome::{self, ModuleOutcome};
use crate::cli::output::VerbOutput;
use crate::home::fs;
use crate::home::lock::{Lock, LockError};
use crate::module::name::Short;
use crate::module::row::short_of;
use crate::process::group::{self, Depth, ModuleRun};
use crate::process::id::ProcessId;
use crate::process::unknown::Unknown;
use crate::process::{reap, table, terminate, user};
use crate::supervisor::ledger::{self, Recorded};

/// How long a module has after SIGTERM. Its own time is the hub's to know.
const GRACE: Duration = Duration::from_secs(10);

/// Ends them. `names`: `None` for every module that runs on.
///
/// # Errors
/// A hub runs; the home is another user's; what runs is unknown.
pub(super) async fn stop(
    cx: &Context,
    names: Option<Vec<String>>,
    json: bool,
) -> Result<VerbOutput, CliError> {
    if !fs::exists(&cx.home.run_dir()) {
        return Ok(super::hub::already_stopped(json));
    }
    is_own(cx)?;
    let asked = names.map(|names| names.iter().map(|name| short(name)).collect::<Result<Vec<_>, _>>());
    let asked = asked.transpose()?;
    if !matches!(cx.client().get::<Health>("/health").await, Err(ClientError::NoHub { .. })) {
        return Err(a_hub_runs());
    }
    // A hub that starts meanwhile would take over what is being ended.
    let _lock = match Lock::try_take(&cx.home.hub_lock()) {
        Ok(lock) => lock,
        Err(LockError::Held { .. }) => return Err(a_hub_runs()),
        Err(error) => return Err(CliError::from_error(ExitKind::Failed, error).hint("parachute doctor")),
    };
    let installation = installation::installed(cx).await;
    let running = orphans::found(cx, installation.as_ref()).map_err(orphans::untold)?;
    let running: BTreeSet<Short> = running.iter().filter_map(|left| Short::new(&left.short).ok()).collect();
    let recorded = orphans::recorded(cx);
    let mut outcomes = Vec::new();
    for module in asked.unwrap_or_else(|| running.iter().cloned().collect()) {
        let runs: Vec<Recorded> = recorded.iter().filter(|run| run.short == module).cloned().collect();
        let ended = if running.contains(&module) {
            end(cx, installation.as_ref(), &module, &runs).await
        } else {
            Ok(BTreeSet::new())
        };
        // Only now: what is not recorded is looked for by the next hub.
        let ended = ended.and_then(|ended| {
            let recorded = ledger::record_ends(&cx.home.ledger(), &runs);
            recorded.map(|()| ended).map_err(|error| format!("ended, but that cannot be recorded: {error}"))
        });
        outcomes.push(told(&module, ended));
    }
    let kind = if outcomes.iter().all(|outcome| outcome.ok) { ExitKind::Done } else { ExitKind::Failed };
    Ok(VerbOutput::report(json, &outcomes, kind, || match outcomes.as_slice() {
        [] => "no module runs without a hub\n".to_owned(),
        outcomes => outcome::screen(outcomes, cx.style),
    }))
}

fn short(name: &str) -> Result<Short, CliError> {
    short_of(name).map_err(|error| CliError::from_error(ExitKind::Usage, error).hint("parachute status"))
}

/// Root opens no file in a home that another user can change.
fn is_own(cx: &Context) -> Result<(), CliError> {
    let owner = fs::owner(cx.home.root());
    match owner {
        Some(uid) if uid != user::effective_uid() => {
            let text =
                format!("the home {} belongs to user {uid}, who alone may do this", cx.home.root().display());
            Err(CliError::new(ExitKind::NeedsPerson, text)
                .hint("parachute stop     (the hub and all its modules)"))
        }
        _ => Ok(()),
    }
}

fn a_hub_runs() -> CliError {
    CliError::new(ExitKind::Usage, "a hub runs or is starting: it stops its modules itself")
        .hint("parachute stop --all")
        .hint("parachute status")
}

/// The cgroup first: it reaches every process. Then what is proven by the ledger and by marks.
async fn end(
    cx: &Context,
    installation: Option<&Installation>,
    module: &Short,
    runs: &[Recorded],
) -> Result<BTreeSet<ProcessId>, String> {
    let mut ended = BTreeSet::new();
    if let Some(installation) = installation {
        let left = orphans::in_unit(installation).map_err(|unknown| unknown.to_string())?;
        let left = left.into_iter().filter(|left| left.module == *module).collect();
        for reaped in reap::end(left, GRACE).await {
            if !reaped.is_ended() {
                return Err(format!("not ended: {}", reap::names(module, &reaped.processes)));
            }
            ended.extend(reaped.processes.into_iter().map(|process| process.id));
        }
    }
    let find = || proven(cx, module, runs);
    ended.extend(terminate::end(find, GRACE).await.map_err(|error| error.to_string())?);
    Ok(ended)
}

fn proven(cx: &Context, module: &Short, runs: &[Recorded]) -> Result<BTreeSet<ProcessId>, Unknown> {
    let mut found: BTreeSet<ProcessId> = group::marked(cx.home.root())?
        .into_iter()
        .filter(|(_, marks)| marks.module == *module)
        .map(|(process, _)| process.id)
        .collect();
    for run in runs {
        let run = ModuleRun {
            leader: run.leader.clone(),
            incarnation: run.incarnation.clone(),
            module: module.clone(),
            reaped: None,
            cgroup: None,
            adopted: true,
        };
        let left = group::remnants(&run, table::own_pid(), &BTreeSet::new(), Depth::Marks)?;
        found.extend(left.into_iter().map(|process| process.id));
    }
    Ok(found)
}

fn told(module: &Short, ended: Result<BTreeSet<ProcessId>, String>) -> ModuleOutcome {
    match ended {
        Err(why) => ModuleOutcome::refused(module.as_str(), why, None),
        Ok(ended) if ended.is_empty() => ModuleOutcome::done(module.as_str(), "was not running".to_owned()),
        Ok(ended) => {
            let pids: Vec<String> = ended.iter().map(|id| id.pid.to_string()).collect();
            ModuleOutcome::done(module.as_str(), format!("stopped without a hub (pid {})", pids.join(", ")))
        }
    }
}
