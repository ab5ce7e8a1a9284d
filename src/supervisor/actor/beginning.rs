//! Begins a run: starts the module's process, or goes on with the one that an earlier hub left.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use tracing::debug;

use crate::logs::line::Stream;
use crate::module::launch::Launch;
use crate::module::problem::{Problem, ProblemKind};
use crate::process::fifo::Outputs;
use crate::process::group::ModuleRun;
use crate::process::leader::Leader;
use crate::process::path_helper::client::NoAnswer;
use crate::process::spawn::{self, NotSpawned, SpawnErrorKind};

use super::super::clock::moment;
use super::super::event::Event;
use super::super::ledger::RunFacts;
use super::super::start_checks::{Adoption, Startable};
use super::super::state::Generation;
use super::super::{path_problem, resolve_program};
use super::diagnostics::millis;
use super::{Actor, CurrentRun, HostEvent};

/// The processes of a run that begins.
struct NewRun {
    leader: Leader,
    processes: ModuleRun,
    /// Read ends of stdout and stderr.
    outputs: [Option<OwnedFd>; 2],
    facts: RunFacts,
}

impl Actor {
    pub(super) fn spawn(&mut self, generation: Generation) {
        let Some((_, startable)) = self.startable.take().filter(|(checked, _)| *checked == generation) else {
            let text = format!("{} belongs to an earlier start attempt", self.machine.short());
            let problem = Problem::new(ProblemKind::SpawnFailed, text, moment().wall);
            self.pending.push_back(Event::SpawnFailed { generation, problem, no_room: false });
            return;
        };
        let Startable { launch, program, adoption, .. } = startable;
        if let Some(adoption) = adoption {
            return self.adopt(generation, launch, adoption);
        }
        let incarnation = self.incarnation(generation);
        self.log = self.context.log(self.machine.short(), launch.policy.log);
        let asked = moment().mono;
        let cgroup = self.context.cgroup(self.machine.short());
        let outputs = self.context.outputs(self.machine.short());
        let inodes = outputs.as_ref().ok().and_then(Outputs::inodes);
        let spawned = match outputs {
            Ok(outputs) => spawn::spawn(&launch, &program, &incarnation, cgroup.as_ref(), outputs),
            Err(error) => Err(NotSpawned::without_outputs(&launch, &program, error)),
        };
        match spawned {
            Ok(mut child) => {
                let ms = millis(moment().mono.saturating_duration_since(asked));
                let program = program.display();
                debug!(module = %self.machine.short(), %program, pid = child.id().pid, port = launch.port, ms, "spawned");
                let facts = RunFacts {
                    at: Some(moment().wall),
                    definition: Some(launch.definition.clone()),
                    outputs: inodes,
                    pidfd: child.pidfd_inode(),
                    cgroup: cgroup.is_some(),
                };
                let processes = ModuleRun {
                    leader: child.id().clone(),
                    incarnation,
                    module: launch.short.clone(),
                    reaped: None,
                    cgroup,
                    adopted: false,
                };
                let outputs = [child.take_stdout(), child.take_stderr()];
                let leader = Leader::Child(child);
                self.begin_run(generation, launch, NewRun { leader, processes, outputs, facts });
            }
            Err(failed) => self.explain(generation, failed),
        }
    }

    /// Why a spawn failed is told by its paths, which this thread does not touch.
    fn explain(&self, generation: Generation, failed: NotSpawned) {
        let (paths, host) = (self.context.paths.clone(), self.host.clone());
        let short = self.machine.short().clone();
        tokio::spawn(async move {
            let answers = paths.ask(failed.questions()).await;
            let (problem, no_room) = match answers {
                // It is not the module's fault either.
                Err(silent @ NoAnswer::Silent { .. }) => {
                    (path_problem::of(&silent, &short, moment().wall), true)
                }
                answers => {
                    let error = failed.explained(&answers.unwrap_or_default());
                    let no_room = error.kind == SpawnErrorKind::NoRoom;
                    (resolve_program::spawn_failed(&error, &short, moment().wall), no_room)
                }
            };
            let _ = host.send(HostEvent::Plain(Event::SpawnFailed { generation, problem, no_room })).await;
        });
    }

    /// Goes on with a run of an earlier hub: same processes, same output.
    fn adopt(&mut self, generation: Generation, launch: Launch, adoption: Adoption) {
        let Adoption { leader, run, readers } = adoption;
        self.log = self.context.log(self.machine.short(), launch.policy.log);
        let processes = ModuleRun {
            leader: run.leader,
            incarnation: run.incarnation,
            module: launch.short.clone(),
            reaped: None,
            cgroup: self.context.cgroup(self.machine.short()),
            adopted: true,
        };
        self.earlier.clear();
        self.context.adopted(self.machine.short());
        let (leader, outputs) = (Leader::Adopted(leader), readers.map(Some));
        self.begin_run(generation, launch, NewRun { leader, processes, outputs, facts: run.facts });
    }

    fn begin_run(&mut self, generation: Generation, launch: Launch, new: NewRun) {
        let NewRun { mut leader, processes, outputs, facts } = new;
        self.context.remnants.leader_born(processes.leader.pid);
        if let [Some(out), Some(err)] = &outputs {
            self.context.keep_outputs(self.machine.short(), [out.as_fd(), err.as_fd()]);
        }
        let pumps = [Stream::Out, Stream::Err]
            .into_iter()
            .zip(outputs)
            .filter_map(|(stream, fd)| fd.map(|fd| self.log.attach(stream, fd)))
            .collect();
        let host = self.host.clone();
        tokio::spawn(async move {
            let ended = leader.exited().await;
            let _ = host.send(HostEvent::Exited { generation, ended, leader }).await;
        });
        let adopted = processes.adopted.then(|| facts.at.unwrap_or(moment().wall));
        self.pending.push_back(Event::Spawned { generation, leader: processes.leader.clone(), adopted });
        self.health = None;
        self.run = Some(CurrentRun {
            generation,
            processes,
            launch: Arc::new(launch),
            watch: None,
            health_watch: None,
            ended_leader: None,
            facts,
            pumps,
        });
    }
}
