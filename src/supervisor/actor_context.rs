//! State shared by all actors of a hub: the ledger, the configuration, the logs, the searches for remnants, the
//! changes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::broadcast;
use tracing::{error, warn};

use crate::error_chain;
use crate::home::definition::SpawnBase;
use crate::home::paths::Home;
use crate::logs::collector::LogCollector;
use crate::logs::module_log::ModuleLog;
use crate::module::launch::LogLimits;
use crate::module::name::Short;
use crate::module::timestamp::Timestamp;
use crate::process::cgroup::{ModuleCgroup, UnitCgroup};
use crate::process::fifo::{self, Outputs};
use crate::process::group::{self, ModuleRun};
use crate::process::id::ProcessId;
use crate::process::marks::Marks;
use crate::process::path_helper::client::PathHelper;
use crate::sync::mutex::lock;

use super::clock::moment;
use super::config_cache::ConfigCache;
use super::failure_file::FailureFile;
use super::ledger::{Entry, Ledger, OpenRun};
use super::output_keeper::{KeptOutputs, OutputKeeper};
use super::remnants::Remnants;
use super::snapshot::{Change, Snapshot};

/// Changes by which a slow receiver may lag behind before it learns that it missed some.
const CHANGES: usize = 256;

/// What a supervisor works with.
#[derive(Debug)]
pub(crate) struct SupervisorSetup {
    pub(crate) home: Home,
    /// The base of every spawn's environment.
    pub(crate) base: SpawnBase,
    pub(crate) logs: LogCollector,
    /// Random for each hub; part of every environment mark.
    pub(crate) nonce: String,
    /// The cgroup of the hub's unit, if it was delegated.
    pub(crate) unit: Option<UnitCgroup>,
    /// Looks at paths that a person or a module chose.
    pub(crate) paths: PathHelper,
    pub(crate) outputs: KeptOutputs,
}

/// One for each hub.
#[derive(Debug)]
pub(crate) struct ActorContext {
    pub(super) home: Home,
    /// The base of every spawn's environment.
    pub(super) base: SpawnBase,
    pub(super) logs: LogCollector,
    /// Random for each hub; part of every environment mark.
    pub(super) nonce: String,
    pub(super) config: ConfigCache,
    pub(super) remnants: Remnants,
    pub(super) paths: PathHelper,
    pub(super) failures: Arc<FailureFile>,
    ledger: Mutex<Ledger>,
    /// Processes of earlier hubs that carry this home's mark, found once when the hub started.
    marked: Mutex<Vec<(Marks, ProcessId)>>,
    /// The cgroup of the hub's unit, if it was delegated to this hub.
    unit: Option<UnitCgroup>,
    changes: broadcast::Sender<Arc<Change>>,
    seq: AtomicU64,
    /// How many modules there are; FIFOs are made smaller for many.
    modules: AtomicUsize,
    /// Why a module writes to pipes. Said once.
    pipes: OnceLock<String>,
    /// Keeps the read ends of outputs open while there is no hub.
    keeper: Option<Arc<dyn OutputKeeper>>,
    /// Those that were kept since an earlier hub and that no actor has yet.
    kept: Mutex<BTreeMap<Short, [Option<OwnedFd>; 2]>>,
}

impl ActorContext {
    /// Opens the ledger, and searches once for processes of an earlier hub.
    pub(super) fn open(setup: SupervisorSetup) -> std::io::Result<Self> {
        let SupervisorSetup { home, base, logs, nonce, unit, paths, outputs } = setup;
        let ledger = Ledger::open(home.ledger())?;
        let marked = group::marked(home.root())
            .map_err(std::io::Error::other)?
            .into_iter()
            .map(|(info, marks)| (marks, info.id))
            .collect();
        let (changes, _) = broadcast::channel(CHANGES);
        Ok(Self {
            config: ConfigCache::new(home.clone()),
            remnants: Remnants::new(),
            paths,
            failures: Arc::new(FailureFile::new(home.clone())),
            home,
            base,
            logs,
            nonce,
            ledger: Mutex::new(ledger),
            marked: Mutex::new(marked),
            unit,
            changes,
            seq: AtomicU64::new(0),
            modules: AtomicUsize::new(0),
            pipes: OnceLock::new(),
            keeper: outputs.keeper,
            kept: Mutex::new(outputs.earlier),
        })
    }

    /// A module's log, with these limits from now on.
    pub(super) fn log(&self, short: &Short, limits: LogLimits) -> ModuleLog {
        self.logs.open(short, self.home.log_file(short), limits)
    }

    /// The cgroup for a module, if modules have cgroups of their own here.
    pub(super) fn cgroup(&self, short: &Short) -> Option<ModuleCgroup> {
        let made = self.unit.as_ref()?.module(short);
        made.inspect_err(
            |error| error!(module = %short, %error, "{short} gets no cgroup of its own: {error}"),
        )
        .ok()
    }

    /// What a new run of a module writes to: FIFOs, or pipes where FIFOs cannot be made.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(super) fn outputs(&self, short: &Short) -> std::io::Result<Outputs> {
        let error = match fifo::make(&self.home.outputs(), short, self.modules.load(Ordering::Relaxed)) {
            Ok(outputs) => return Ok(outputs),
            Err(error) => error,
        };
        let pipes = Outputs::pipes()?;
        let note = fifo::note(&error);
        if self.pipes.set(note.clone()).is_ok() {
            warn!(module = %short, %error, "{note}");
        }
        Ok(pipes)
    }

    /// The read ends that were kept since an earlier hub, once.
    pub(super) fn kept_outputs(&self, short: &Short) -> [Option<OwnedFd>; 2] {
        lock(&self.kept).remove(short).unwrap_or_default()
    }

    /// Keeps these while there is no hub, from now on.
    pub(super) fn keep_outputs(&self, short: &Short, readers: [BorrowedFd<'_>; 2]) {
        if let Some(keeper) = &self.keeper {
            keeper.keep(short, readers);
        }
    }

    /// There are this many modules from now on.
    pub(super) fn expect_modules(&self, modules: usize) {
        self.modules.store(modules, Ordering::Relaxed);
    }

    /// What is to be known about this hub.
    pub(super) fn notes(&self) -> Option<String> {
        self.pipes.get().cloned()
    }

    /// Removes the FIFOs of a module that has no run any more.
    pub(super) fn forget_outputs(&self, short: &Short) {
        if let Some(keeper) = &self.keeper {
            keeper.forget(short);
        }
        if let Err(error) = fifo::remove(&self.home.outputs(), short) {
            let why = error_chain::of(&error);
            warn!(module = %short, %error, "the FIFOs of {short} are not removed: {why}");
        }
    }

    /// Removes the FIFOs of all modules but these.
    pub(super) fn clear_outputs(&self, kept: &BTreeSet<Short>) {
        if let Err(error) = fifo::clear(&self.home.outputs(), kept) {
            warn!(%error, "the FIFOs of modules are not removed: {}", error_chain::of(&error));
        }
    }

    /// The cgroups of modules that have processes of an earlier hub.
    fn populated(&self) -> Vec<(Short, ModuleCgroup)> {
        let mut there = self.unit.as_ref().and_then(|unit| unit.modules().ok()).unwrap_or_default();
        there.retain(|(_, cgroup)| cgroup.pids().map_or(true, |pids| !pids.is_empty()));
        there
    }

    /// Changes of modules from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    pub(super) fn announce(&self, now: Snapshot) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        // Without a receiver it is no error.
        let _ = self.changes.send(Arc::new(Change { seq, at: moment().wall, now }));
    }

    pub(super) fn record(&self, entry: &Entry) {
        if let Err(error) = lock(&self.ledger).record(entry) {
            let path = self.home.ledger();
            error!(path = %path.display(), %error, "the ledger {} cannot be written: {error}", path.display());
        }
    }

    /// Modules of which an earlier hub left processes.
    pub(super) fn modules_left(&self) -> BTreeSet<Short> {
        let mut modules: BTreeSet<Short> = lock(&self.ledger).book().open_modules().cloned().collect();
        modules.extend(lock(&self.marked).iter().map(|(marks, _)| marks.module.clone()));
        modules.extend(self.populated().into_iter().map(|(short, _)| short));
        modules
    }

    /// What earlier hubs left of a module: runs whose end was not recorded, and the crashes that were counted.
    pub(super) fn past(&self, short: &Short) -> (Vec<ModuleRun>, Vec<Timestamp>) {
        let ledger = lock(&self.ledger);
        let open =
            ledger.book().open(short).iter().map(|open| (open.incarnation.clone(), open.leader.clone()));
        let mut runs: BTreeMap<String, ProcessId> = open.collect();
        // A hub that was killed between a spawn and its ledger entry left only the mark.
        for (marks, id) in lock(&self.marked).iter().filter(|(marks, _)| marks.module == *short) {
            runs.entry(marks.incarnation.clone()).or_insert_with(|| id.clone());
        }
        let runs = runs.into_iter().map(|(incarnation, leader)| ModuleRun {
            leader,
            incarnation,
            module: short.clone(),
            reaped: None,
            cgroup: None,
            adopted: false,
        });
        (runs.collect(), ledger.book().crashes(short).to_vec())
    }

    /// The runs of a module that the ledger has without an end.
    pub(super) fn open_runs(&self, short: &Short) -> Vec<OpenRun> {
        lock(&self.ledger).book().open(short).to_vec()
    }

    /// What an earlier hub left of a module is this hub's now.
    pub(super) fn adopted(&self, short: &Short) {
        lock(&self.marked).retain(|(marks, _)| marks.module != *short);
    }

    /// No process of the earlier runs of a module is left.
    pub(super) fn earlier_gone(&self, short: &Short) {
        let open: Vec<_> = lock(&self.ledger).book().open(short).to_vec();
        for run in open.into_iter().filter(|run| !run.incarnation.starts_with(&self.nonce)) {
            self.record(&Entry::Gone { short: short.clone(), incarnation: run.incarnation });
        }
        lock(&self.marked).retain(|(marks, _)| marks.module != *short);
    }
}
