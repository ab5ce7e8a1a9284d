//! Which processes belong to a daemon that nobody marked. Pure: the census is an argument.
//!
//! A daemon of the detached model has no marks and was never our child. What is certain of it is the identity of one
//! process; everything else follows from the kernel's own rules:
//!
//! * a child of one of them is theirs, unless it is older than its parent (then the parent's pid was recycled);
//! * the number of a group or session cannot be given to another one while it has a member (fork(2), POSIX `pid`), so
//!   whoever is in a group that one of them leads is theirs, for as long as one of those that were known is in it.

use std::collections::BTreeSet;

use super::id::ProcessId;
use super::table::Census;

/// One or several daemons, and all that was ever seen of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kin {
    known: BTreeSet<ProcessId>,
    /// Groups and sessions that are theirs.
    numbers: BTreeSet<u32>,
    /// Never theirs, whatever the kernel says: whoever asks, and those above.
    spared: BTreeSet<u32>,
    /// Whose processes they are.
    uid: u32,
}

impl Kin {
    /// Nobody yet; only processes of `uid` will be.
    #[must_use]
    pub(crate) fn of(uid: u32) -> Self {
        Self { uid, ..Self::default() }
    }

    /// The same, sparing these.
    #[must_use]
    pub(crate) fn sparing(mut self, spared: BTreeSet<u32>) -> Self {
        self.spared.extend(spared);
        self
    }

    /// Adds one that is certain. `number` is a group and session of theirs besides those that it leads itself: that of
    /// a leader which died and left it behind.
    pub(crate) fn add(&mut self, id: ProcessId, number: Option<u32>) {
        self.numbers.insert(id.pid);
        self.numbers.extend(number);
        self.known.insert(id);
    }

    /// Those that live now. What is found is remembered: when a leader ends, its children are still known.
    pub(crate) fn look(&mut self, census: &Census) -> BTreeSet<ProcessId> {
        // Zombies too: they hold their group.
        let there: BTreeSet<u32> = self
            .known
            .iter()
            .filter(|id| census.get(id.pid).is_some_and(|p| p.id == **id))
            .map(|id| id.pid)
            .collect();
        let member = |number: u32| {
            there.iter().any(|pid| census.get(*pid).is_some_and(|p| p.pgrp == number || p.session == number))
        };
        let numbers: BTreeSet<u32> = self.numbers.iter().copied().filter(|number| member(*number)).collect();
        let by_number = census
            .iter()
            .filter(|p| numbers.contains(&p.pgrp) || numbers.contains(&p.session))
            .map(|p| p.id.pid);
        let roots: BTreeSet<u32> =
            there.iter().copied().chain(by_number).filter(|pid| self.may(*pid)).collect();
        let family = census.with_descendants(roots);
        let found: BTreeSet<ProcessId> = census
            .iter()
            .filter(|p| family.contains(&p.id.pid) && p.uid == self.uid && self.may(p.id.pid))
            .map(|p| p.id.clone())
            .collect();
        self.known.extend(found.iter().cloned());
        let living = |id: &ProcessId| census.get(id.pid).is_some_and(|p| !p.zombie);
        found.into_iter().filter(living).collect()
    }

    fn may(&self, pid: u32) -> bool {
        pid > 1 && !self.spared.contains(&pid)
    }
}

/// A process and all above it, as far as they can be seen.
#[must_use]
pub(crate) fn ancestry(census: &Census, pid: u32) -> BTreeSet<u32> {
    let mut line = BTreeSet::from([pid]);
    let mut at = pid;
    while let Some(parent) = census.get(at).map(|p| p.ppid).filter(|ppid| *ppid > 0) {
        if !line.insert(parent) {
            break;
        }
        at = parent;
    }
    line
}

/// The same, if all of it can be seen: up to process 1, or to one without a parent. `None`: one in between is hidden.
#[must_use]
pub(crate) fn whole_ancestry(census: &Census, pid: u32) -> Option<BTreeSet<u32>> {
    let line = ancestry(census, pid);
    let is_top = |pid: &u32| *pid == 1 || census.get(*pid).is_some_and(|p| p.ppid == 0);
    line.iter().any(is_top).then_some(line)
}

/// Those above a process, nearest first. One that is younger than its child only has the number of a parent that is gone.
#[must_use]
pub(crate) fn above(census: &Census, pid: u32) -> Vec<u32> {
    let mut line = Vec::new();
    let mut at = census.get(pid);
    while let Some(child) = at {
        let parent = census.get(child.ppid).filter(|parent| parent.id.started <= child.id.started);
        at = parent.filter(|parent| parent.id.pid != pid && !line.contains(&parent.id.pid));
        line.extend(at.map(|parent| parent.id.pid));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::{BootId, Started};
    use crate::process::system::ProcInfo;
    use crate::process::testing::proc_info;

    fn id(pid: u32, started: u64) -> ProcessId {
        ProcessId { pid, started: Started(started), boot: BootId("b".into()) }
    }

    /// A shell (10) with a hub in its group (11), and a module that leads its session (20) with a child (21), and a
    /// grandchild that has left the group (22).
    fn world() -> Vec<ProcInfo> {
        let led = |p: ProcInfo| ProcInfo { session: p.pgrp, ..p };
        vec![
            proc_info(1, 0, 1, 0),
            led(proc_info(10, 1, 10, 5)),
            ProcInfo { session: 10, ..proc_info(11, 10, 10, 6) },
            ProcInfo { session: 10, ..proc_info(12, 11, 10, 7) },
            led(proc_info(20, 1, 20, 5)),
            ProcInfo { session: 20, ..proc_info(21, 20, 20, 6) },
            led(proc_info(22, 21, 22, 7)),
            led(proc_info(90, 1, 90, 9)),
        ]
    }

    fn census(all: &[ProcInfo]) -> Census {
        all.iter().cloned().collect()
    }

    fn pids(found: &BTreeSet<ProcessId>) -> Vec<u32> {
        found.iter().map(|id| id.pid).collect()
    }

    #[test]
    fn who_is_above_is_known_whole_or_not_at_all() {
        let census = census(&world());
        assert_eq!(above(&census, 22), [21, 20, 1]);
        assert_eq!(above(&census, 99), [] as [u32; 0]);
        assert_eq!(whole_ancestry(&census, 12), Some(BTreeSet::from([12, 11, 10, 1])));
        // What runs 11 is another user's, and /proc hides it.
        let hidden: Vec<ProcInfo> = world().into_iter().filter(|p| p.id.pid != 10).collect();
        assert_eq!(whole_ancestry(&hidden.iter().cloned().collect(), 12), None);
        assert_eq!(whole_ancestry(&Census::default(), 12), None);
        let recycled = ProcInfo { ppid: 90, ..proc_info(23, 90, 20, 5) };
        let all: Census = world().into_iter().chain([recycled]).collect();
        assert_eq!(above(&all, 23), [] as [u32; 0], "90 is younger");
    }

    #[test]
    fn a_hub_in_the_group_of_a_shell_takes_no_shell_with_it() {
        let mut kin = Kin::of(1000);
        kin.add(id(11, 6), None);
        assert_eq!(pids(&kin.look(&census(&world()))), [11, 12]);
    }

    #[test]
    fn those_who_lose_their_leader_are_still_known() {
        let mut kin = Kin::of(1000);
        kin.add(id(20, 5), None);
        assert_eq!(pids(&kin.look(&census(&world()))), [20, 21, 22]);
        // The leader is gone, its children belong to init, and somebody new was forked into the group.
        let mut later: Vec<ProcInfo> = world().into_iter().filter(|p| p.id.pid != 20).collect();
        for p in &mut later {
            p.ppid = if p.ppid == 20 { 1 } else { p.ppid };
        }
        later.push(ProcInfo { session: 20, ..proc_info(23, 1, 20, 30) });
        assert_eq!(pids(&kin.look(&census(&later))), [21, 22, 23]);
    }

    #[test]
    fn a_number_that_was_free_for_a_moment_is_a_strangers() {
        let mut kin = Kin::of(1000);
        kin.add(id(20, 5), None);
        kin.look(&census(&world()));
        // All are gone, and another program leads a group of this number.
        let other = ProcInfo { session: 20, ..proc_info(20, 1, 20, 99) };
        let child = ProcInfo { session: 20, ..proc_info(24, 20, 20, 99) };
        assert_eq!(pids(&kin.look(&census(&[proc_info(1, 0, 1, 0), other, child]))), [] as [u32; 0]);
    }

    #[test]
    fn an_orphan_is_found_by_the_number_of_its_dead_leader_and_by_nothing_else() {
        let all: Vec<ProcInfo> = world()
            .into_iter()
            .filter(|p| p.id.pid != 20)
            .chain([ProcInfo { session: 20, ..proc_info(25, 1, 20, 8) }])
            .collect();
        let mut alone = Kin::of(1000);
        alone.add(id(21, 6), None);
        assert_eq!(pids(&alone.look(&census(&all))), [21, 22]);
        let mut led = Kin::of(1000);
        led.add(id(21, 6), Some(20));
        assert_eq!(pids(&led.look(&census(&all))), [21, 22, 25]);
    }

    #[test]
    fn nobody_else_and_nobody_above() {
        let mut all = world();
        all.push(ProcInfo { uid: 0, session: 20, ..proc_info(26, 20, 20, 9) });
        all.push(ProcInfo { session: 20, ..proc_info(27, 20, 20, 9) });
        let mut kin = Kin::of(1000).sparing(ancestry(&census(&all), 27));
        kin.add(id(20, 5), None);
        assert_eq!(
            pids(&kin.look(&census(&all))),
            [21, 22],
            "26 is root's; 27 asks, and 20 is parent directories"
        );
        let mut recycled = Kin::of(1000);
        recycled.add(id(20, 4), None);
        assert_eq!(pids(&recycled.look(&census(&all))), [] as [u32; 0]);
    }
}
