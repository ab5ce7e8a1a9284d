//! Modules of this home that run without a hub: a hub that was killed leaves its modules running, and verbs say so.
//!
//! A process is a module's if it carries the marks of this home, if it is the leader of a run in the ledger (pid, start and
//! boot), or if it is in the cgroup of a module below the unit of this home.

use crate::api::client::ClientError;
use crate::api::wire::Health;
use crate::home::fs;
use crate::manager::runner::Tools;
use crate::manager::state::Active;
use crate::module::name::Short;
use crate::module::shell::quote;
use crate::process::cgroup::UnitCgroup;
use crate::process::group;
use crate::process::id::ProcessId;
use crate::process::reap::{self, Left, Reaped};
use crate::process::table;
use crate::process::unknown::Unknown;
use crate::process::user;
use crate::supervisor::ledger::{self, Recorded};
use crate::unit::name::UnitName;

use super::context::Context;
use super::error::{CliError, ExitKind};
use super::installation::{self, Installation};

/// One module, by its oldest process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Orphan {
    /// Short name.
    pub short: String,
    /// Its oldest process.
    pub id: ProcessId,
}

/// Running modules of this home, by name; to be asked while no hub runs.
///
/// # Errors
/// They are unknown.
pub(super) async fn running(cx: &Context) -> Result<Vec<Orphan>, CliError> {
    let installation = installation::installed(cx).await;
    found(cx, installation.as_ref()).map_err(untold)
}

/// Those that run without a hub, in a sentence. `None`: none does, a hub runs, or it is unknown.
pub(super) async fn sentence(cx: &Context) -> Option<String> {
    if !matches!(cx.client().get::<Health>("/health").await, Err(ClientError::NoHub { .. })) {
        return None;
    }
    running(cx).await.ok().filter(|left| !left.is_empty()).map(|left| words(&left))
}

/// The same, with what is known of the installation.
///
/// # Errors
/// [`Unknown`].
pub(super) fn found(cx: &Context, installation: Option<&Installation>) -> Result<Vec<Orphan>, Unknown> {
    let of = |short: &Short, id: ProcessId| Orphan { short: short.to_string(), id };
    let mut all: Vec<Orphan> =
        group::marked(cx.home.root())?.into_iter().map(|(p, marks)| of(&marks.module, p.id)).collect();
    for run in recorded(cx) {
        if table::alive(&run.leader)? {
            all.push(of(&run.short, run.leader));
        }
    }
    if let Some(installation) = installation {
        for left in in_unit(installation)? {
            all.extend(left.processes.iter().map(|p| of(&left.module, p.id.clone())));
        }
    }
    Ok(oldest(all))
}

/// Runs whose end no hub recorded. A ledger that cannot be read names none: the marks and the cgroups do. Root opens no file
/// in a home that another user can change.
pub(super) fn recorded(cx: &Context) -> Vec<Recorded> {
    if fs::owner(cx.home.root()) != Some(user::effective_uid()) {
        return Vec::new();
    }
    ledger::recorded(&cx.home.ledger()).unwrap_or_default()
}

/// The modules that have processes in their cgroups below the unit of this installation.
///
/// # Errors
/// [`Unknown`]: there may be others.
pub(super) fn in_unit(installation: &Installation<Tools>) -> Result<Vec<Left>, Unknown> {
    let (hub, manager) = (UnitName::hub(), &installation.driver.manager);
    let mut found = Vec::new();
    for unit in UnitCgroup::with_modules(&manager.name_of(&hub))? {
        if manager.runs_in(&hub, unit.dir()) {
            found.extend(reap::left(&unit)?);
        }
    }
    Ok(found)
}

/// Ends what is left in the cgroups of modules of a unit that does not run: of one that has failed, or waits to be
/// restarted, a stop by the manager ends nothing. Returns what was there.
///
/// # Errors
/// They are unknown; or some are still there, and are named.
pub(super) async fn end_in_unit(installation: &Installation<Tools>) -> Result<Vec<String>, CliError> {
    let left = in_unit(installation).map_err(untold)?;
    let active = installation.driver.state(&UnitName::hub()).await.active;
    let is_down = matches!(active.known(), Some(Active::Stopped | Active::Failed));
    if left.is_empty() || !is_down {
        return Ok(Vec::new());
    }
    let reaped = reap::end(left, reap::GRACE).await;
    let names = |reaped: &Reaped| reap::names(&reaped.module, &reaped.processes);
    let stuck: Vec<String> = reaped.iter().filter(|reaped| !reaped.is_ended()).map(names).collect();
    if stuck.is_empty() {
        return Ok(reaped.iter().map(names).collect());
    }
    let text = format!("the hub does not run, and these could not be ended: {}", stuck.join("; "));
    Err(CliError::new(ExitKind::Failed, text).hint("parachute doctor"))
}

pub(super) fn untold(unknown: Unknown) -> CliError {
    let text = format!("no hub is running, and whether its modules do cannot be told: {unknown}");
    CliError::new(ExitKind::Failed, text).hint("parachute status")
}

fn oldest(mut all: Vec<Orphan>) -> Vec<Orphan> {
    all.sort_by(|a, b| (&a.short, a.id.started, a.id.pid).cmp(&(&b.short, b.id.started, b.id.pid)));
    all.dedup_by(|later, first| later.short == first.short);
    all
}

/// The error of a verb for modules while no hub runs: they are not stopped.
pub(super) fn unsupervised(left: &[Orphan]) -> CliError {
    let names: Vec<String> = left.iter().map(|left| quote(&left.short)).collect();
    let text = format!("no hub is running, and {}", words(left));
    CliError::new(ExitKind::NoHub, text)
        .hint(format!("parachute stop {} --without-hub", names.join(" ")))
        .hint("parachute serve     (a hub that can stop them; an installed one: `parachute start`)")
}

/// `vault (pid 12) runs on without a hub`
pub(super) fn words(left: &[Orphan]) -> String {
    format!("{} {} on without a hub", named(left), if left.len() == 1 { "runs" } else { "run" })
}

/// `vault (pid 12) still runs`
pub(super) fn outlived(left: &[Orphan]) -> String {
    format!("{} still {}", named(left), if left.len() == 1 { "runs" } else { "run" })
}

fn named(left: &[Orphan]) -> String {
    let names: Vec<String> =
        left.iter().map(|left| format!("{} (pid {})", left.short, left.id.pid)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::{BootId, Started};

    fn left(short: &str, pid: u32) -> Orphan {
        let id = ProcessId { pid, started: Started(u64::from(pid)), boot: BootId("b".into()) };
        Orphan { short: short.to_owned(), id }
    }

    #[test]
    fn each_module_once_by_its_oldest_process() {
        let all = vec![left("web", 30), left("vault", 21), left("vault", 20), left("web", 31)];
        let left = oldest(all);
        assert_eq!(words(&left), "vault (pid 20), web (pid 30) run on without a hub");
        assert_eq!(words(&left[..1]), "vault (pid 20) runs on without a hub");
        let refused = unsupervised(&left);
        assert_eq!(refused.kind, ExitKind::NoHub);
        assert_eq!(refused.hints[0], "parachute stop vault web --without-hub");
    }
}
