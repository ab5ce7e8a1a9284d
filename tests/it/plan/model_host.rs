//! A model of a machine, in maps: files, links and directories, a service manager that reads a unit only when it is
//! told to, and detached daemons. The power can be cut at any point: then a future never completes, as a killed process
//! never returns.

mod daemons;
mod perform;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use parachute::manager::state::{Active, Told};
use parachute::plan::Note;
use parachute::plan::content::Fingerprint;
use parachute::plan::daemon::{Daemon, RunningDaemon};
use parachute::plan::host::{Host, HostError};
use parachute::plan::observed::{Dir, Entry, FileIdentity, Kept, Kind, Observed, UnitRead};
use parachute::plan::step::{Key, Step};
use parachute::process::id::{BootId, ProcessId, Started};
use parachute::unit::name::{Part, UnitName};

pub use self::daemons::{daemon, running_daemon};

/// The longest text that is kept in a journal of this model.
const INLINE_LIMIT: usize = 12;

/// Mode of the file of a unit.
const UNIT_MODE: u32 = 0o644;

/// The file with a name. The identity of a file is computed from its debug form: stored journals contain such
/// identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    File { mode: u32, text: String },
    Link(PathBuf),
    Dir(u32),
}

/// A unit as the service manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    path: PathBuf,
    /// The text that the manager has read.
    read: Option<String>,
    enabled: bool,
    active: Active,
    /// The text from which it was started.
    runs: Option<String>,
    /// Start time of its process.
    process: u64,
}

#[derive(Debug, Clone)]
pub struct ModelHost {
    pub nodes: BTreeMap<PathBuf, Node>,
    jobs: BTreeMap<UnitName, Job>,
    pub linger: BTreeMap<String, bool>,
    /// Start time of the process of each daemon that runs.
    pub daemons: BTreeMap<String, Option<u64>>,
    /// Copies of previous content.
    saved: BTreeMap<PathBuf, String>,
    /// Temporary files of a writer that was killed, by the file that it was writing.
    temporary: BTreeSet<PathBuf>,
    /// How many processes were started.
    processes: u64,
    boots: u32,
    /// Points until the power is cut. Every observation and every half of a step has one.
    cut: Cell<Option<usize>>,
    /// How many steps were performed.
    performed: usize,
    /// A step was begun after the last observation.
    performing: Cell<bool>,
    /// The steps that fail, counted from 1 as they are performed: in the middle, or at once.
    pub fails: BTreeMap<usize, bool>,
    /// Daemons whose program is missing.
    pub gone: BTreeSet<String>,
    /// A client connects all the time: a socket that listens starts its service.
    pub polls: bool,
    /// How often a socket was started while its service ran: the driver has to restart the service, and no one knows
    /// that if it is killed meanwhile.
    pub restarts: usize,
}

/// A unit as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitView {
    pub enabled: bool,
    pub active: Active,
    /// The text from which it was started.
    pub runs: Option<String>,
    /// The manager has read its file as it is now.
    pub is_current: bool,
}

/// The compared part of a machine's state: everything except process ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub nodes: BTreeMap<PathBuf, Node>,
    pub units: BTreeMap<UnitName, UnitView>,
    pub linger: BTreeMap<String, bool>,
    /// The daemons that run.
    pub daemons: BTreeSet<String>,
    pub temporary: BTreeSet<PathBuf>,
}

impl ModelHost {
    pub fn new() -> Self {
        Self {
            nodes: BTreeMap::from([("/".into(), Node::Dir(0o755)), ("/u".into(), Node::Dir(0o755))]),
            jobs: BTreeMap::new(),
            linger: BTreeMap::new(),
            daemons: BTreeMap::new(),
            saved: BTreeMap::new(),
            temporary: BTreeSet::new(),
            processes: 0,
            boots: 0,
            cut: Cell::new(None),
            performed: 0,
            performing: Cell::new(false),
            fails: BTreeMap::new(),
            gone: BTreeSet::new(),
            polls: false,
            restarts: 0,
        }
    }

    /// With a unit that the manager knows; without a text it has no file yet.
    pub fn with_unit(mut self, unit: &UnitName, text: Option<&str>, enabled: bool, up: bool) -> Self {
        let path = PathBuf::from("/u").join(unit.systemd());
        if let Some(text) = text {
            self.nodes.insert(path.clone(), Node::File { mode: UNIT_MODE, text: text.to_owned() });
        }
        let text = text.map(ToOwned::to_owned);
        let (up, enabled) = (up && text.is_some(), enabled && text.is_some());
        self.processes += 1;
        let job = Job {
            path,
            enabled,
            active: if up { Active::Running } else { Active::Stopped },
            runs: text.clone().filter(|_| up),
            read: text,
            process: self.processes,
        };
        self.jobs.insert(unit.clone(), job);
        self
    }

    /// Cuts the power after this many points.
    pub fn cut_after(&mut self, points: Option<usize>) {
        self.cut.set(points);
    }

    /// Whether the power was cut while a step was performed: then the last line of the journal was on disk.
    pub fn is_performing(&self) -> bool {
        self.performing.get()
    }

    pub fn view(&self) -> View {
        let unit = |job: &Job| UnitView {
            enabled: job.enabled,
            active: job.active,
            runs: job.runs.clone(),
            is_current: self.text(&job.path) == job.read,
        };
        View {
            nodes: self.nodes.clone(),
            units: self.jobs.iter().map(|(name, job)| (name.clone(), unit(job))).collect(),
            linger: self.linger.clone(),
            daemons: self.daemons.iter().filter(|(_, runs)| runs.is_some()).map(|(n, _)| n.clone()).collect(),
            temporary: self.temporary.clone(),
        }
    }

    /// Ends every process, and starts the enabled units.
    pub fn reboot(&mut self) {
        self.boots += 1;
        self.reload();
        // No manager starts these again.
        self.daemons.values_mut().for_each(|process| *process = None);
        let mut units: Vec<UnitName> = self.jobs.keys().cloned().collect();
        // systemd starts a socket before its service: systemd.socket(5), default dependencies.
        units.sort_by_key(|unit| unit.part() == Part::Service);
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

    fn active(&self, unit: &UnitName) -> Active {
        self.jobs.get(unit).map_or(Active::Stopped, |job| job.active)
    }

    /// The client connects to every socket that listens.
    fn poll(&mut self) {
        if !self.polls {
            return;
        }
        let listens = |(unit, job): (&UnitName, &Job)| {
            (unit.part() == Part::Socket && job.active == Active::Running).then(|| unit.service())
        };
        let services: Vec<UnitName> = self.jobs.iter().filter_map(listens).collect();
        for service in services {
            if self.jobs.contains_key(&service) {
                let _ = self.start(&service);
            }
        }
    }

    /// A point where the power may be cut.
    async fn point(&self) {
        match self.cut.get() {
            Some(0) => std::future::pending().await,
            Some(left) => self.cut.set(Some(left - 1)),
            None => {}
        }
    }

    fn entry(&self, path: &Path) -> Entry {
        match self.nodes.get(path) {
            None => Entry::Absent,
            Some(Node::Link(to)) => Entry::Link { to: to.clone() },
            Some(Node::Dir(_)) => Entry::Other { what: "a directory".to_owned() },
            Some(Node::File { mode, text }) => {
                let fingerprint = Fingerprint::of(text.as_bytes());
                let kept = if text.len() <= INLINE_LIMIT {
                    Kept::Text(text.clone())
                } else {
                    Kept::Saved(Path::new("/saved").join(&fingerprint.sha256))
                };
                Entry::File { mode: *mode, uid: 0, gid: 0, fingerprint, kept }
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

    /// Text and mode stand for the inode and the time of a file.
    fn identity(&self, path: &Path) -> Option<FileIdentity> {
        let node = self.nodes.get(path)?;
        let hash = Fingerprint::of(format!("{node:?}").as_bytes()).sha256;
        let (kind, len) = match node {
            Node::File { text, .. } => (Kind::File, text.len()),
            Node::Link(to) => (Kind::Link, to.as_os_str().len()),
            Node::Dir(_) => (Kind::Dir, 0),
        };
        let modified = i64::from_str_radix(&hash[..12], 16).unwrap();
        let ino = modified.cast_unsigned();
        Some(FileIdentity { kind, dev: 0, ino, len: len as u64, modified, nanoseconds: 0 })
    }
}

impl Host for ModelHost {
    async fn observe(&self, step: &Step) -> Result<Observed, HostError> {
        self.point().await;
        self.performing.set(false);
        Ok(match step {
            Step::MakeDir { path, .. } | Step::RemoveDir { path } => Observed::Dir { dir: self.dir(path) },
            Step::PutFile { path, .. }
            | Step::RemoveFile { path }
            | Step::Restore { path, unit: None, .. } => Observed::File { entry: self.entry(path) },
            Step::PutUnit { unit, path, .. }
            | Step::RemoveUnit { unit, path }
            | Step::Restore { unit: Some(unit), path, .. } => {
                let job = &self.jobs[unit];
                let read = match (&job.read, self.text(path)) {
                    (None, None) => UnitRead::Nothing,
                    (read, text) if *read == text => UnitRead::Current,
                    _ => UnitRead::Stale,
                };
                Observed::Unit { entry: self.entry(path), read: Some(read), active: job.active }
            }
            Step::SetMode { path, .. } => Observed::Mode {
                mode: match self.nodes.get(path) {
                    Some(Node::File { mode, .. } | Node::Dir(mode)) => Some(*mode),
                    Some(Node::Link(_)) | None => None,
                },
            },
            Step::Move { from, to } => {
                let names = [from, to].map(|path| self.identity(path).map(|found| (path.clone(), found)));
                Observed::Names { at: names.into_iter().flatten().collect() }
            }
            Step::SetEnabled { unit, .. } => {
                let job = &self.jobs[unit];
                Observed::Enabled { enabled: job.enabled, active: job.active }
            }
            Step::SetRunning { unit, .. } => {
                let job = &self.jobs[unit];
                let boot = BootId(self.boots.to_string());
                let process = ProcessId { pid: 100, started: Started(job.process), boot };
                let is_socket = unit.part() == Part::Socket;
                Observed::Running {
                    active: job.active,
                    process: Some(process).filter(|_| job.runs.is_some() && !is_socket),
                    service: is_socket.then(|| self.active(&unit.service())),
                }
            }
            Step::SetLinger { user, .. } => {
                Observed::Linger { on: Told::Known(self.linger.get(user).copied().unwrap_or(false)) }
            }
            Step::StopDaemons { daemons, .. } => {
                let runs =
                    |daemon: &&Daemon| self.daemons.get(&daemon.name) == Some(&Some(daemon.leader.started.0));
                let found = |daemon: &Daemon| RunningDaemon {
                    pidfile: daemon.pidfile.clone(),
                    port_file: daemon.port_file.clone(),
                    ..running_daemon(&daemon.name, &daemon.leader)
                };
                Observed::Daemons { running: daemons.iter().filter(runs).map(found).collect() }
            }
            Step::StartDaemons { daemons } | Step::EndStarted { daemons } => {
                let runs_again = |daemon: &&RunningDaemon| {
                    let process = self.daemons.get(&daemon.name).copied().flatten();
                    process.is_some_and(|started| started != daemon.id.started.0)
                };
                Observed::Daemons { running: daemons.iter().filter(runs_again).cloned().collect() }
            }
            Step::AwaitPortsFree { .. }
            | Step::AwaitReady { .. }
            | Step::AwaitHealthy { .. }
            | Step::AwaitModules { .. } => Observed::Nothing,
        })
    }

    async fn keep(&mut self, step: &Step, before: &Observed) -> Result<(), HostError> {
        self.point().await;
        let Some((copy, fingerprint)) = before.entry().and_then(Entry::saved) else { return Ok(()) };
        let Some(Key::File(path)) = step.key() else { return Ok(()) };
        let text = self.text(&path).unwrap_or_default();
        assert_eq!(Fingerprint::of(text.as_bytes()), *fingerprint);
        self.saved.insert(copy.clone(), text);
        Ok(())
    }

    async fn perform(&mut self, step: &Step) -> Result<Vec<Note>, HostError> {
        self.performed += 1;
        self.point().await;
        self.performing.set(true);
        if self.fails.get(&self.performed) == Some(&false) {
            return Err(HostError::refused("it broke", Some("true")));
        }
        self.poll();
        let done = self.act(step).await;
        self.poll();
        done?;
        self.point().await;
        Ok(Vec::new())
    }

    async fn tidy(&mut self, step: &Step) -> Result<(), HostError> {
        match step.key() {
            Some(Key::File(path)) => {
                self.temporary.remove(&path);
            }
            Some(Key::Names(one, other)) => self.temporary.retain(|path| *path != one && *path != other),
            _ => {}
        }
        Ok(())
    }

    fn by_hand(&self, step: &Step) -> Option<String> {
        step.key().map(|_| format!("please {}", step.describe()))
    }
}
