//! Decides which processes belong to one run of a module. Pure: the census, the marks and the ids are arguments.
//!
//! A pid, and with it a group and a session of that number, cannot be reused while any process still has it as
//! pid, group or session (fork(2) via POSIX `pid` rules; `__change_pid` in kernel/pid.c). From that follow the proofs:
//!
//! * the leader is unreaped (alive or zombie)  ⇒ all processes in its group and session are ours;
//! * it was reaped at time T                   ⇒ members that started at or before T are ours: when they started, our
//!   leader still held the number. Later ones may belong to a new group of the same number;
//! * a child of one of ours is ours, unless it is older than its parent (then the parent's pid was recycled);
//! * an orphan that we adopted (subreaper) is ours if it carries the mark of this run;
//! * a process of our user anywhere that carries the mark of this run is ours.
//!
//! These are the rules where a module has no cgroup of its own; where it has one, see [`super::cgroup`].

use std::collections::BTreeSet;

use super::cgroup::ModuleCgroup;
use super::id::{ProcessId, Started};
use super::system::ProcInfo;
use super::table::Census;
use crate::module::name::Short;

/// One run of a module, and the facts that identify its processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleRun {
    /// The process we spawned; its pid is the number of the group.
    pub leader: ProcessId,
    /// Its incarnation mark.
    pub incarnation: String,
    /// The module.
    pub module: Short,
    /// When we reaped the leader. `None`: not yet, or it was not our child.
    pub reaped: Option<Started>,
    /// The cgroup that it was born in. Then the kernel knows its processes, and the rules below are not needed.
    pub cgroup: Option<ModuleCgroup>,
    /// Whether an earlier hub started it: its leader is not our child, so its pid may be reused at any time after its
    /// end, and orphans of it do not come to us.
    pub adopted: bool,
}

/// How far a search for remnants goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Group, session, descendants, adopted orphans. Complete where orphans come to us (Linux, as subreaper).
    Kin,
    /// Also every process of our user that carries the mark of this run: reads the environment of each.
    Marks,
}

/// The asking hub, and the leaders that are not orphans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) hub: u32,
    /// Our user.
    pub(crate) uid: u32,
    /// Leaders of live modules.
    pub(crate) leaders: &'a BTreeSet<u32>,
}

impl ModuleRun {
    /// Whether the pid of the leader still belongs to our leader, so that group and session of that number are ours.
    #[must_use]
    pub(crate) fn holds_number(&self, census: &Census) -> bool {
        self.reaped.is_none() && census.get(self.leader.pid).is_some_and(|p| p.id == self.leader)
    }

    /// Whether membership in the group or session of the leader's number proves that this process is ours.
    fn by_number(&self, p: &ProcInfo, number_is_ours: bool) -> bool {
        let reserved_then = number_is_ours || self.reaped.is_some_and(|reaped| p.id.started <= reaped);
        let after_leader = p.id.started >= self.leader.started && p.id.boot == self.leader.boot;
        (p.pgrp == self.leader.pid || p.session == self.leader.pid) && reserved_then && after_leader
    }

    /// Live members of the leader's group that are proven ours, by number, mark or ancestry.
    pub(crate) fn group_members<'a>(
        &self,
        census: &'a Census,
        incarnation_of: &dyn Fn(u32) -> Option<String>,
    ) -> Vec<&'a ProcInfo> {
        let number_is_ours = self.holds_number(census);
        let members = || census.members(self.leader.pid).filter(|p| !p.zombie);
        let proven = members()
            .filter(|p| self.by_number(p, number_is_ours) || self.marked(p, incarnation_of))
            .map(|p| p.id.pid)
            .collect();
        let family = census.with_descendants(proven);
        members().filter(|p| family.contains(&p.id.pid)).collect()
    }

    /// Live processes that still belong to this run. Never pid 1, never the hub, never another module's leader.
    pub(crate) fn remnants<'a>(
        &self,
        census: &'a Census,
        asker: Asker<'_>,
        depth: Depth,
        incarnation_of: &dyn Fn(u32) -> Option<String>,
    ) -> Vec<&'a ProcInfo> {
        let number_is_ours = self.holds_number(census);
        let is_other = |pid: u32| {
            pid <= 1 || pid == asker.hub || (pid != self.leader.pid && asker.leaders.contains(&pid))
        };
        let orphan = |p: &ProcInfo| p.ppid == asker.hub && p.id != self.leader;
        let searched = |p: &ProcInfo| orphan(p) || (depth == Depth::Marks && p.uid == asker.uid);
        let roots: BTreeSet<u32> = census
            .iter()
            .filter(|p| !is_other(p.id.pid))
            .filter(|p| {
                p.id == self.leader
                    || self.by_number(p, number_is_ours)
                    || (searched(p) && self.marked(p, incarnation_of))
            })
            .map(|p| p.id.pid)
            .collect();
        if roots.is_empty() {
            return Vec::new();
        }
        let family = census.with_descendants(roots);
        census.iter().filter(|p| family.contains(&p.id.pid) && !p.zombie && !is_other(p.id.pid)).collect()
    }

    /// A zombie's environment is unreadable and would count as unmarked; a zombie is never a remnant anyway.
    fn marked(&self, p: &ProcInfo, incarnation_of: &dyn Fn(u32) -> Option<String>) -> bool {
        !p.zombie && incarnation_of(p.id.pid).as_deref() == Some(&self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::BootId;
    use crate::process::testing::proc_info;

    const HUB: u32 = 5;

    fn run(reaped: Option<u64>) -> ModuleRun {
        ModuleRun {
            leader: ProcessId { pid: 100, started: Started(50), boot: BootId("b".into()) },
            incarnation: "n:1".into(),
            module: Short::new("vault").unwrap(),
            reaped: reaped.map(Started),
            cgroup: None,
            adopted: false,
        }
    }

    /// Marks in these tests: 2xx carry this run's mark, 3xx another's, the rest none (or unreadable).
    fn mark(pid: u32) -> Option<String> {
        match pid {
            200..300 => Some("n:1".into()),
            300..400 => Some("n:2".into()),
            _ => None,
        }
    }

    fn found(run: &ModuleRun, world: Vec<ProcInfo>, depth: Depth) -> Vec<u32> {
        let census: Census = world.into_iter().collect();
        let leaders = BTreeSet::from([100, 150]);
        let asker = Asker { hub: HUB, uid: 1000, leaders: &leaders };
        run.remnants(&census, asker, depth, &mark).iter().map(|p| p.id.pid).collect()
    }

    #[test]
    fn a_zombie_leader_keeps_its_number() {
        let mut leader = proc_info(100, HUB, 100, 50);
        leader.zombie = true;
        let hub = proc_info(HUB, 1, 100, 60); // in any group: the hub is never killed
        let world = vec![
            leader,
            hub,
            proc_info(101, 1, 100, 60),
            proc_info(102, 101, 102, 61),
            proc_info(9, 1, 9, 1),
        ];
        assert_eq!(found(&run(None), world, Depth::Kin), [101, 102]);
    }

    #[test]
    fn a_recycled_number_proves_nothing() {
        // Pid 100 belongs to another process now; so does group 100.
        let world = || vec![proc_info(100, 1, 100, 900), proc_info(101, 100, 100, 901)];
        assert_eq!(found(&run(None), world(), Depth::Marks), [] as [u32; 0], "leader gone, not reaped");
        assert_eq!(found(&run(Some(800)), world(), Depth::Marks), [] as [u32; 0], "younger than the reaping");
        let older = vec![proc_info(101, 1, 100, 700), proc_info(102, 101, 100, 900)];
        assert_eq!(found(&run(Some(800)), older, Depth::Kin), [101, 102], "older, and its child");
        let before = vec![proc_info(101, 1, 100, 49)];
        assert_eq!(
            found(&run(Some(800)), before, Depth::Kin),
            [] as [u32; 0],
            "older than the leader itself"
        );
    }

    #[test]
    fn orphans_need_the_mark() {
        let world = vec![
            proc_info(150, HUB, 150, 60), // another module's leader
            proc_info(151, 150, 150, 61),
            proc_info(200, HUB, 200, 70), // adopted, marked
            proc_info(400, 200, 200, 71), // its child, which cleared its environment
            proc_info(300, HUB, 300, 70), // adopted, another run's
            proc_info(401, HUB, 401, 70), // adopted, unreadable: not claimed
            proc_info(201, 1, 201, 70),   // marked, adopted by init
        ];
        assert_eq!(found(&run(Some(65)), world.clone(), Depth::Kin), [200, 400]);
        assert_eq!(found(&run(Some(65)), world, Depth::Marks), [200, 201, 400]);
    }

    #[test]
    fn another_users_process_is_left_alone() {
        let mut other = proc_info(201, 1, 201, 70);
        other.uid = 0;
        assert_eq!(found(&run(Some(65)), vec![other], Depth::Marks), [] as [u32; 0]);
    }

    #[test]
    fn members_after_the_reaping() {
        let world: Census = [
            proc_info(101, 1, 100, 60),   // proven by its start
            proc_info(102, 101, 100, 90), // child of a proven one
            proc_info(201, 1, 100, 90),   // proven by its mark
            proc_info(103, 1, 100, 90),   // unproven
            proc_info(202, 1, 202, 90),   // ours, but not in the group
        ]
        .into_iter()
        .collect();
        let pids: Vec<u32> = run(Some(80)).group_members(&world, &mark).iter().map(|p| p.id.pid).collect();
        assert_eq!(pids, [101, 102, 201]);
    }
}
