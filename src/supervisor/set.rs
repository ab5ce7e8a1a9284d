//! All modules of a hub, kept in step with services.json: a row appears, an actor starts it; a row goes, its module
//! is stopped and forgotten; a row changes, its module is told. A file that cannot be read changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::broadcast;

use crate::home::definition::SpawnBase;
use crate::home::fs;
use crate::home::paths::Home;
use crate::home::services::{self, FileIssue, Services};
use crate::logs::thread::{Logs, ModuleLog};
use crate::module::failure::Failure;
use crate::module::launch::{LogLimits, Policy};
use crate::module::name::Short;
use crate::module::row::Row;
use crate::module::stamp::Stamp;
use crate::process::group::{self, Depth, Life};
use crate::process::id::ProcessId;
use crate::process::marks::Marks;
use crate::process::table;

use super::actor::{self, Ask, Handle};
use super::ledger::{Entry, Ledger};
use super::phase::Outcome;
use super::reclaim;
use super::snapshot::Snapshot;

/// Changes that a slow listener may lag behind before it is told that it missed some.
const CHANGES: usize = 256;

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
pub struct Shared {
    /// The home.
    pub home: Home,
    /// What every spawn inherits.
    pub base: SpawnBase,
    /// The logs.
    pub logs: Logs,
    /// Random per hub; part of every environment mark.
    pub nonce: String,
    hub: u32,
    ledger: Mutex<Ledger>,
    /// Processes of earlier hubs that carry this home's mark, found once at boot.
    marked: Mutex<Vec<(Marks, ProcessId)>>,
    leaders: Mutex<BTreeSet<u32>>,
    rows: Mutex<Rows>,
    changes: broadcast::Sender<Arc<Change>>,
    seq: AtomicU64,
}

/// services.json as last read, and what file that was.
#[derive(Debug, Default)]
struct Rows {
    read: bool,
    signature: Option<fs::Signature>,
    last: Services,
    broken: Option<String>,
}

/// A lock that cannot be poisoned into uselessness: the data is whole after every statement that holds it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// services.json as it is now: read again only if the file is another one. A file that cannot be used leaves the
    /// last good rows in place; the reason comes second.
    fn services<T>(&self, view: impl FnOnce(&Services, Option<&str>) -> T) -> T {
        let mut rows = lock(&self.rows);
        let signature = fs::signature(&self.home.services());
        if !rows.read || signature != rows.signature {
            rows.read = true;
            rows.signature = signature;
            match services::read(&self.home) {
                Ok(services) => {
                    rows.last = services;
                    rows.broken = None;
                }
                Err(error) => rows.broken = Some(error.to_string()),
            }
        }
        view(&rows.last, rows.broken.as_deref())
    }

    /// A module's row as services.json has it now.
    pub(super) fn row(&self, short: &Short) -> Option<Row> {
        self.services(|services, _| services.row(short).cloned())
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

    /// What is left of a life.
    pub(super) fn remnants(&self, life: &Life, depth: Depth) -> Vec<ProcessId> {
        let leaders = lock(&self.leaders).clone();
        group::remnants(life, self.hub, &leaders, depth).into_iter().map(|info| info.id).collect()
    }

    pub(super) fn announce(&self, now: Snapshot) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody listening is no error.
        let _ = self.changes.send(Arc::new(Change { seq, at: actor::moment().wall, now }));
    }

    pub(super) fn keep_failure(&self, failure: Failure) {
        let Ok(short) = Short::new(&failure.short) else { return };
        let path = self.home.last_failure(&short);
        let kept = serde_json::to_vec_pretty(&failure).map_err(|e| e.to_string()).and_then(|bytes| {
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

/// A module of the set.
#[derive(Debug, Clone)]
pub struct Member {
    /// Short name.
    pub short: Short,
    /// Its row as last read.
    pub row: Row,
    /// Its log.
    pub log: ModuleLog,
    handle: Handle,
}

impl Member {
    /// The module as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.handle.snapshot()
    }

    /// Asks the module for something and waits for the answer. `None` only when the hub is going away.
    pub async fn ask(&self, ask: Ask) -> Option<(Outcome, Snapshot)> {
        self.handle.ask(ask).await
    }
}

/// What the last read of services.json said, beside the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Rows that cannot be used, or are set aside.
    pub issues: Vec<FileIssue>,
    /// What a person may want to know; nothing is wrong.
    pub notes: Vec<FileIssue>,
    /// Why the whole file cannot be used; the last good rows stay.
    pub broken: Option<String>,
}

/// The supervisor.
#[derive(Debug, Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
    members: Arc<Mutex<Vec<Member>>>,
    /// Modules whose row is gone and whose processes are being ended.
    leaving: Arc<Mutex<Vec<Member>>>,
    condition: Arc<Mutex<Condition>>,
    draining: Arc<Mutex<bool>>,
}

impl Supervisor {
    /// Opens the ledger and looks once for what an earlier hub left. Starts nothing.
    ///
    /// # Errors
    /// The ledger cannot be opened.
    pub fn new(home: Home, base: SpawnBase, logs: Logs, nonce: String) -> std::io::Result<Self> {
        let ledger = Ledger::open(home.ledger())?;
        let marked = group::marked(home.root()).into_iter().map(|(info, marks)| (marks, info.id)).collect();
        let (changes, _) = broadcast::channel(CHANGES);
        let shared = Shared {
            home,
            base,
            logs,
            nonce,
            hub: table::own_pid(),
            ledger: Mutex::new(ledger),
            marked: Mutex::new(marked),
            leaders: Mutex::default(),
            rows: Mutex::default(),
            changes,
            seq: AtomicU64::new(0),
        };
        Ok(Self {
            shared: Arc::new(shared),
            members: Arc::default(),
            leaving: Arc::default(),
            condition: Arc::default(),
            draining: Arc::default(),
        })
    }

    /// What all actors share.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Every module, in the order of services.json.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        lock(&self.members).clone()
    }

    /// A module by its short name or by its row's name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Member> {
        let members = lock(&self.members);
        let by_short = members.iter().find(|m| m.short.as_str() == name);
        by_short.or_else(|| members.iter().find(|m| m.row.name == name)).cloned()
    }

    /// What is wrong with services.json.
    #[must_use]
    pub fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    /// State changes from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Arc<Change>> {
        self.shared.changes.subscribe()
    }

    /// Whether the hub is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *lock(&self.draining)
    }

    /// Reads services.json and brings the set in step with it. Modules that appear are started, in parallel, and not
    /// waited for; modules that went are stopped in the background.
    pub async fn reload(&self) -> Condition {
        if self.is_draining() {
            return self.condition();
        }
        let (rows, condition) = self.shared.services(|services, broken| {
            let condition = Condition {
                issues: services.problems.clone(),
                notes: services.notes.clone(),
                broken: broken.map(|why| {
                    format!("{why}; the last good {} modules stay as they are", services.rows.len())
                }),
            };
            (services.rows.clone(), condition)
        });
        if let Some(message) = &condition.broken {
            self.complain(message);
        } else {
            for handle in self.reconcile(&rows) {
                handle.edited().await;
            }
        }
        *lock(&self.condition) = condition.clone();
        condition
    }

    /// Says something about services.json once, not at every look.
    fn complain(&self, message: &str) {
        if lock(&self.condition).broken.as_deref() != Some(message) {
            self.shared.logs.hub_line(message);
        }
    }

    /// Starts what appeared, stops what went, and returns whom to tell of a change.
    fn reconcile(&self, rows: &[(Short, Row)]) -> Vec<Handle> {
        let mut members = lock(&self.members);
        let mut old: Vec<Member> = std::mem::take(&mut *members);
        let mut edited = Vec::new();
        for (short, row) in rows {
            match old.iter().position(|member| member.short == *short) {
                Some(at) => {
                    let mut member = old.remove(at);
                    if needs_restart(&member.row, row) {
                        edited.push(member.handle.clone());
                    }
                    member.row = row.clone();
                    members.push(member);
                }
                None => members.push(self.appear(short, row)),
            }
        }
        drop(members);
        for member in old {
            self.leave(member);
        }
        edited
    }

    fn leave(&self, member: Member) {
        self.shared.logs.hub_line(&format!("{} has no row any more: it is stopped", member.short));
        lock(&self.leaving).push(member.clone());
        let (leaving, logs) = (Arc::clone(&self.leaving), self.shared.logs.clone());
        tokio::spawn(async move {
            member.ask(Ask::Shutdown).await;
            lock(&leaving).retain(|other| !other.handle.is(&member.handle));
            logs.forget(&member.short);
        });
    }

    /// Starts a module; after the last process of an earlier one of that name, if its row went a moment ago.
    fn appear(&self, short: &Short, row: &Row) -> Member {
        let log = self.shared.log(short, LogLimits::default());
        let handle = actor::start(Arc::clone(&self.shared), short.clone(), row.port, log.clone());
        let earlier = lock(&self.leaving).iter().find(|member| member.short == *short).cloned();
        let asked = handle.clone();
        tokio::spawn(async move {
            if let Some(earlier) = earlier {
                earlier.ask(Ask::Shutdown).await;
            }
            asked.ask(Ask::Start).await
        });
        Member { short: short.clone(), row: row.clone(), log, handle }
    }

    /// Ends processes of modules that have no row any more but were left running by an earlier hub.
    pub async fn end_forgotten(&self) {
        let known: BTreeSet<Short> = lock(&self.members).iter().map(|m| m.short.clone()).collect();
        let mut forgotten: BTreeSet<Short> =
            lock(&self.shared.ledger).book().open_modules().cloned().collect();
        forgotten.extend(lock(&self.shared.marked).iter().map(|(marks, _)| marks.module.clone()));
        for short in forgotten.difference(&known) {
            let (lives, _) = self.shared.past(short);
            let grace = Policy::default().kill_timeout;
            match reclaim::end(|| reclaim::of_earlier(&lives), grace).await {
                Ok(ended) => {
                    for id in &ended {
                        let line = format!("ended {id}, left by {short}, which has no row any more");
                        self.shared.logs.hub_line(&line);
                    }
                    self.shared.earlier_gone(short);
                }
                Err(left) => {
                    let names: Vec<_> = left.iter().map(ToString::to_string).collect();
                    let line = format!("{short} has no row and survives SIGKILL: {}", names.join(", "));
                    self.shared.logs.hub_line(&line);
                }
            }
        }
    }

    /// Stops everything, in parallel, and starts nothing any more. Every actor bounds its own ending.
    pub async fn shutdown(&self) -> Vec<(Short, Outcome)> {
        *lock(&self.draining) = true;
        let mut members = self.members();
        members.extend(lock(&self.leaving).iter().cloned());
        let asked = members.iter().map(|member| async move {
            let answer = member.ask(Ask::Shutdown).await;
            answer.map(|(outcome, _)| (member.short.clone(), outcome))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// Whether a changed row matters to a running process. Modules write their own version and sub-units into their
/// rows; that must not call for a restart.
fn needs_restart(old: &Row, new: &Row) -> bool {
    old.port != new.port || old.install_dir != new.install_dir || old.health != new.health
}
