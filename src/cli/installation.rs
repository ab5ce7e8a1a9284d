//! Whose hub, kept by whom: what every verb that meets the service manager stands on.

use std::ffi::OsStr;

use clap::ValueEnum;

use crate::api::client::Client;
use crate::home::fs;
use crate::home::paths::Home;
use crate::install::facts::Facts;
use crate::install::gather::{self, Seed};
use crate::install::layout::{Layout, layout};
use crate::install::refusal::Refusal;
use crate::install::who::{self, Asking};
use crate::manager::autostart::Autostart;
use crate::manager::backend::Manager;
use crate::manager::cached_runner::CachedRunner;
use crate::manager::detect::{self, Detected};
use crate::manager::driver::Driver;
use crate::manager::gather as host;
use crate::manager::host::Why;
use crate::manager::invocation::Runner;
use crate::manager::runner::Tools;
use crate::manager::state::{Told, UnitState};
use crate::plan::host::real::RealHost;
use crate::process::user::{self, User, UserError};
use crate::unit::name::UnitName;
use crate::unit::recognise;
use crate::unit::target::{Scope, Target};

use super::context::Context;
use super::error::{CliError, ExitKind};

/// A unit larger than this is none of ours.
pub(super) const MAX_UNIT: u64 = 256 * 1024;

/// Whose services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Yours alone
    User,
    /// The machine's; needs root
    System,
}

/// `--scope` and `--user`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `--scope`.
    pub scope: Option<ScopeArg>,
    /// `--user`.
    pub user: Option<&'a str>,
}

/// Where an installation is, or would be.
#[derive(Debug)]
pub struct Installation<R = Tools> {
    /// Whose hub.
    pub person: User,
    /// Its home.
    pub home: Home,
    /// Its manager, and the way to it.
    pub driver: Driver<R>,
    /// Its places.
    pub layout: Layout,
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// A manager that works.
    Installation(Box<Installation>),
    /// None that could be used.
    NoManager(NoManager),
}

/// Why no manager could be used.
#[derive(Debug)]
pub struct NoManager {
    /// Why, of each that was looked at.
    pub why: Vec<Why>,
    /// This host has none at all: nothing that a person types here would change that.
    pub at_all: bool,
}

/// The same context with the home of whoever called sudo, unless a home was named: for verbs that look, or that ask
/// the hub. A verb that writes into a home never does so for somebody else in silence.
pub fn of_caller(cx: &Context) -> Context {
    let mut cx = cx.clone();
    if let Ok(Some(person)) = caller(&cx)
        && !cx.home_named
    {
        cx.home = Home::at(person.home.join(".parachute"));
    }
    cx
}

/// Finds the manager that keeps, or would keep, the hub that was asked about.
///
/// # Errors
/// A person must say first whose hub is meant, or cannot be looked up.
pub async fn find(cx: &Context, asked: &Asked<'_>) -> Result<Found, CliError> {
    let detected = look(cx).await;
    if detected.candidates.is_empty() {
        return Ok(Found::NoManager(NoManager { why: detected.why_not, at_all: true }));
    }
    let acting = user::by_uid(user::effective_uid()).map_err(|error| nobody(&error))?;
    let named = asked.user.map(user::by_name).transpose().map_err(|error| nobody(&error))?;
    let sudo = caller(cx)?;
    let scope = asked.scope.map(|scope| match scope {
        ScopeArg::User => Scope::User,
        ScopeArg::System => Scope::System,
    });
    let chosen = who::choose(&Asking { acting: &acting, sudo: sudo.as_ref(), named: named.as_ref(), scope })
        .map_err(|refusal| refused(&refusal))?;
    let wanted = |manager: &Manager| manager.is_system() == (chosen.scope == Scope::System);
    let wanted = detected.candidates.into_iter().filter(wanted).collect();
    let Some(manager) = with_the_job(cx, wanted).await else {
        return Ok(Found::NoManager(NoManager { why: detected.why_not, at_all: false }));
    };
    let home = home_of(cx, &acting, &chosen.person);
    let layout = layout(&manager, &home, &chosen.person.home);
    let driver = Driver::new(manager, tools(cx));
    Ok(Found::Installation(Box::new(Installation { person: chosen.person, home, driver, layout })))
}

/// The installation that there is, if any: one's own first. For verbs that only meet the manager in passing, so
/// nothing is asked of a manager that has no file of ours.
pub async fn installed(cx: &Context) -> Option<Installation> {
    let acting = user::by_uid(user::effective_uid()).ok()?;
    let person = caller(cx).ok().flatten().unwrap_or_else(|| acting.clone());
    let hub = UnitName::hub();
    let has_file = |target: &Target| fs::exists(&target.dir(&person.home).join(target.file_name(&hub)));
    let there = Target::ALL.iter().any(has_file) || fs::exists(&cx.home.install_dir());
    if !there {
        return None;
    }
    let detected = look(cx).await;
    let mut managers = detected.candidates;
    managers.sort_by_key(|manager| manager.is_system());
    let home = home_of(cx, &acting, &person);
    let serves = |manager: &Manager| {
        let text = fs::read_if_there(&manager.file(&hub), MAX_UNIT).ok().flatten().unwrap_or_default();
        recognise::serves(&String::from_utf8_lossy(&text), home.root(), &manager.target())
    };
    managers.retain(serves);
    let manager = with_the_job(cx, managers).await?;
    let layout = layout(&manager, &home, &person.home);
    Some(Installation { person, home, driver: Driver::new(manager, tools(cx)), layout })
}

/// The first of these, or of those that read the same file the one that has the job: under launchd what was loaded over ssh
/// stays where it is when that person logs in at the screen.
async fn with_the_job(cx: &Context, managers: Vec<Manager>) -> Option<Manager> {
    let hub = UnitName::hub();
    let first = managers.first()?.clone();
    let rivals = managers
        .into_iter()
        .filter(|manager| manager.shares_files() && manager.file(&hub) == first.file(&hub));
    let rivals: Vec<Manager> = rivals.collect();
    for manager in rivals.iter().filter(|_| rivals.len() > 1) {
        let state = Driver::new(manager.clone(), tools(cx)).state(&hub).await;
        if state.loaded.is_true() {
            return Some(manager.clone());
        }
    }
    Some(first)
}

impl Installation {
    /// The same for one look, in which each thing is asked once. Nothing is changed through it.
    #[must_use]
    pub fn glance(&self) -> Installation<CachedRunner<Tools>> {
        let driver = Driver::new(self.driver.manager.clone(), CachedRunner::new(self.driver.runner.clone()));
        let Self { person, home, layout, .. } = self;
        Installation { person: person.clone(), home: home.clone(), driver, layout: layout.clone() }
    }
}

impl<R: Runner + Clone> Installation<R> {
    /// Asks the machine everything that a plan stands on.
    ///
    /// # Errors
    /// This program or a receipt cannot be read.
    pub async fn facts(&self, cx: &Context, port: Option<u16>) -> Result<Facts, CliError> {
        let seed =
            Seed { person: &self.person, home: &self.home, exe: &cx.exe, env: &cx.env, port, now: cx.now };
        gather::gather(&seed, &self.driver).await.map_err(|error| {
            let mut cli = CliError::from_error(ExitKind::Failed, &error);
            cli.next.extend(error.next());
            cli
        })
    }

    /// Whether the hub starts by itself.
    pub async fn autostart(&self) -> Autostart {
        self.view().await.1
    }

    /// The hub's unit, and whether it starts by itself.
    pub async fn view(&self) -> (UnitState, Autostart) {
        let hub = UnitName::hub();
        let (state, linger) = tokio::join!(self.driver.state(&hub), self.linger());
        let survival = self.driver.manager.autostart(&state, &linger);
        (state, survival)
    }

    async fn linger(&self) -> Told<bool> {
        if self.driver.manager.lingers() {
            self.driver.linger(&self.person.name).await
        } else {
            Told::Unknown("it means nothing here".to_owned())
        }
    }

    /// The machine as plans see it.
    #[must_use]
    pub fn host(&self) -> RealHost<R> {
        RealHost::new(self.driver.clone(), &self.layout.state, Client::new(self.home.socket()))
    }
}

/// Nothing can be asked of a manager.
pub(super) fn no_manager(none: &NoManager) -> CliError {
    let mut cli = CliError::new(ExitKind::NoHub, "no service manager can be used here");
    cli.causes = none.why.iter().map(|why| format!("{}: {}", why.manager, why.because)).collect();
    cli.next =
        none.why.iter().filter_map(|why| why.next.clone()).filter(|next| next != "parachute serve").collect();
    cli.hint("parachute serve     (in the foreground)")
}

/// A plan cannot be made before a person has decided something.
pub(super) fn refused(refusal: &Refusal) -> CliError {
    let mut cli = CliError::from_error(ExitKind::NeedsPerson, refusal);
    cli.next = refusal.next();
    cli
}

fn nobody(error: &UserError) -> CliError {
    CliError::from_error(ExitKind::Failed, error).hint("getent passwd")
}

/// Who called sudo (sudo(8), SUDO_UID). Only root's word counts: anybody can set a variable.
fn caller(cx: &Context) -> Result<Option<User>, CliError> {
    let uid = cx.env.get(OsStr::new("SUDO_UID")).and_then(|uid| uid.to_str()?.parse().ok());
    match uid.filter(|_| user::effective_uid() == 0) {
        Some(uid) => user::by_uid(uid).map(Some).map_err(|error| nobody(&error)),
        None => Ok(None),
    }
}

/// `$HOME` is root's, or the caller's, under sudo: the home is the person's, unless it was named.
fn home_of(cx: &Context, acting: &User, person: &User) -> Home {
    if cx.home_named || acting.uid == person.uid {
        cx.home.clone()
    } else {
        Home::at(person.home.join(".parachute"))
    }
}

/// The manager of the whole machine, and who asks: who called sudo, else root. `None`: there is no such manager.
pub(super) async fn machines(cx: &Context) -> Option<(Manager, User)> {
    let manager = managers(cx).await.into_iter().find(|manager| manager.is_system())?;
    let acting = user::by_uid(user::effective_uid()).ok()?;
    Some((manager, caller(cx).ok().flatten().unwrap_or(acting)))
}

/// Every manager of this machine that works.
pub(super) async fn managers(cx: &Context) -> Vec<Manager> {
    look(cx).await.candidates
}

async fn look(cx: &Context) -> Detected {
    detect::detect(&host::gather(&cx.env, &tools(cx)).await)
}

/// The tools of this system. Tests fence them in: see [`Tools::new`].
pub(super) fn tools(cx: &Context) -> Tools {
    let path = cx.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let fence = cx.env.get(OsStr::new("PARACHUTE_TOOLS_UNDER")).map(Into::into);
    Tools::new(path, fence)
}
