//! Signals to and searches for the processes of one run. No function here takes a bare pid as a target.
//!
//! The steps after a crash, cheapest first, chosen so that nothing is scanned when nothing is left:
//!
//! 1. the leader ends: `Child::ended` returns, the zombie still holds the pid, so `signal_group` may use `killpg`;
//! 2. `Child::reap` records the time and frees the pid; `reap_adopted` reaps orphans that have ended, which
//!    would otherwise keep the number of the group in use;
//! 3. `remnants(.., Depth::Kin)`: one `kill(-pgid, 0)` says whether the group has members, one list of our own
//!    children whether orphans were adopted. Both empty: done, no census (tens of microseconds). This is complete on
//!    Linux: our leader leads a group and so can never lead a session (setsid(2), EPERM), and a process that leaves the
//!    group and loses its parent is adopted by us, because we are the subreaper;
//! 4. otherwise one census, at most 1 ms per hundred processes; marks are read of adopted orphans only;
//! 5. `Depth::Marks`, at stop and on systems without subreaper: reads the environment of each process of our user.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Pid;

use super::cgroup::ModuleCgroup;
use super::id::ProcessId;
use super::marks::Marks;
use super::membership::Asker;
pub(crate) use super::membership::{Depth, ModuleRun};
use super::os;
pub(crate) use super::signal::{Signal, SignalError};
use super::system::ProcInfo;
use super::table::{self, Census};
use super::unknown::Unknown;

/// Signals exactly this process, or none.
///
/// # Errors
/// [`SignalError::Refused`] for init and ourselves, [`SignalError::Gone`] if the identity has no live process.
pub(crate) fn signal(id: &ProcessId, signal: Signal) -> Result<(), SignalError> {
    if id.pid <= 1 || id.pid == table::own_pid() {
        return Err(SignalError::Refused { pid: id.pid });
    }
    os::send(id, signal)
}

/// Signals the group of a run, as far as it is proven to be ours.
///
/// # Errors
/// [`SignalError::Gone`] if it has no live member; otherwise the first error of a live member that could not be
/// signalled.
pub(crate) fn signal_group(run: &ModuleRun, signal: Signal) -> Result<(), SignalError> {
    let pgid = run.leader.pid;
    if pgid <= 1 || pgid == table::own_pid() {
        return Err(SignalError::Refused { pid: pgid });
    }
    let failed = |unknown: Unknown| SignalError::Failed { pid: pgid, errno: unknown.errno };
    // The number of an adopted leader may be another's at any time: each process is signalled by its identity.
    if run.adopted {
        let left = remnants(run, table::own_pid(), &BTreeSet::new(), Depth::Kin).map_err(failed)?;
        return signal_each(pgid, left.iter(), signal);
    }
    // Alive or zombie, an unreaped leader keeps the number: one atomic call also reaches members being forked. Only we
    // reap our children, so nothing can change between this check and the call.
    if run.reaped.is_none() {
        match table::identify(pgid) {
            Ok(leader) if leader.as_ref() == Some(&run.leader) => return os::send_group(pgid, signal),
            Ok(_) => {}
            // /proc cannot be read without a descriptor, but a child can be recognised: a pid that is a child of ours
            // and not yet reaped is still this leader's. A run of an earlier hub has no child of ours.
            Err(_) if os::is_child(pgid) => return os::send_group(pgid, signal),
            Err(unknown) => return Err(failed(unknown)),
        }
    }
    if !os::group_exists(pgid) {
        return Err(SignalError::Gone { pid: pgid });
    }
    let census = Census::take_with(pgid).map_err(failed)?;
    let members = by_marks(|marks| run.group_members(&census, marks)).map_err(failed)?;
    signal_each(pgid, members.into_iter(), signal)
}

/// Signals each of these, and returns the first error of one that runs, or that none does.
fn signal_each<'a>(
    pgid: u32,
    members: impl Iterator<Item = &'a ProcInfo>,
    signal: Signal,
) -> Result<(), SignalError> {
    let mut outcome = Err(SignalError::Gone { pid: pgid });
    for member in members {
        match self::signal(&member.id, signal) {
            Ok(()) if matches!(outcome, Err(SignalError::Gone { .. })) => outcome = Ok(()),
            Ok(()) | Err(SignalError::Gone { .. }) => {}
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

/// Whether the group of a run has no member any more, zombies included. Its processes may also be in other groups.
#[must_use]
pub(crate) fn is_empty(run: &ModuleRun) -> bool {
    !os::group_exists(run.leader.pid)
}

/// Live processes that still belong to this run, the leader included.
///
/// `hub` is our own pid, `leaders` the leaders of all live modules: a leader is never an orphan. An adopted orphan
/// without a readable mark is not claimed, whatever its age.
///
/// # Errors
/// [`Unknown`]: some processes may be left.
pub(crate) fn remnants(
    run: &ModuleRun,
    hub: u32,
    leaders: &BTreeSet<u32>,
    depth: Depth,
) -> Result<Vec<ProcInfo>, Unknown> {
    if let Some(cgroup) = &run.cgroup {
        return in_cgroup(run, cgroup);
    }
    // Orphans of an adopted run do not come to us: they are found by their marks.
    let depth = if run.adopted { Depth::Marks } else { depth };
    if depth == Depth::Kin && nothing_left(run, hub, leaders) {
        return Ok(Vec::new());
    }
    let asker = Asker { hub, uid: table::own_uid(), leaders };
    let census = Census::take_with(run.leader.pid)?;
    let left = by_marks(|marks| run.remnants(&census, asker, depth, marks))?;
    Ok(left.into_iter().cloned().collect())
}

/// The processes of a run that was born in a cgroup: those in it, and those that left it but not the leader's process
/// group, as one does that has itself moved into a scope of its own.
fn in_cgroup(run: &ModuleRun, cgroup: &ModuleCgroup) -> Result<Vec<ProcInfo>, Unknown> {
    let mut left = cgroup.members()?;
    left.retain(|process| process.id.pid != table::own_pid());
    // While the leader is there, the signal to its group reaches these; afterwards each is looked for.
    if run.reaped.is_none() {
        if !left.iter().any(|process| process.id == run.leader) {
            let leader = table::info(run.leader.pid)?;
            left.extend(leader.filter(|process| process.id == run.leader && !process.zombie));
        }
    } else if left.is_empty() && os::group_exists(run.leader.pid) {
        let census = Census::take_with(run.leader.pid)?;
        left.extend(run.group_members(&census, &|_| None).into_iter().cloned());
    }
    Ok(left)
}

/// Searches by marks; one mark that cannot be read makes the whole result unknown.
fn by_marks<T>(search: impl FnOnce(&dyn Fn(u32) -> Option<String>) -> T) -> Result<T, Unknown> {
    let unknown = Cell::new(None);
    let found = search(&|pid| {
        incarnation_of(pid).unwrap_or_else(|error| {
            unknown.set(Some(error));
            None
        })
    });
    unknown.get().map_or(Ok(found), Err)
}

/// One thorough search ([`Depth::Marks`]) for many runs: at a stop of a thousand modules a search for each
/// of them would read a thousand processes a thousand times.
#[derive(Debug)]
pub(crate) struct Sweep {
    census: Census,
    /// Of every process of our user that is not a leader.
    incarnations: BTreeMap<u32, String>,
}

impl Sweep {
    /// Takes one. `leaders` as in [`remnants`].
    ///
    /// # Errors
    /// [`Unknown`].
    pub(crate) fn take(leaders: &BTreeSet<u32>) -> Result<Self, Unknown> {
        let (census, uid) = (Census::take()?, table::own_uid());
        let mut incarnations = BTreeMap::new();
        for p in census.iter().filter(|p| p.uid == uid && !p.zombie && !leaders.contains(&p.id.pid)) {
            incarnations.extend(incarnation_of(p.id.pid)?.map(|incarnation| (p.id.pid, incarnation)));
        }
        Ok(Self { census, incarnations })
    }

    /// As [`remnants`], for a run whose leader was reaped before this search began.
    #[must_use]
    pub(crate) fn remnants(&self, run: &ModuleRun, hub: u32, leaders: &BTreeSet<u32>) -> Vec<ProcInfo> {
        let asker = Asker { hub, uid: table::own_uid(), leaders };
        let incarnation_of = |pid: u32| self.incarnations.get(&pid).cloned();
        run.remnants(&self.census, asker, Depth::Marks, &incarnation_of).into_iter().cloned().collect()
    }
}

/// Whether two calls already prove that no process is left. `false` does not prove the contrary.
fn nothing_left(run: &ModuleRun, hub: u32, leaders: &BTreeSet<u32>) -> bool {
    run.reaped.is_some()
        && hub == table::own_pid()
        && !os::group_exists(run.leader.pid)
        && os::possible_orphans(hub).is_some_and(|children| {
            children
                .iter()
                .filter(|pid| !leaders.contains(pid))
                .all(|pid| incarnation_of(*pid).is_ok_and(|mark| mark.as_ref() != Some(&run.incarnation)))
        })
}

fn incarnation_of(pid: u32) -> Result<Option<String>, Unknown> {
    Ok(table::marks(pid)?.map(|marks| marks.incarnation))
}

/// All live processes of our user that carry the marks of this home, except this one: processes of an earlier hub.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn marked(home: &Path) -> Result<Vec<(ProcInfo, Marks)>, Unknown> {
    marked_of(table::own_uid(), home)
}

/// The same of another user, as far as we may see them.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn marked_of(uid: u32, home: &Path) -> Result<Vec<(ProcInfo, Marks)>, Unknown> {
    let pid = table::own_pid();
    let mut found = Vec::new();
    let census = Census::take()?;
    for p in census.iter().filter(|p| p.uid == uid && p.id.pid > 1 && p.id.pid != pid && !p.zombie) {
        let marks = table::marks(p.id.pid)?.filter(|marks| marks.home == home);
        found.extend(marks.map(|marks| (p.clone(), marks)));
    }
    Ok(found)
}

/// Reaps adopted orphans that have ended. `leaders` must name every child that the hub awaits: they are not touched.
/// Returns how many were reaped.
pub(crate) fn reap_adopted(leaders: &BTreeSet<u32>) -> usize {
    if !os::zombie_child() {
        return 0; // the common case, and no census for it
    }
    let hub = table::own_pid();
    // Out of descriptors nothing is reaped now; the next call tries again.
    let of_census = || {
        let census = Census::take().unwrap_or_default();
        census.children(hub).filter(|p| p.zombie).map(|p| p.id.pid).collect()
    };
    let children = os::possible_orphans(hub).unwrap_or_else(of_census);
    children
        .into_iter()
        .filter(|pid| !leaders.contains(pid))
        .filter_map(|pid| i32::try_from(pid).ok().and_then(Pid::from_raw))
        .filter(|pid| os::end_if_any(*pid).is_some())
        .count()
}

/// Makes orphaned descendants our children, so that none is lost. Does nothing on systems without this feature.
///
/// # Errors
/// The error of prctl(2); then only marks find processes that left their group.
pub(crate) fn become_subreaper() -> std::io::Result<()> {
    os::become_subreaper()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::exit_status::ExitStatus;
    use crate::process::id::Started;
    use crate::process::ports;
    use crate::process::testing::{eventually, helper, is_helper, start};

    #[tokio::test]
    async fn a_wrapper_and_its_child_go_together() {
        let (mut child, mut guard) = start("sleep 100 & wait");
        eventually("both run", || guard.remnants(Depth::Kin) == ["sh", "sleep"]);
        signal_group(&guard.run, Signal::Terminate).unwrap();
        assert_eq!(child.exited().await, ExitStatus::Signal { signal: 15, core: false });
        guard.run.reaped = Some(child.reap().unwrap().at);
        eventually("no process is left", || guard.remnants(Depth::Marks).is_empty());
        eventually("no process can be signalled", || {
            signal_group(&guard.run, Signal::Kill) == Err(SignalError::Gone { pid: guard.run.leader.pid })
        });
    }

    #[tokio::test]
    async fn remnants_of_a_dead_leader_are_signalled() {
        let (mut child, mut guard) = start("trap '' TERM; sh -c 'sleep 100; :' & wait");
        eventually("three run", || guard.remnants(Depth::Kin) == ["sh", "sh", "sleep"]);
        signal(child.id(), Signal::Kill).unwrap();
        child.exited().await;
        assert_eq!(guard.remnants(Depth::Kin), ["sh", "sleep"], "the zombie leader is no remnant");
        guard.run.reaped = Some(child.reap().unwrap().at);
        assert_eq!(guard.remnants(Depth::Kin), ["sh", "sleep"]);
        signal_group(&guard.run, Signal::Kill).unwrap();
        eventually("no process is left", || guard.remnants(Depth::Marks).is_empty());
    }

    #[tokio::test]
    async fn a_process_in_its_own_session_is_found_by_its_marks() {
        // Its own session, its parent ended, adopted by init: only its environment identifies it.
        let (mut child, mut guard) = start("setsid sh -c 'sleep 100 & :'; exit 0");
        child.exited().await;
        guard.run.reaped = Some(child.reap().unwrap().at);
        eventually("it runs", || guard.remnants(Depth::Marks) == ["sleep"]);
        let left = marked(guard.home.path()).unwrap();
        let (escapee, marks) = left.first().unwrap();
        assert_eq!((left.len(), marks.module.as_str()), (1, "vault"));
        assert_ne!(escapee.session, table::info(table::own_pid()).unwrap().unwrap().session);
        signal(&escapee.id, Signal::Kill).unwrap();
        eventually("no process is left", || marked(guard.home.path()).unwrap().is_empty());
        assert!(marked(&guard.home.path().join("other")).unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_recycled_pid_is_refused() {
        let (child, guard) = start("exec sleep 100");
        let pid = child.id().pid;
        let before = ProcessId { started: Started(child.id().started.0 - 1), ..child.id().clone() };
        assert_eq!(signal(&before, Signal::Kill), Err(SignalError::Gone { pid }));
        let mut other = guard.run.clone();
        other.incarnation = "another:1".into();
        other.leader = before;
        assert_eq!(signal_group(&other, Signal::Kill), Err(SignalError::Gone { pid }));
        other.reaped = Some(Started(other.leader.started.0));
        assert_eq!(signal_group(&other, Signal::Kill), Err(SignalError::Gone { pid }));
        assert_eq!(remnants(&other, table::own_pid(), &BTreeSet::new(), Depth::Marks), Ok(Vec::new()));
        assert_eq!(table::alive(child.id()), Ok(true), "no process was signalled");
    }

    #[test]
    fn never_init_and_never_ourselves() {
        for pid in [0, 1, table::own_pid()] {
            let id = ProcessId { pid, ..table::identify(table::own_pid()).unwrap().unwrap() };
            assert_eq!(signal(&id, Signal::Kill), Err(SignalError::Refused { pid }));
            let (_child, mut guard) = start(":");
            let leader = std::mem::replace(&mut guard.run.leader, id);
            assert_eq!(signal_group(&guard.run, Signal::Kill), Err(SignalError::Refused { pid }));
            guard.run.leader = leader;
        }
    }

    #[test]
    fn a_foreign_process_on_a_port_is_named() {
        if is_helper() {
            let socket = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
            println!("> {}", socket.local_addr().unwrap().port());
            let _ = std::io::stdin().read_line(&mut String::new()); // until the test ends
            return;
        }
        let (stranger, port) = helper("process::group::tests::a_foreign_process_on_a_port_is_named");
        let port: u16 = port.unwrap().parse().unwrap();
        let (holder, all) = ports::holding(port).unwrap().unwrap();
        let phrase = holder.phrase();
        assert!(phrase.starts_with(&format!("pid {} (", stranger.child.id())), "{phrase}");
        assert!(phrase.contains("--exact process::group::tests::a_foreign"), "{phrase}");
        assert_eq!(all[0].pid, stranger.child.id());
        assert_eq!(ports::owned_by(port, &[stranger.child.id()]), Ok(true));
        assert_eq!(ports::owned_by(port, &[table::own_pid()]), Ok(false));
        drop(stranger);
        eventually("the port is free", || ports::holding(port).unwrap().is_none());
    }

    /// In its own process: a subreaper adopts all orphans, and reaping them would break other tests.
    #[tokio::test]
    async fn a_subreaper_adopts_and_reaps_orphans() {
        if !is_helper() {
            let (mut helper, said) = helper("process::group::tests::a_subreaper_adopts_and_reaps_orphans");
            assert!(helper.child.wait().unwrap().success());
            assert_eq!(said.as_deref(), Some("done"));
            return;
        }
        if cfg!(not(target_os = "linux")) {
            return println!("> done");
        }
        become_subreaper().unwrap();
        let (mut bystander, other) = start("exit 7"); // a leader that is not yet reaped
        let leaders = BTreeSet::from([other.run.leader.pid]);
        assert_eq!(bystander.exited().await, ExitStatus::Code(7));

        let (mut child, mut guard) = start("setsid sh -c 'sleep 100 & :'; exit 0");
        let (hub, depth) = (table::own_pid(), Depth::Kin);
        child.exited().await;
        guard.run.reaped = Some(child.reap().unwrap().at);
        eventually("it is adopted", || {
            let left = remnants(&guard.run, hub, &leaders, depth).unwrap();
            left.len() == 1 && left[0].ppid == hub && left[0].name == "sleep"
        });
        assert!(!nothing_left(&guard.run, hub, &leaders));
        signal(&remnants(&guard.run, hub, &leaders, depth).unwrap()[0].id, Signal::Kill).unwrap();
        let mut reaped = 0;
        eventually("both orphans are reaped", || {
            reaped += reap_adopted(&leaders);
            remnants(&guard.run, hub, &leaders, depth).unwrap().is_empty()
                && Census::take().unwrap().children(hub).count() == 1
        });
        assert!(reaped >= 1);
        assert!(nothing_left(&guard.run, hub, &leaders) || os::possible_orphans(hub).is_none());
        assert_eq!(
            bystander.reap().unwrap().ended,
            ExitStatus::Code(7),
            "leaders are left to who awaits them"
        );
        println!("> done");
    }
}
