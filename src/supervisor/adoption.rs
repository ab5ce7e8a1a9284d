//! Whether a run that an earlier hub left is kept as it is, or ended and started again. Pure.

use super::ledger::OpenRun;

/// What is known of the runs that an earlier hub left of a module.
#[derive(Debug, Clone)]
pub(super) struct Left<'a> {
    /// Runs that the ledger has without an end.
    pub(super) recorded: &'a [OpenRun],
    /// Whether processes carry the mark of a run that the ledger does not have.
    pub(super) unrecorded: bool,
    /// Whether the leader of the one recorded run is the process that was recorded, and runs.
    pub(super) leader_runs: bool,
    /// Whether the leader is in the cgroup that this hub has for the module; `None`: this hub has none.
    pub(super) in_cgroup: Option<bool>,
    /// Whether what it writes can be read.
    pub(super) readable: bool,
    /// The fingerprint of the definition now.
    pub(super) definition: &'a str,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision<'a> {
    /// It is kept: same processes, no restart.
    Adopt(&'a OpenRun),
    /// What is left of it is ended, and the module is started again.
    Anew(Because),
}

/// Why it is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// Its leader does not run: nothing would have been kept without a new hub either.
    NotRunning,
    /// It cannot be told which of several runs is the module.
    Several,
    /// By an earlier version of the hub, which did not record what is needed.
    NotRecorded,
    DefinitionChanged,
    /// Its output goes to a pipe that ended with the hub.
    Pipe,
    /// The FIFOs that it writes to are gone, or others are in their place.
    Unreadable,
    /// It is not in the module's cgroup, so what it starts could not be found.
    Elsewhere,
}

impl Because {
    /// For the log: `its definition changed`. `None`: nothing was there to be kept.
    pub(super) fn phrase(self) -> Option<&'static str> {
        Some(match self {
            Self::NotRunning => return None,
            Self::Several => "several runs of it are left",
            Self::NotRecorded => "the hub that started it did not record enough to prove that it is the same",
            Self::DefinitionChanged => "its definition changed",
            Self::Pipe => "its output went to a pipe that ended with the hub before",
            Self::Unreadable => "the FIFOs that it writes to cannot be opened",
            Self::Elsewhere => "it was started under another service or in a session",
        })
    }
}

/// Decides.
pub(super) fn decide<'a>(left: &Left<'a>) -> Decision<'a> {
    let run = match left.recorded {
        [] if left.unrecorded => return Decision::Anew(Because::NotRecorded),
        [] => return Decision::Anew(Because::NotRunning),
        [_] if !left.leader_runs && !left.unrecorded => return Decision::Anew(Because::NotRunning),
        [run] if !left.unrecorded => run,
        _ => return Decision::Anew(Because::Several),
    };
    let because = match (&run.facts.definition, run.facts.outputs) {
        (None, _) => Because::NotRecorded,
        (Some(definition), _) if definition != left.definition => Because::DefinitionChanged,
        (_, None) => Because::Pipe,
        _ if !left.readable => Because::Unreadable,
        _ if left.in_cgroup != run.facts.cgroup.then_some(true) => Because::Elsewhere,
        _ => return Decision::Adopt(run),
    };
    Decision::Anew(because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::timestamp::Timestamp;
    use crate::process::id::{BootId, ProcessId, Started};
    use crate::supervisor::ledger::RunFacts;

    fn run(edit: impl FnOnce(&mut RunFacts)) -> OpenRun {
        let leader = ProcessId { pid: 7, started: Started(1), boot: BootId("b".into()) };
        let mut facts = RunFacts {
            at: Some(Timestamp(1)),
            definition: Some("same".into()),
            outputs: Some([1, 2]),
            pidfd: Some(3),
            cgroup: true,
        };
        edit(&mut facts);
        OpenRun { incarnation: "n:vault:1".into(), leader, facts }
    }

    fn decided(recorded: &[OpenRun], edit: impl FnOnce(&mut Left<'_>)) -> Option<Because> {
        let mut left = Left {
            recorded,
            unrecorded: false,
            leader_runs: true,
            in_cgroup: Some(true),
            readable: true,
            definition: "same",
        };
        edit(&mut left);
        match decide(&left) {
            Decision::Adopt(run) => {
                assert_eq!(run, &recorded[0]);
                None
            }
            Decision::Anew(because) => Some(because),
        }
    }

    #[test]
    fn a_proven_run_with_the_same_definition_is_kept() {
        assert_eq!(decided(&[run(|_| ())], |_| ()), None);
        assert_eq!(decided(&[run(|facts| facts.pidfd = None)], |_| ()), None, "an older kernel");
        let in_foreground = run(|facts| facts.cgroup = false);
        assert_eq!(decided(&[in_foreground], |left| left.in_cgroup = None), None);
    }

    #[test]
    fn any_doubt_ends_it() {
        let one = [run(|_| ())];
        let of = |edit: fn(&mut RunFacts)| decided(&[run(edit)], |_| ());
        assert_eq!(decided(&[], |_| ()), Some(Because::NotRunning));
        assert_eq!(decided(&[], |left| left.unrecorded = true), Some(Because::NotRecorded));
        assert_eq!(decided(&one, |left| left.leader_runs = false), Some(Because::NotRunning));
        assert_eq!(decided(&one, |left| left.unrecorded = true), Some(Because::Several));
        assert_eq!(decided(&[run(|_| ()), run(|_| ())], |_| ()), Some(Because::Several));
        assert_eq!(decided(&one, |left| left.definition = "other"), Some(Because::DefinitionChanged));
        assert_eq!(of(|facts| facts.definition = None), Some(Because::NotRecorded));
        assert_eq!(of(|facts| facts.outputs = None), Some(Because::Pipe));
        assert_eq!(decided(&one, |left| left.readable = false), Some(Because::Unreadable));
        assert_eq!(of(|facts| facts.cgroup = false), Some(Because::Elsewhere), "foreground, then a unit");
        assert_eq!(decided(&one, |left| left.in_cgroup = None), Some(Because::Elsewhere), "and the reverse");
        assert_eq!(decided(&one, |left| left.in_cgroup = Some(false)), Some(Because::Elsewhere));
    }
}
