//! All modules of a hub, kept in step with services.json: a row appears, an actor starts it; a row goes, its module
//! is stopped and forgotten; a row changes, its module is told. A file that cannot be read changes nothing, and a row
//! that cannot be used nothing for its module.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tokio::sync::broadcast;

use crate::home::definition::SpawnBase;
use crate::home::paths::Home;
use crate::home::services::FileIssue;
use crate::logs::collector::LogCollector;
use crate::logs::module_log::ModuleLog;
use crate::module::launch::{LogLimits, Policy};
use crate::module::name::Short;
use crate::module::row::Row;
use crate::process::files;
use crate::sync::mutex::lock;

use super::actor;
use super::actor_context::{ActorContext, Change};
use super::handle::{Ask, Handle};
use super::remnants;
use super::snapshot::Snapshot;
use super::state::Outcome;

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
    /// Modules that have a row which cannot be used.
    pub unread: BTreeSet<Short>,
    /// Why the whole file cannot be used; the last good rows stay.
    pub broken: Option<String>,
}

impl Condition {
    /// Whether a module that is not in the set may have a row all the same.
    fn may_have_row(&self, short: &Short) -> bool {
        self.broken.is_some() || self.unread.contains(short)
    }
}

/// The supervisor.
#[derive(Debug, Clone)]
pub struct Supervisor {
    shared: Arc<ActorContext>,
    members: Arc<Mutex<Vec<Member>>>,
    /// Modules whose row is gone and whose processes are being ended.
    leaving: Arc<Mutex<Vec<Member>>>,
    /// Held while leftovers of modules without a row are being ended. Whether some were passed over, because it is not
    /// known whether they have one.
    clearing: Arc<tokio::sync::Mutex<bool>>,
    condition: Arc<Mutex<Condition>>,
    draining: Arc<Mutex<bool>>,
    /// Modules that appear stay down until somebody asks for them.
    held: Arc<Mutex<bool>>,
}

impl Supervisor {
    /// Opens the ledger and looks once for what an earlier hub left. Starts nothing.
    ///
    /// # Errors
    /// The ledger cannot be opened.
    pub fn new(home: Home, base: SpawnBase, logs: LogCollector, nonce: String) -> std::io::Result<Self> {
        let shared = ActorContext::open(home, base, logs, nonce)?;
        Ok(Self {
            shared: Arc::new(shared),
            members: Arc::default(),
            leaving: Arc::default(),
            clearing: Arc::default(),
            condition: Arc::default(),
            draining: Arc::default(),
            held: Arc::default(),
        })
    }

    /// What all actors share.
    #[must_use]
    pub fn shared(&self) -> &ActorContext {
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
        self.shared.subscribe()
    }

    /// Whether the hub is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *lock(&self.draining)
    }

    /// Holds modules back that appear from now on: they stay down until somebody asks for them, or the hub is let go
    /// and they appear anew. For before the first [`Self::reload`].
    pub fn hold(&self) {
        *lock(&self.held) = true;
    }

    /// Ends [`Self::hold`] for modules that appear from now on.
    pub fn let_go(&self) {
        *lock(&self.held) = false;
    }

    /// Reads services.json and brings the set in step with it. Modules that appear are started, in parallel, and not
    /// waited for; modules that went are stopped in the background.
    pub async fn reload(&self) -> Condition {
        if self.is_draining() {
            return self.condition();
        }
        let (rows, condition) = self.shared.services_anew(|services, broken| {
            let condition = Condition {
                issues: services.problems.clone(),
                notes: services.notes.clone(),
                unread: services.unread.clone(),
                broken: broken.map(|why| {
                    format!("{why}; the last good {} modules stay as they are", services.rows.len())
                }),
            };
            (services.rows.clone(), condition)
        });
        if let Some(message) = &condition.broken {
            self.complain(message);
        } else {
            if self.condition().broken.is_some() {
                self.shared.logs.hub_line("services.json can be used again");
            }
            for handle in self.reconcile(&rows) {
                handle.edited().await;
            }
        }
        let is_known = condition.broken.is_none();
        *lock(&self.condition) = condition.clone();
        if is_known {
            let set = self.clone();
            tokio::spawn(async move {
                if *set.clearing.lock().await {
                    set.end_forgotten().await;
                }
            });
        }
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
        if let Err(room) = files::make_room(rows.len()) {
            let line =
                format!("the limit on open files leaves room for about {room} modules; raise it: ulimit -Hn");
            self.shared.logs.hub_line(&line);
        }
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
        let set = self.clone();
        tokio::spawn(async move {
            member.ask(Ask::Shutdown).await;
            lock(&set.leaving).retain(|other| !other.handle.is(&member.handle));
            // A row that came back meanwhile goes on with the same log, and so does one that went again since.
            let members = lock(&set.members);
            if !members.iter().chain(lock(&set.leaving).iter()).any(|other| other.short == member.short) {
                set.shared.logs.forget(&member.short);
            }
        });
    }

    /// Starts a module; after the last process of an earlier one of that name, if its row went a moment ago.
    fn appear(&self, short: &Short, row: &Row) -> Member {
        let log = self.shared.log(short, LogLimits::default());
        let handle = actor::start(Arc::clone(&self.shared), short.clone(), row.port, log.clone());
        let earlier = lock(&self.leaving).iter().find(|member| member.short == *short).cloned();
        if !*lock(&self.held) {
            let asked = handle.clone();
            tokio::spawn(async move {
                if let Some(earlier) = earlier {
                    earlier.ask(Ask::Shutdown).await;
                }
                asked.ask(Ask::Boot).await
            });
        }
        Member { short: short.clone(), row: row.clone(), log, handle }
    }

    /// Ends processes that were left running by an earlier hub and that no start of a module will end: those of
    /// modules without a row, and all of them while modules are held back. All together. What has an actor is the
    /// actor's: its row may be gone as well, its own time to end is not. Who may have a row that cannot be read goes on
    /// until it can, or the hub stops: to end them would take away what nothing brings back.
    pub async fn end_forgotten(&self) {
        let mut passed_over = self.clearing.lock().await;
        let (held, draining, condition) = (*lock(&self.held), self.is_draining(), self.condition());
        *passed_over = false;
        let mut known: BTreeSet<Short> = lock(&self.leaving).iter().map(|m| m.short.clone()).collect();
        if !held {
            known.extend(lock(&self.members).iter().map(|m| m.short.clone()));
        }
        let mut ending = Vec::new();
        for short in self.shared.modules_left().difference(&known) {
            let why = match (held, condition.may_have_row(short)) {
                (true, _) => "which is held back",
                (false, false) => "which has no row any more",
                (false, true) if draining => "whose row cannot be read",
                (false, true) => {
                    *passed_over = true;
                    continue;
                }
            };
            ending.push((short.clone(), why));
        }
        join_all(ending.iter().map(|(short, why)| self.end_leftovers(short, why))).await;
    }

    async fn end_leftovers(&self, short: &Short, why: &str) {
        let (mut lives, _) = self.shared.past(short);
        // Somebody may have started it meanwhile: that life is ours, and stays.
        lives.retain(|life| !life.incarnation.starts_with(&self.shared.nonce));
        let grace = Policy::default().kill_timeout;
        match remnants::end(|| remnants::of_earlier(&lives), grace).await {
            Ok(ended) => {
                for id in &ended {
                    let line = format!("ended {id}, left by {short}, {why}");
                    self.shared.logs.hub_line(&line);
                }
                self.shared.earlier_gone(short);
            }
            Err(error) => {
                let line = format!("processes left by {short}, {why}, were not ended: {error}");
                self.shared.logs.hub_line(&line);
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
        // What an earlier hub left of modules without a row is ended too: if that is under way, it is waited for.
        let (answers, ()) = tokio::join!(join_all(asked), self.end_forgotten());
        answers.into_iter().flatten().collect()
    }
}

/// Whether a changed row matters to a running process. Modules write their own version and sub-units into their
/// rows; that must not call for a restart.
fn needs_restart(old: &Row, new: &Row) -> bool {
    old.port != new.port || old.install_dir != new.install_dir || old.health != new.health
}
