//! How the model performs a step: in halves, between which the power may be cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parachute::manager::state::Active;
use parachute::plan::content::Content;
use parachute::plan::daemon::RunningDaemon;
use parachute::plan::host::HostError;
use parachute::plan::observed::{Dir, Entry, Kept};
use parachute::plan::step::Step;
use parachute::unit::name::{Part, UnitName};

use super::{Job, ModelHost, Node, UNIT_MODE};

impl ModelHost {
    pub(super) async fn act(&mut self, step: &Step) -> Result<(), HostError> {
        match step {
            Step::MakeDir { path, mode } => {
                if let Dir::Absent { missing } = self.dir(path) {
                    for level in missing {
                        self.nodes.insert(level, Node::Dir(*mode));
                        self.middle().await?;
                    }
                }
                Ok(())
            }
            Step::RemoveDir { path } => {
                if matches!(self.dir(path), Dir::Empty { .. }) {
                    self.nodes.remove(path);
                }
                Ok(())
            }
            Step::PutFile { path, mode, content } => {
                let text = match content {
                    Content::Text(text) => text.clone(),
                    Content::CopyOf { source, .. } => self.text(source).unwrap_or_default(),
                };
                self.put(path, Some(Node::File { mode: *mode, text })).await
            }
            Step::RemoveFile { path } => self.put(path, None).await,
            Step::PutUnit { path, text, .. } => {
                self.put(path, Some(Node::File { mode: UNIT_MODE, text: text.clone() })).await?;
                self.middle().await?;
                self.reload();
                Ok(())
            }
            Step::RemoveUnit { path, .. } => {
                self.put(path, None).await?;
                self.middle().await?;
                self.reload();
                Ok(())
            }
            Step::Restore { path, was, unit } => {
                let node = self.restored(was)?;
                self.put(path, node).await?;
                if unit.is_some() {
                    self.middle().await?;
                    self.reload();
                }
                Ok(())
            }
            Step::SetMode { path, mode: wanted } => match self.nodes.get_mut(path) {
                Some(Node::File { mode, .. } | Node::Dir(mode)) => {
                    *mode = *wanted;
                    Ok(())
                }
                Some(Node::Link(_)) | None => Err(HostError::refused("nothing has that name", None)),
            },
            Step::Move { from, to } => self.relocate(from, to).await,
            Step::SetEnabled { unit, enabled } => {
                let job = self.job(unit)?;
                if *enabled && job.read.is_none() {
                    return Err(HostError::refused(format!("{unit} is not known"), None));
                }
                job.enabled = *enabled;
                Ok(())
            }
            Step::SetRunning { unit, running: true } => {
                self.middle().await?;
                let service = unit.service();
                // systemd refuses to start a socket whose service runs: the driver stops it, and starts it again.
                let ran = self.active(&service);
                let is_in_the_way = unit.part() == Part::Socket
                    && self.active(unit) != Active::Running
                    && !matches!(ran, Active::Stopped | Active::Failed);
                if !is_in_the_way {
                    return self.start(unit);
                }
                self.restarts += 1;
                let job = self.job(&service)?;
                (job.active, job.runs) = (Active::Stopped, None);
                let started = self.start(unit);
                if ran != Active::Stopping {
                    self.start(&service)?;
                }
                started
            }
            Step::SetRunning { unit, running: false } => {
                self.job(unit)?.active = Active::Stopping;
                self.middle().await?;
                let job = self.job(unit)?;
                (job.active, job.runs) = (Active::Stopped, None);
                Ok(())
            }
            Step::SetLinger { user, on } => {
                self.linger.insert(user.clone(), *on);
                Ok(())
            }
            Step::StopDaemons { daemons, .. } => {
                for daemon in daemons {
                    let process = self.daemons.get_mut(&daemon.name);
                    let asked = Some(daemon.leader.started.0);
                    if let Some(process) = process.filter(|process| **process == asked) {
                        *process = None;
                    }
                    self.middle().await?;
                }
                Ok(())
            }
            Step::StartDaemons { daemons } => {
                let (gone, there): (Vec<&RunningDaemon>, Vec<&RunningDaemon>) =
                    daemons.iter().partition(|daemon| self.gone.contains(&daemon.name));
                for daemon in there {
                    // One that was asked to end is ended first.
                    if self
                        .daemons
                        .get(&daemon.name)
                        .is_none_or(|process| process.is_none() || *process == Some(daemon.id.started.0))
                    {
                        self.daemons.insert(daemon.name.clone(), None);
                        self.middle().await?;
                        self.processes += 1;
                        self.daemons.insert(daemon.name.clone(), Some(self.processes));
                    }
                    self.middle().await?;
                }
                let names: Vec<&str> = gone.iter().map(|daemon| daemon.name.as_str()).collect();
                if names.is_empty() {
                    return Ok(());
                }
                Err(HostError::refused(format!("cannot start {}", names.join(", ")), None))
            }
            Step::EndStarted { daemons } => {
                for daemon in daemons {
                    let before = Some(daemon.id.started.0);
                    if self.daemons.get(&daemon.name).is_some_and(|process| *process != before) {
                        self.daemons.insert(daemon.name.clone(), None);
                    }
                    self.middle().await?;
                }
                Ok(())
            }
            Step::AwaitPortsFree { .. }
            | Step::AwaitReady { .. }
            | Step::AwaitHealthy { .. }
            | Step::AwaitModules { .. } => self.middle().await,
        }
    }

    pub(super) fn reload(&mut self) {
        let texts: Vec<Option<String>> = self.jobs.values().map(|job| self.text(&job.path)).collect();
        for (job, text) in self.jobs.values_mut().zip(texts) {
            job.read = text;
        }
    }

    pub(super) fn start(&mut self, unit: &UnitName) -> Result<(), HostError> {
        self.processes += 1;
        let process = self.processes;
        let job = self.job(unit)?;
        let Some(text) = job.read.clone() else {
            return Err(HostError::refused(format!("{unit} is not known"), None));
        };
        if !matches!(job.active, Active::Stopped | Active::Failed) {
            return Ok(());
        }
        if text.contains("broken") {
            job.active = Active::Restarting;
            return Err(HostError::refused(format!("{unit} failed"), Some("journalctl -u x")));
        }
        (job.active, job.runs, job.process) = (Active::Running, Some(text), process);
        Ok(())
    }

    fn job(&mut self, unit: &UnitName) -> Result<&mut Job, HostError> {
        self.jobs.get_mut(unit).ok_or_else(|| HostError::refused(format!("no unit {unit}"), None))
    }

    /// The middle of a step: the power may be cut here, or the step fails.
    async fn middle(&self) -> Result<(), HostError> {
        self.point().await;
        match self.fails.get(&self.performed) {
            Some(true) => Err(HostError::refused("it broke in the middle", None)),
            _ => Ok(()),
        }
    }

    async fn put(&mut self, path: &Path, node: Option<Node>) -> Result<(), HostError> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        if node.is_some() && !matches!(self.nodes.get(parent), Some(Node::Dir(_))) {
            return Err(HostError::refused(format!("{} is not there", parent.display()), None));
        }
        if matches!(self.nodes.get(path), Some(Node::Dir(_))) {
            return Err(HostError::refused(format!("{} is a directory", path.display()), None));
        }
        if node.is_some() {
            self.temporary.insert(path.to_owned());
            // A writer that is killed leaves its temporary file, one that fails removes it.
            let middle = self.middle().await;
            self.temporary.remove(path);
            middle?;
        }
        match node {
            Some(node) => self.nodes.insert(path.to_owned(), node),
            None => self.nodes.remove(path),
        };
        Ok(())
    }

    /// As between two file systems: makes a copy, renames it, removes the original.
    async fn relocate(&mut self, from: &Path, to: &Path) -> Result<(), HostError> {
        let below = |path: &Path, nodes: &BTreeMap<PathBuf, Node>| -> Vec<(PathBuf, Node)> {
            let all = nodes.iter().filter(|(name, _)| name.starts_with(path));
            all.map(|(name, node)| (name.strip_prefix(path).unwrap().to_owned(), node.clone())).collect()
        };
        let at = |path: &Path, name: &Path| {
            if name.as_os_str().is_empty() { path.into() } else { path.join(name) }
        };
        let old = below(from, &self.nodes);
        if self.nodes.contains_key(to) {
            if !old.is_empty() && old != below(to, &self.nodes) {
                return Err(HostError::refused(format!("{} exists already", to.display()), None));
            }
        } else {
            if !matches!(to.parent().and_then(|dir| self.nodes.get(dir)), Some(Node::Dir(_))) {
                return Err(HostError::refused("there is no such directory", None));
            }
            self.temporary.insert(to.to_owned());
            // A writer that is killed leaves its temporary file, one that fails removes it.
            let middle = self.middle().await;
            self.temporary.remove(to);
            middle?;
            self.nodes.extend(old.iter().map(|(name, node)| (at(to, name), node.clone())));
            self.middle().await?;
        }
        if !old.is_empty() {
            self.nodes.retain(|name, _| !name.starts_with(from));
            self.temporary.insert(from.to_owned());
            self.point().await;
            self.temporary.remove(from);
        }
        Ok(())
    }

    fn restored(&self, was: &Entry) -> Result<Option<Node>, HostError> {
        Ok(match was {
            Entry::File { mode, kept: Kept::Text(text), .. } => {
                Some(Node::File { mode: *mode, text: text.clone() })
            }
            Entry::File { mode, kept: Kept::Saved(copy), .. } => {
                let text = self.saved.get(copy).cloned();
                let text = text.ok_or_else(|| HostError::refused("the copy is gone", None))?;
                Some(Node::File { mode: *mode, text })
            }
            Entry::Link { to } => Some(Node::Link(to.clone())),
            Entry::Absent | Entry::Other { .. } => None,
        })
    }
}
