//! What all actors of a hub share: the ledger, the rows as disk has them, the logs, who leads a group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, broadcast};

use crate::home::definition::SpawnBase;
use crate::home::fs::{self, FsError};
use crate::home::paths::Home;
use crate::home::services::{self, Services, ServicesError};
use crate::home::settings::LastGood;
use crate::logs::collector::LogCollector;
use crate::logs::module_log::ModuleLog;
use crate::module::failure::Failure;
use crate::module::launch::LogLimits;
use crate::module::name::Short;
use crate::module::row::Row;
use crate::module::stamp::Stamp;
use crate::process::group::{self, Depth, Life, Sweep};
use crate::process::id::ProcessId;
use crate::process::marks::Marks;
use crate::process::table;
use crate::process::unsure::Unsure;
use crate::sync::mutex::lock;

use super::clock::moment;
use super::ledger::{Entry, Ledger};
use super::snapshot::Snapshot;

/// Changes that a slow listener may lag behind before it is told that it missed some.
const CHANGES: usize = 256;
/// Failures that are written at a time.
const KEEPERS: usize = 8;
/// How long a thorough look waits for others that need one.
const GATHER: Duration = Duration::from_millis(1);

/// One state change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Grows by one per change of a hub.
    pub seq: u64,
    /// When.
    pub at: Stamp,
    /// The module as it is now.
    pub now: Snapshot,
}

/// What all actors of a hub share.
#[derive(Debug)]
pub struct ActorContext {
    /// The home.
    pub home: Home,
    /// What every spawn inherits.
    pub base: SpawnBase,
    /// The logs.
    pub logs: LogCollector,
    /// Random per hub; part of every environment mark.
    pub nonce: String,
    hub: u32,
    ledger: Mutex<Ledger>,
    /// Processes of earlier hubs that carry this home's mark, found once at boot.
    marked: Mutex<Vec<(Marks, ProcessId)>>,
    leaders: Mutex<BTreeSet<u32>>,
    /// The last thorough look, and when it began.
    sweep: tokio::sync::Mutex<Option<(Instant, Arc<Sweep>)>>,
    rows: Mutex<Rows>,
    settings: Mutex<LastGood>,
    changes: broadcast::Sender<Arc<Change>>,
    seq: AtomicU64,
    /// Whose turn it is to write a failure.
    keeping: Semaphore,
}

/// services.json as last read, and what file that was.
#[derive(Debug, Default)]
struct Rows {
    /// Whether it is to be read again only if it is another file.
    read: bool,
    signature: Option<fs::Signature>,
    last: Services,
    broken: Option<String>,
}

impl ActorContext {
    /// Opens the ledger and looks once for what an earlier hub left.
    pub(super) fn open(
        home: Home,
        base: SpawnBase,
        logs: LogCollector,
        nonce: String,
    ) -> std::io::Result<Self> {
        let ledger = Ledger::open(home.ledger())?;
        let marked = group::marked(home.root())
            .map_err(std::io::Error::other)?
            .into_iter()
            .map(|(info, marks)| (marks, info.id))
            .collect();
        let (changes, _) = broadcast::channel(CHANGES);
        Ok(Self {
            home,
            base,
            logs,
            nonce,
            hub: table::own_pid(),
            ledger: Mutex::new(ledger),
            marked: Mutex::new(marked),
            leaders: Mutex::default(),
            sweep: tokio::sync::Mutex::default(),
            rows: Mutex::default(),
            settings: Mutex::default(),
            changes,
            seq: AtomicU64::new(0),
            keeping: Semaphore::new(KEEPERS),
        })
    }

    /// State changes from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Modules of which an earlier hub left something.
    pub(super) fn modules_left(&self) -> BTreeSet<Short> {
        let mut modules: BTreeSet<Short> = lock(&self.ledger).book().open_modules().cloned().collect();
        modules.extend(lock(&self.marked).iter().map(|(marks, _)| marks.module.clone()));
        modules
    }

    /// services.json as it is now: read again only if the file is another one, or could not be read the last time, which
    /// may have been for want of a descriptor. A file that cannot be used leaves the last good rows in place, and the
    /// reason comes second; a row that cannot leaves that one.
    pub(super) fn services<T>(&self, view: impl FnOnce(&Services, Option<&str>) -> T) -> T {
        let mut rows = lock(&self.rows);
        let signature = fs::signature(&self.home.services());
        if !rows.read || signature != rows.signature {
            rows.read = true;
            rows.signature = signature;
            let vanished = signature.is_none() && !rows.last.rows.is_empty();
            match services::read_after(&self.home, &rows.last.rows) {
                // Taking the last module away leaves an empty list. No file at all is an accident.
                Ok(_) if vanished => {
                    rows.broken = Some(format!("{} has vanished", self.home.services().display()));
                }
                Ok(services) => {
                    rows.last = services;
                    rows.broken = None;
                }
                Err(error) => {
                    rows.read = !matches!(&error, ServicesError::File(FsError::Io { .. }));
                    rows.broken = Some(error.to_string());
                }
            }
        }
        view(&rows.last, rows.broken.as_deref())
    }

    /// The same for who has been asked to look: whatever the file looks like, it is read.
    pub(super) fn services_anew<T>(&self, view: impl FnOnce(&Services, Option<&str>) -> T) -> T {
        lock(&self.rows).read = false;
        self.services(view)
    }

    /// Whether services.json could not be read the last time, and may be readable now although it looks the same.
    pub fn is_unread(&self) -> bool {
        !lock(&self.rows).read
    }

    /// A module's row as services.json has it now.
    pub(super) fn row(&self, short: &Short) -> Option<Row> {
        self.services(|services, _| services.row(short).cloned())
    }

    /// The settings for a start, read now.
    pub(super) fn settings(&self) -> LastGood {
        let mut settings = lock(&self.settings);
        settings.renew(&self.home);
        settings.clone()
    }

    /// What is wrong with hub.toml, if anything is.
    pub fn settings_broken(&self) -> Option<String> {
        let mut settings = lock(&self.settings);
        settings.look(&self.home);
        settings.broken().map(str::to_owned)
    }

    /// What an earlier hub left of a module: lives whose end nobody recorded, and the crashes it counted.
    pub(super) fn past(&self, short: &Short) -> (Vec<Life>, Vec<Stamp>) {
        let ledger = lock(&self.ledger);
        let open =
            ledger.book().open(short).iter().map(|open| (open.incarnation.clone(), open.leader.clone()));
        let mut lives: BTreeMap<String, ProcessId> = open.collect();
        // A hub that was killed between a spawn and its ledger entry left only the mark.
        for (marks, id) in lock(&self.marked).iter().filter(|(marks, _)| marks.module == *short) {
            lives.entry(marks.incarnation.clone()).or_insert_with(|| id.clone());
        }
        let lives = lives.into_iter().map(|(incarnation, leader)| Life {
            leader,
            incarnation,
            module: short.clone(),
            reaped: None,
        });
        (lives.collect(), ledger.book().crashes(short).to_vec())
    }

    /// Nothing of the earlier lives of a module is left.
    pub(super) fn earlier_gone(&self, short: &Short) {
        let open: Vec<_> = lock(&self.ledger).book().open(short).to_vec();
        for life in open.into_iter().filter(|life| !life.incarnation.starts_with(&self.nonce)) {
            self.record(&Entry::Gone { short: short.clone(), incarnation: life.incarnation });
        }
        lock(&self.marked).retain(|(marks, _)| marks.module != *short);
    }

    pub(super) fn record(&self, entry: &Entry) {
        if let Err(error) = lock(&self.ledger).record(entry) {
            let path = self.home.ledger();
            self.logs.hub_line(&format!("the ledger {} cannot be written: {error}", path.display()));
        }
    }

    /// A module's log, with these bounds from now on.
    pub(super) fn log(&self, short: &Short, limits: LogLimits) -> ModuleLog {
        self.logs.open(short, self.home.log_file(short), limits)
    }

    pub(super) fn leader_born(&self, pid: u32) {
        lock(&self.leaders).insert(pid);
    }

    pub(super) fn leader_gone(&self, pid: u32) {
        lock(&self.leaders).remove(&pid);
    }

    /// What is left of a life, as far as the system tells.
    pub(super) fn remnants(&self, life: &Life, depth: Depth) -> Result<Vec<ProcessId>, Unsure> {
        let leaders = lock(&self.leaders).clone();
        let left = group::remnants(life, self.hub, &leaders, depth)?;
        Ok(left.into_iter().map(|info| info.id).collect())
    }

    /// The same for a caller that may wait a moment. Thorough looks at the same time share one [`Sweep`].
    pub(super) async fn look(&self, life: &Life, depth: Depth) -> Result<Vec<ProcessId>, Unsure> {
        if depth == Depth::Kin || life.reaped.is_none() {
            return self.remnants(life, depth);
        }
        let sweep = self.sweep().await?;
        let left = sweep.remnants(life, self.hub, &lock(&self.leaders));
        Ok(left.into_iter().map(|info| info.id).collect())
    }

    /// A look that begins after this call.
    async fn sweep(&self) -> Result<Arc<Sweep>, Unsure> {
        let asked = moment().mono;
        let mut last = self.sweep.lock().await;
        if let Some((_, sweep)) = last.as_ref().filter(|(begun, _)| *begun >= asked) {
            return Ok(Arc::clone(sweep));
        }
        // Whoever ends meanwhile is answered by the same look.
        tokio::time::sleep(GATHER).await;
        let begun = moment().mono;
        let sweep = Arc::new(Sweep::take(&lock(&self.leaders))?);
        *last = Some((begun, Arc::clone(&sweep)));
        Ok(sweep)
    }

    pub(super) fn announce(&self, now: Snapshot) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody listening is no error.
        let _ = self.changes.send(Arc::new(Change { seq, at: moment().wall, now }));
    }

    /// Keeps a failure on disk. That is synced, which may take long: not on the thread that supervises, and few
    /// at a time, for what is asked of a hub waits for the same threads.
    pub(super) async fn keep_failure(self: Arc<Self>, failure: Failure) {
        let Ok(_turn) = self.keeping.acquire().await else { return };
        let this = Arc::clone(&self);
        let _ = tokio::task::spawn_blocking(move || this.write_failure(&failure)).await;
    }

    fn write_failure(&self, failure: &Failure) {
        let Ok(short) = Short::new(&failure.short) else { return };
        let path = self.home.last_failure(&short);
        let kept = serde_json::to_vec_pretty(failure).map_err(|e| e.to_string()).and_then(|bytes| {
            let dir = path.parent().map_or_else(PathBuf::new, PathBuf::from);
            fs::make_dir(&dir, fs::PRIVATE_DIR).map_err(|e| e.to_string())?;
            fs::put(&path, fs::PRIVATE, &bytes).map_err(|e| e.to_string())
        });
        if let Err(error) = kept {
            self.logs.hub_line(&format!("{} cannot be written: {error}", path.display()));
        }
    }

    /// Reaps orphans that were adopted and have ended.
    pub fn reap_adopted(&self) {
        let leaders = lock(&self.leaders).clone();
        group::reap_adopted(&leaders);
    }
}
