//! All modules of a hub, kept in step with services.json: when a row appears, an actor starts the module; when it goes,
//! the module is stopped and forgotten; when it changes, the actor is notified. A file that cannot be read changes
//! nothing, and a row that cannot be used changes nothing for its module.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::broadcast;
use tracing::{debug, error, info, warn};

use crate::home::services::FileIssue;
use crate::logs::module_log::ModuleLog;
use crate::module::launch::{LogLimits, Policy};
use crate::module::name::Short;
use crate::module::row::Row;
use crate::process::path_helper::client::PathHelper;
use crate::process::terminate;
use crate::process::this_process::open_files;
use crate::sync::mutex::lock;

use super::actor;
use super::actor_context::ActorContext;
pub(crate) use super::actor_context::SupervisorSetup;
use super::effect::Outcome;
use super::handle::{Handle, ModuleRequest};
use super::remnants::{self, Earlier};
use super::snapshot::{Change, Snapshot};

/// One module.
#[derive(Debug, Clone)]
pub struct Member {
    pub(crate) short: Short,
    /// Its row as last read.
    pub(crate) row: Row,
    pub(crate) log: ModuleLog,
    handle: Handle,
}

impl Member {
    /// The module's current state.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.handle.snapshot()
    }

    /// Requests and waits for the answer. `None` only when the hub is ending.
    pub(crate) async fn ask(&self, ask: ModuleRequest) -> Option<(Outcome, Snapshot)> {
        self.handle.ask(ask).await
    }
}

/// Findings of the last read of services.json, beside the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Rows that cannot be used, or are set aside.
    pub(crate) issues: Vec<FileIssue>,
    /// Information for users; nothing is wrong.
    pub(crate) notes: Vec<FileIssue>,
    /// Modules that have a row which cannot be used.
    pub(crate) unread: BTreeSet<Short>,
    /// Why the whole file cannot be used; the last usable rows stay.
    pub(crate) broken: Option<String>,
}

impl Condition {
    /// Whether a module without a usable row may have a row all the same.
    fn may_have_row(&self, short: &Short) -> bool {
        self.broken.is_some() || self.unread.contains(short)
    }
}

/// All modules of one hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Supervisor {
    context: Arc<ActorContext>,
    members: Arc<Mutex<Vec<Member>>>,
    /// Modules whose row is gone and whose processes are being ended.
    leaving: Arc<Mutex<Vec<Member>>>,
    /// Locked while remnants of modules without a row are being ended. `true`: some were passed over, because it is not
    /// known whether they have a row.
    clearing: Arc<tokio::sync::Mutex<bool>>,
    condition: Arc<Mutex<Condition>>,
    draining: Arc<Mutex<bool>>,
    /// Modules that appear are adopted, and otherwise stay down until a start is requested.
    held: Arc<Mutex<bool>>,
}

impl Supervisor {
    /// Opens the ledger, and searches once for processes of an earlier hub. Starts nothing.
    ///
    /// # Errors
    /// The ledger cannot be opened.
    pub(crate) fn new(setup: SupervisorSetup) -> std::io::Result<Self> {
        let context = ActorContext::open(setup)?;
        Ok(Self {
            context: Arc::new(context),
            members: Arc::default(),
            leaving: Arc::default(),
            clearing: Arc::default(),
            condition: Arc::default(),
            draining: Arc::default(),
            held: Arc::default(),
        })
    }

    /// Every module, in the order of services.json.
    #[must_use]
    pub(crate) fn members(&self) -> Vec<Member> {
        lock(&self.members).clone()
    }

    /// A module by its short name or by its row's name.
    #[must_use]
    pub(crate) fn find(&self, name: &str) -> Option<Member> {
        let members = lock(&self.members);
        let by_short = members.iter().find(|m| m.short.as_str() == name);
        by_short.or_else(|| members.iter().find(|m| m.row.name == name)).cloned()
    }

    /// What is wrong with services.json.
    #[must_use]
    pub(crate) fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    /// What is to be known about this hub; nothing is wrong with its files.
    #[must_use]
    pub(crate) fn notes(&self) -> Option<String> {
        self.context.notes()
    }

    /// What is wrong with hub.toml, if anything.
    #[must_use]
    pub(crate) fn settings_broken(&self) -> Option<String> {
        self.context.config.settings_broken()
    }

    /// Whether the last read of services.json failed. It may be readable now although it looks unchanged.
    #[must_use]
    pub(crate) fn is_services_unread(&self) -> bool {
        self.context.config.is_services_unread()
    }

    /// Waits until the failures of a module are on disk, at most `within`.
    pub(crate) async fn failure_written(&self, short: &Short, within: Duration) {
        self.context.failures.written(short, within).await;
    }

    /// Looks at paths that a person or a module chose.
    #[must_use]
    pub(crate) fn paths(&self) -> &PathHelper {
        &self.context.paths
    }

    /// Reaps orphans that the hub adopted and that have ended.
    pub(crate) fn reap_adopted(&self) {
        self.context.remnants.reap_adopted();
    }

    /// Changes of modules from now on.
    #[must_use]
    pub(crate) fn changes(&self) -> broadcast::Receiver<Arc<Change>> {
        self.context.subscribe()
    }

    /// Whether the hub is stopping.
    #[must_use]
    pub(crate) fn is_draining(&self) -> bool {
        *lock(&self.draining)
    }

    /// Of modules that appear from now on only what an earlier hub left running is kept; the others stay down until a start
    /// is requested, or until they appear again after [`Self::let_go`]. To be called before the first [`Self::reload`].
    pub(crate) fn hold(&self) {
        *lock(&self.held) = true;
    }

    /// Ends [`Self::hold`] for modules that appear from now on.
    pub(crate) fn let_go(&self) {
        *lock(&self.held) = false;
    }

    /// Reads services.json and brings the modules in step with it. Modules that appear are started in parallel, and not
    /// waited for; modules that went are stopped in the background.
    pub(crate) async fn reload(&self) -> Condition {
        if self.is_draining() {
            return self.condition();
        }
        let (rows, condition) = self.context.config.services_anew(|services, broken| {
            let condition = Condition {
                issues: services.problems.clone(),
                notes: services.notes.clone(),
                unread: services.unread.clone(),
                broken: broken.map(|why| {
                    format!("{why}; the last valid {} modules stay as they are", services.rows.len())
                }),
            };
            (services.rows.clone(), condition)
        });
        debug!(rows = rows.len(), broken = condition.broken.is_some(), "services.json is read");
        if let Some(message) = &condition.broken {
            self.complain(message);
        } else {
            if self.condition().broken.is_some() {
                info!("services.json is valid again");
            }
            for handle in self.reconcile(&rows) {
                handle.edited().await;
            }
        }
        let is_known = condition.broken.is_none();
        *lock(&self.condition) = condition.clone();
        if is_known {
            let this = self.clone();
            tokio::spawn(async move {
                if *this.clearing.lock().await {
                    this.end_forgotten().await;
                }
            });
        }
        condition
    }

    /// Repeats the start checks of every blocked module: a precondition of all of them has
    /// changed.
    pub async fn ask_blocked_again(&self) {
        for member in self.members().into_iter().filter(|member| !member.snapshot().alive) {
            member.handle.edited().await;
        }
    }

    /// Writes a line about services.json once, not at every read.
    fn complain(&self, message: &str) {
        if lock(&self.condition).broken.as_deref() != Some(message) {
            error!("{message}");
        }
    }

    /// Starts new modules, stops removed ones, and returns the actors that must be notified of a change.
    fn reconcile(&self, rows: &[(Short, Row)]) -> Vec<Handle> {
        if let Err(room) = open_files::make_room(rows.len()) {
            warn!(room, "the limit on open files leaves room for about {room} modules; raise it: ulimit -Hn");
        }
        self.context.expect_modules(rows.len());
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
        info!(module = %member.short, "{} has no row any more: stopping it", member.short);
        lock(&self.leaving).push(member.clone());
        let this = self.clone();
        tokio::spawn(async move {
            let answer = member.ask(ModuleRequest::Shutdown).await;
            lock(&this.leaving).retain(|other| !other.handle.is(&member.handle));
            // A module whose row has come back meanwhile keeps its log, and so does one whose row was removed again
            // since.
            let members = lock(&this.members);
            if !members.iter().chain(lock(&this.leaving).iter()).any(|other| other.short == member.short) {
                this.context.logs.forget(&member.short);
                if matches!(answer, Some((Outcome::Stopped { .. }, _))) {
                    this.context.forget_outputs(&member.short);
                }
            }
        });
    }

    /// Starts a module. If a module of that name is still being ended, the start waits for its end.
    fn appear(&self, short: &Short, row: &Row) -> Member {
        let log = self.context.log(short, LogLimits::default());
        let handle = actor::start(Arc::clone(&self.context), short.clone(), row.port, log.clone());
        let earlier = lock(&self.leaving).iter().find(|member| member.short == *short).cloned();
        let ask = if *lock(&self.held) { ModuleRequest::Adopt } else { ModuleRequest::Boot };
        let asked = handle.clone();
        tokio::spawn(async move {
            if let Some(earlier) = earlier {
                earlier.ask(ModuleRequest::Shutdown).await;
            }
            asked.ask(ask).await
        });
        Member { short: short.clone(), row: row.clone(), log, handle }
    }

    /// Ends processes of an earlier hub of modules without a row, which no actor adopts or ends. All at the same time. A
    /// module with an actor is left to its actor, also if its row is gone. A module that may have an unreadable row is left alone until the row can be
    /// read or the hub stops: nothing would start it again.
    pub(crate) async fn end_forgotten(&self) {
        let mut passed_over = self.clearing.lock().await;
        let (draining, condition) = (self.is_draining(), self.condition());
        *passed_over = false;
        let mut known: BTreeSet<Short> = lock(&self.leaving).iter().map(|m| m.short.clone()).collect();
        known.extend(lock(&self.members).iter().map(|m| m.short.clone()));
        let mut ending = Vec::new();
        for short in self.context.modules_left().difference(&known) {
            let why = match condition.may_have_row(short) {
                false => "which has no row any more",
                true if draining => "whose row cannot be read",
                true => {
                    *passed_over = true;
                    continue;
                }
            };
            ending.push((short.clone(), why));
        }
        join_all(ending.iter().map(|(short, why)| self.end_remnants(short, why))).await;
    }

    async fn end_remnants(&self, short: &Short, why: &str) {
        let (mut runs, _) = self.context.past(short);
        // It may have been started meanwhile: that run is ours, and stays.
        runs.retain(|run| !run.incarnation.starts_with(&self.context.nonce));
        debug!(module = %short, runs = runs.len(), "looking for what an earlier hub left");
        let grace = Policy::default().kill_timeout;
        // While the module has an actor the cgroup is that actor's.
        let cgroup = self.find(short.as_str()).is_none().then(|| self.context.cgroup(short)).flatten();
        let earlier = Earlier { runs, cgroup };
        match terminate::end(|| remnants::of_earlier_hub(&earlier), grace).await {
            Ok(ended) => {
                for id in &ended {
                    info!(module = %short, pid = id.pid, "ended {id}, left by {short}, {why}");
                }
                self.context.earlier_gone(short);
                // A module that has come meanwhile writes to new ones of that name.
                let members = lock(&self.members);
                if members.iter().all(|member| member.short != *short) {
                    self.context.forget_outputs(short);
                }
            }
            Err(error) => {
                error!(module = %short, %error, "processes left by {short}, {why}, were not ended: {error}");
            }
        }
    }

    /// Stops everything, in parallel, and starts nothing any more. Every actor limits the time of its own stop.
    pub(crate) async fn shutdown(&self) -> Vec<(Short, Outcome)> {
        *lock(&self.draining) = true;
        let mut members = self.members();
        members.extend(lock(&self.leaving).iter().cloned());
        let asked = members.iter().map(|member| async move {
            let answer = member.ask(ModuleRequest::Shutdown).await;
            answer.map(|(outcome, _)| (member.short.clone(), outcome))
        });
        // Processes of an earlier hub of modules without a row are ended too. If that is in progress, it is waited for.
        let (answers, ()) = tokio::join!(join_all(asked), self.end_forgotten());
        let answers: Vec<(Short, Outcome)> = answers.into_iter().flatten().collect();
        let is_left = |(_, outcome): &&(Short, Outcome)| !matches!(outcome, Outcome::Stopped { .. });
        let mut kept = self.context.modules_left();
        kept.extend(answers.iter().filter(is_left).map(|(short, _)| short.clone()));
        self.context.clear_outputs(&kept);
        answers
    }
}

/// Whether a changed row affects a running process. Modules write their own version and sub-units into their
/// rows; that must not require a restart.
fn needs_restart(old: &Row, new: &Row) -> bool {
    old.port != new.port || old.install_dir != new.install_dir || old.health != new.health
}
