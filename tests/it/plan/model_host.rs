//! A machine of maps, for tests: files, links and directories, a manager that reads units only when it is told to,
//! and a power switch. Its futures never end once it is cut, as a killed process never returns.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use parachute::manager::state::{Active, Told};
use parachute::plan::Note;
use parachute::plan::content::{Content, Print};
use parachute::plan::daemon::{Daemon, Up};
use parachute::plan::host::{Host, HostError};
use parachute::plan::observed::{Before, Dir, Entry, Kept, Kind, Read, Thing};
use parachute::plan::recovery::is_down;
use parachute::plan::step::{Step, UNIT_MODE};
use parachute::process::detached::Record;
use parachute::process::id::{BootId, ProcessId, Started};
use parachute::process::raw::Raw;
use parachute::unit::name::UnitName;

/// Longest text that the journal of this world holds.
const INLINE: usize = 12;

/// What has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    File { mode: u32, text: String },
    Link(PathBuf),
    Dir(u32),
}

/// A unit as the manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub path: PathBuf,
    pub read: Option<String>,
    pub enabled: bool,
    pub active: Active,
    /// What it was started from.
    pub runs: Option<String>,
    life: u64,
}

#[derive(Debug, Clone)]
pub struct World {
    pub nodes: BTreeMap<PathBuf, Node>,
    pub jobs: BTreeMap<UnitName, Job>,
    pub linger: BTreeMap<String, bool>,
    /// Which life of a daemon runs, by its name.
    pub daemons: BTreeMap<String, Option<u64>>,
    pub saved: BTreeMap<PathBuf, String>,
    /// Half-written files of a killed writer, by the file they are beside.
    pub litter: BTreeSet<PathBuf>,
    lives: u64,
    boots: u32,
    /// Points passed until the power goes; every look and every half of a step is one.
    cut: Cell<Option<usize>>,
    /// Steps performed so far, and those that fail, in the middle or at once.
    performed: usize,
    /// Something was done since the journal was last written to.
    pub acting: Cell<bool>,
    pub fails: BTreeMap<usize, bool>,
    /// Daemons whose program is gone.
    pub gone: BTreeSet<String>,
}

/// What a person could compare: everything but lives and litter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub nodes: BTreeMap<PathBuf, Node>,
    /// Enabled, active, what it was started from, and whether the manager has read its file.
    pub jobs: BTreeMap<UnitName, (bool, Active, Option<String>, bool)>,
    pub linger: BTreeMap<String, bool>,
    /// Which daemons run.
    pub daemons: BTreeSet<String>,
    pub litter: BTreeSet<PathBuf>,
}

impl World {
    pub fn new() -> Self {
        Self {
            nodes: BTreeMap::from([("/".into(), Node::Dir(0o755)), ("/u".into(), Node::Dir(0o755))]),
            jobs: BTreeMap::new(),
            linger: BTreeMap::new(),
            daemons: BTreeMap::new(),
            saved: BTreeMap::new(),
            litter: BTreeSet::new(),
            lives: 0,
            boots: 0,
            cut: Cell::new(None),
            performed: 0,
            acting: Cell::new(false),
            fails: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    pub fn with_job(mut self, unit: &UnitName, text: Option<&str>, enabled: bool, up: bool) -> Self {
        let path = PathBuf::from("/u").join(unit.systemd());
        if let Some(text) = text {
            self.nodes.insert(path.clone(), Node::File { mode: UNIT_MODE, text: text.to_owned() });
        }
        let text = text.map(ToOwned::to_owned);
        let (up, enabled) = (up && text.is_some(), enabled && text.is_some());
        self.lives += 1;
        let job = Job {
            path,
            enabled,
            active: if up { Active::Running } else { Active::Stopped },
            runs: text.clone().filter(|_| up),
            read: text,
            life: self.lives,
        };
        self.jobs.insert(unit.clone(), job);
        self
    }

    /// The power goes after so many points.
    pub fn cut_after(&mut self, points: Option<usize>) {
        self.cut.set(points);
    }

    pub fn view(&self) -> View {
        let job = |job: &Job| {
            let read = self.text(&job.path) == job.read;
            (job.enabled, job.active, job.runs.clone(), read)
        };
        View {
            nodes: self.nodes.clone(),
            jobs: self.jobs.iter().map(|(unit, known)| (unit.clone(), job(known))).collect(),
            linger: self.linger.clone(),
            daemons: self.daemons.iter().filter(|(_, life)| life.is_some()).map(|(n, _)| n.clone()).collect(),
            litter: self.litter.clone(),
        }
    }

    /// Everything ends, and what is enabled comes up again.
    pub fn reboot(&mut self) {
        self.boots += 1;
        self.reload();
        // Nobody keeps them.
        self.daemons.values_mut().for_each(|life| *life = None);
        let units: Vec<UnitName> = self.jobs.keys().cloned().collect();
        for unit in units {
            let job = self.jobs.get_mut(&unit).unwrap();
            job.active = Active::Stopped;
            job.runs = None;
            if job.enabled {
                let _ = self.start(&unit);
            }
        }
    }

    pub fn text(&self, path: &Path) -> Option<String> {
        match self.nodes.get(path) {
            Some(Node::File { text, .. }) => Some(text.clone()),
            _ => None,
        }
    }

    fn reload(&mut self) {
        let texts: Vec<Option<String>> = self.jobs.values().map(|job| self.text(&job.path)).collect();
        for (job, text) in self.jobs.values_mut().zip(texts) {
            job.read = text;
        }
    }

    fn start(&mut self, unit: &UnitName) -> Result<(), HostError> {
        self.lives += 1;
        let life = self.lives;
        let job = self.job(unit)?;
        let Some(text) = job.read.clone() else {
            return Err(HostError::refused(format!("{unit} is not known"), None));
        };
        if !is_down(job.active) {
            return Ok(());
        }
        if text.contains("broken") {
            job.active = Active::Restarting;
            return Err(HostError::refused(format!("{unit} failed"), Some("journalctl -u x")));
        }
        (job.active, job.runs, job.life) = (Active::Running, Some(text), life);
        Ok(())
    }

    fn job(&mut self, unit: &UnitName) -> Result<&mut Job, HostError> {
        self.jobs.get_mut(unit).ok_or_else(|| HostError::refused(format!("no unit {unit}"), None))
    }

    /// Somewhere the power may go.
    async fn point(&self) {
        match self.cut.get() {
            Some(0) => std::future::pending().await,
            Some(left) => self.cut.set(Some(left - 1)),
            None => {}
        }
    }

    /// In the middle of a step.
    async fn middle(&self) -> Result<(), HostError> {
        self.point().await;
        match self.fails.get(&self.performed) {
            Some(true) => Err(HostError::refused("it broke in the middle", None)),
            _ => Ok(()),
        }
    }

    fn entry(&self, path: &Path) -> Entry {
        match self.nodes.get(path) {
            None => Entry::Absent,
            Some(Node::Link(to)) => Entry::Link { to: to.clone() },
            Some(Node::Dir(_)) => Entry::Other { what: "a directory".to_owned() },
            Some(Node::File { mode, text }) => {
                let print = Print::of(text.as_bytes());
                let kept = if text.len() <= INLINE {
                    Kept::Text(text.clone())
                } else {
                    Kept::Saved(Path::new("/saved").join(&print.sha256))
                };
                Entry::File { mode: *mode, uid: 0, gid: 0, print, kept }
            }
        }
    }

    fn dir(&self, path: &Path) -> Dir {
        match self.nodes.get(path) {
            Some(Node::Dir(mode)) if self.children(path) == 0 => Dir::Empty { mode: *mode },
            Some(Node::Dir(mode)) => Dir::Occupied { mode: *mode },
            Some(Node::File { .. } | Node::Link(_)) => Dir::Blocked { by: path.to_owned() },
            None => {
                let mut missing: Vec<PathBuf> = path
                    .ancestors()
                    .take_while(|level| !self.nodes.contains_key(*level))
                    .map(Path::to_owned)
                    .collect();
                missing.reverse();
                let above = missing.first().and_then(|top| top.parent()).map(Path::to_owned);
                match above.filter(|above| !matches!(self.nodes.get(above), Some(Node::Dir(_)))) {
                    Some(by) => Dir::Blocked { by },
                    None => Dir::Absent { missing },
                }
            }
        }
    }

    fn children(&self, path: &Path) -> usize {
        self.nodes.keys().filter(|name| name.parent() == Some(path)).count()
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
            self.litter.insert(path.to_owned());
            // A killed writer cannot tidy up, one that fails does.
            let middle = self.middle().await;
            self.litter.remove(path);
            middle?;
        }
        match node {
            Some(node) => self.nodes.insert(path.to_owned(), node),
            None => self.nodes.remove(path),
        };
        Ok(())
    }

    /// As between two file systems, which is the long way: a copy, its name, the end of what was copied.
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
                return Err(HostError::refused(
                    format!("there is already something at {}", to.display()),
                    None,
                ));
            }
        } else {
            if !matches!(to.parent().and_then(|dir| self.nodes.get(dir)), Some(Node::Dir(_))) {
                return Err(HostError::refused("there is no such directory", None));
            }
            self.litter.insert(to.to_owned());
            // A killed writer cannot tidy up, one that fails does.
            let middle = self.middle().await;
            self.litter.remove(to);
            middle?;
            self.nodes.extend(old.iter().map(|(name, node)| (at(to, name), node.clone())));
            self.middle().await?;
        }
        if !old.is_empty() {
            self.nodes.retain(|name, _| !name.starts_with(from));
            self.litter.insert(from.to_owned());
            self.point().await;
            self.litter.remove(from);
        }
        Ok(())
    }

    /// Its text and mode stand for its time.
    fn thing(&self, path: &Path) -> Option<Thing> {
        let node = self.nodes.get(path)?;
        let print = Print::of(format!("{node:?}").as_bytes()).sha256;
        let (kind, len) = match node {
            Node::File { text, .. } => (Kind::File, text.len()),
            Node::Link(to) => (Kind::Link, to.as_os_str().len()),
            Node::Dir(_) => (Kind::Dir, 0),
        };
        let modified = i64::from_str_radix(&print[..12], 16).unwrap();
        Some(Thing { kind, dev: 0, ino: modified.cast_unsigned(), len: len as u64, modified, nanoseconds: 0 })
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

    async fn act(&mut self, step: &Step) -> Result<(), HostError> {
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
                self.start(unit)
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
                    let life = self.daemons.get_mut(&daemon.name);
                    if let Some(life) = life.filter(|life| **life == Some(daemon.leader.started.0)) {
                        *life = None;
                    }
                    self.middle().await?;
                }
                Ok(())
            }
            Step::StartDaemons { daemons } => {
                let (gone, there): (Vec<&Up>, Vec<&Up>) =
                    daemons.iter().partition(|up| self.gone.contains(&up.name));
                for up in there {
                    // One that was asked to end is ended first.
                    if self
                        .daemons
                        .get(&up.name)
                        .is_none_or(|life| life.is_none() || *life == Some(up.id.started.0))
                    {
                        self.daemons.insert(up.name.clone(), None);
                        self.middle().await?;
                        self.lives += 1;
                        self.daemons.insert(up.name.clone(), Some(self.lives));
                    }
                    self.middle().await?;
                }
                let names: Vec<&str> = gone.iter().map(|up| up.name.as_str()).collect();
                if names.is_empty() {
                    return Ok(());
                }
                Err(HostError::refused(format!("cannot start {}", names.join(", ")), None))
            }
            Step::EndStarted { daemons } => {
                for up in daemons {
                    if self.daemons.get(&up.name).is_some_and(|life| *life != Some(up.id.started.0)) {
                        self.daemons.insert(up.name.clone(), None);
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
}

/// A daemon of this world: its life is its start time.
pub fn daemon(name: &str, life: u64) -> Daemon {
    let leader = ProcessId { pid: 200, started: Started(life), boot: BootId("b".into()) };
    Daemon {
        name: name.to_owned(),
        leader,
        below: Vec::new(),
        number: None,
        uid: 0,
        command: name.to_owned(),
        ports: vec![1940],
        why: "its pidfile names it, its output goes to its log".to_owned(),
        pidfile: None,
        port_file: None,
        grace_ms: 1,
    }
}

pub fn up(name: &str, leader: &ProcessId) -> Up {
    let raw = |text: &str| Raw(text.into());
    let record = Record {
        exe: raw("/bin/d"),
        argv: vec![raw("d"), raw(name)],
        env: vec![raw("TOKEN=planted")],
        cwd: raw("/"),
        output: [Some(raw("/log")), None],
        umask: None,
        uid: 0,
        gid: 0,
        groups: Vec::new(),
    };
    Up {
        name: name.to_owned(),
        id: leader.clone(),
        ports: vec![1940],
        pidfile: None,
        port_file: None,
        record,
    }
}

impl Host for World {
    async fn observe(&self, step: &Step) -> Result<Before, HostError> {
        self.point().await;
        self.acting.set(false);
        Ok(match step {
            Step::MakeDir { path, .. } | Step::RemoveDir { path } => Before::Dir { dir: self.dir(path) },
            Step::PutFile { path, .. }
            | Step::RemoveFile { path }
            | Step::Restore { path, unit: None, .. } => Before::File { entry: self.entry(path) },
            Step::PutUnit { unit, path, .. }
            | Step::RemoveUnit { unit, path }
            | Step::Restore { unit: Some(unit), path, .. } => {
                let job = &self.jobs[unit];
                let read = match (&job.read, self.text(path)) {
                    (None, None) => Read::Nothing,
                    (read, text) if *read == text => Read::Current,
                    _ => Read::Stale,
                };
                Before::Unit { entry: self.entry(path), read: Some(read), active: job.active }
            }
            Step::SetMode { path, .. } => Before::Mode {
                mode: match self.nodes.get(path) {
                    Some(Node::File { mode, .. } | Node::Dir(mode)) => Some(*mode),
                    Some(Node::Link(_)) | None => None,
                },
            },
            Step::Move { from, to } => {
                let names = [from, to].map(|path| self.thing(path).map(|thing| (path.clone(), thing)));
                Before::Names { at: names.into_iter().flatten().collect() }
            }
            Step::SetEnabled { unit, .. } => {
                let job = &self.jobs[unit];
                Before::Enabled { enabled: job.enabled, active: job.active }
            }
            Step::SetRunning { unit, .. } => {
                let job = &self.jobs[unit];
                let life =
                    ProcessId { pid: 100, started: Started(job.life), boot: BootId(self.boots.to_string()) };
                Before::Running { active: job.active, life: Some(life).filter(|_| job.runs.is_some()) }
            }
            Step::SetLinger { user, .. } => {
                Before::Linger { on: Told::Known(self.linger.get(user).copied().unwrap_or(false)) }
            }
            Step::StopDaemons { daemons, .. } => {
                let lives = daemons
                    .iter()
                    .filter(|daemon| self.daemons.get(&daemon.name) == Some(&Some(daemon.leader.started.0)));
                let found = |daemon: &Daemon| Up {
                    pidfile: daemon.pidfile.clone(),
                    port_file: daemon.port_file.clone(),
                    ..up(&daemon.name, &daemon.leader)
                };
                Before::Daemons { up: lives.map(found).collect() }
            }
            Step::StartDaemons { daemons } | Step::EndStarted { daemons } => {
                let lives = daemons.iter().filter(|up| {
                    let life = self.daemons.get(&up.name).copied().flatten();
                    life.is_some_and(|life| life != up.id.started.0)
                });
                Before::Daemons { up: lives.cloned().collect() }
            }
            Step::AwaitPortsFree { .. }
            | Step::AwaitReady { .. }
            | Step::AwaitHealthy { .. }
            | Step::AwaitModules { .. } => Before::Nothing,
        })
    }

    async fn keep(&mut self, step: &Step, before: &Before) -> Result<(), HostError> {
        self.point().await;
        let Some((copy, print)) = before.entry().and_then(Entry::saved) else { return Ok(()) };
        let Some(parachute::plan::step::Key::File(path)) = step.key() else { return Ok(()) };
        let text = self.text(&path).unwrap_or_default();
        assert_eq!(Print::of(text.as_bytes()), *print);
        self.saved.insert(copy.clone(), text);
        Ok(())
    }

    async fn perform(&mut self, step: &Step) -> Result<Vec<Note>, HostError> {
        self.performed += 1;
        self.point().await;
        self.acting.set(true);
        if self.fails.get(&self.performed) == Some(&false) {
            return Err(HostError::refused("it broke", Some("true")));
        }
        self.act(step).await?;
        self.point().await;
        Ok(Vec::new())
    }

    async fn tidy(&mut self, step: &Step) -> Result<(), HostError> {
        match step.key() {
            Some(parachute::plan::step::Key::File(path)) => {
                self.litter.remove(&path);
            }
            Some(parachute::plan::step::Key::Names(one, other)) => {
                self.litter.retain(|path| *path != one && *path != other);
            }
            _ => {}
        }
        Ok(())
    }

    fn by_hand(&self, step: &Step) -> Option<String> {
        step.key().map(|_| format!("please {}", step.describe()))
    }
}
