//! Modules of this home that run without a hub: a hub that was killed leaves its modules running, and later verbs
//! report that.

use crate::process::group;
use crate::process::id::ProcessId;

use super::context::Context;
use super::error::{CliError, ExitKind};

/// One module, by its oldest process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Orphan {
    /// Short name.
    pub short: String,
    /// Its oldest process.
    pub id: ProcessId,
}

/// Running modules of this home, by name.
///
/// # Errors
/// They are unknown.
pub(super) fn running(cx: &Context) -> Result<Vec<Orphan>, CliError> {
    let marked = group::marked(cx.home.root()).map_err(|unknown| {
        let text = format!("no hub is running, and whether its modules do cannot be told: {unknown}");
        CliError::new(ExitKind::Failed, text).hint("parachute status")
    })?;
    let all =
        marked.into_iter().map(|(process, marks)| Orphan { short: marks.module.to_string(), id: process.id });
    Ok(oldest(all.collect()))
}

fn oldest(mut all: Vec<Orphan>) -> Vec<Orphan> {
    all.sort_by(|a, b| (&a.short, a.id.started, a.id.pid).cmp(&(&b.short, b.id.started, b.id.pid)));
    all.dedup_by(|later, first| later.short == first.short);
    all
}

/// The error of a verb while no hub runs: the modules are not stopped.
pub(super) fn unsupervised(left: &[Orphan]) -> CliError {
    let text = format!("no hub is running, and {}", words(left));
    CliError::new(ExitKind::Failed, text)
        .hint("parachute serve     (restarts them under a hub that can stop them)")
        .hint("parachute status")
}

/// `vault (pid 12) still runs: its hub was killed`
pub(super) fn words(left: &[Orphan]) -> String {
    let their = if left.len() == 1 { "its" } else { "their" };
    format!("{}: {their} hub was killed", outlived(left))
}

/// `vault (pid 12) still runs`
pub(super) fn outlived(left: &[Orphan]) -> String {
    let names: Vec<String> =
        left.iter().map(|left| format!("{} (pid {})", left.short, left.id.pid)).collect();
    format!("{} still {}", names.join(", "), if left.len() == 1 { "runs" } else { "run" })
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
        assert_eq!(words(&left), "vault (pid 20), web (pid 30) still run: their hub was killed");
        assert_eq!(words(&left[..1]), "vault (pid 20) still runs: its hub was killed");
    }
}
