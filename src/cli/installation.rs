//! The user of a hub and its manager: the basis of every verb that uses the service manager.

use std::ffi::OsStr;

use clap::ValueEnum;

use crate::api::client::Client;
use crate::home::fs;
use crate::home::paths::Home;
use crate::install::facts::Facts;
use crate::install::gather::{self, Seed};
use crate::install::layout::{Layout, layout};
use crate::install::refusal::InstallRefusal;
use crate::install::who::{self, Asking};
use crate::manager::autostart::Autostart;
use crate::manager::backend::Manager;
use crate::manager::cached_runner::CachedRunner;
use crate::manager::detect::{self, Detected};
use crate::manager::driver::Driver;
use crate::manager::gather as host;
use crate::manager::host::Unavailable;
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

/// A larger file is not a unit of ours.
pub(super) const MAX_UNIT: u64 = 256 * 1024;

/// Whose services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Yours alone
    User,
    /// The machine's; needs root
    System,
}

/// Whose services: the same two options of every verb that needs an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ScopeArgs {
    /// Your own services, or the whole machine's (needs root)
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<ScopeArg>,
    /// User that the hub runs as, in the system scope
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

impl ScopeArgs {
    /// The options of an existing installation.
    #[must_use]
    pub(super) fn of<R>(installation: &Installation<R>) -> Self {
        let is_system = installation.driver.manager.is_system();
        Self {
            scope: Some(if is_system { ScopeArg::System } else { ScopeArg::User }),
            user: Some(installation.person.name.clone()).filter(|_| is_system),
        }
    }

    /// As words of a command line.
    #[must_use]
    pub(super) fn words(&self) -> Vec<String> {
        let scope = self.scope.and_then(|scope| scope.to_possible_value());
        let scope = scope.map(|scope| ["--scope".to_owned(), scope.get_name().to_owned()]);
        let user = self.user.clone().map(|user| ["--user".to_owned(), user]);
        scope.into_iter().chain(user).flatten().collect()
    }
}

/// An installation, existing or possible.
#[derive(Debug)]
pub(crate) struct Installation<R = Tools> {
    /// The hub's user.
    pub person: User,
    /// Its home.
    pub home: Home,
    /// Its manager, and the driver for it.
    pub driver: Driver<R>,
    /// Its directories.
    pub layout: Layout,
}

/// The result of a search.
#[derive(Debug)]
pub(crate) enum Found {
    /// A manager that works.
    Installation(Box<Installation>),
    /// No usable manager.
    NoManager(NoManager),
}

/// Why no manager could be used.
#[derive(Debug)]
pub(crate) struct NoManager {
    /// The reason, for each manager that was checked.
    pub why: Vec<Unavailable>,
    /// This host has none at all: no command here would change that.
    pub at_all: bool,
}

/// The same context with the home of the user who called sudo, unless a home was named: for verbs that read, or that
/// ask the hub. A verb that writes into a home never does so implicitly for another user.
pub(crate) fn of_caller(cx: &Context) -> Context {
    let mut cx = cx.clone();
    if let Ok(Some(person)) = caller(&cx)
        && !cx.home_named
    {
        cx.home = Home::at(person.home.join(".parachute"));
    }
    cx
}

/// Finds the current or possible manager of the requested hub.
///
/// # Errors
/// The user must name the hub's user first, or that user cannot be looked up.
pub(crate) async fn find(cx: &Context, asked: &ScopeArgs) -> Result<Found, CliError> {
    let detected = look(cx).await;
    if detected.candidates.is_empty() {
        return Ok(Found::NoManager(NoManager { why: detected.why_not, at_all: true }));
    }
    let acting = user::by_uid(user::effective_uid()).map_err(unknown_user)?;
    let named = asked.user.as_deref().map(user::by_name).transpose().map_err(unknown_user)?;
    let sudo = caller(cx)?;
    let scope = asked.scope.map(|scope| match scope {
        ScopeArg::User => Scope::User,
        ScopeArg::System => Scope::System,
    });
    let chosen = who::choose(&Asking { acting: &acting, sudo: sudo.as_ref(), named: named.as_ref(), scope })
        .map_err(refused)?;
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

/// The existing installation, if any: the user's own first. For verbs that use the manager only marginally, so
/// a manager without a file of ours is not queried.
pub(crate) async fn installed(cx: &Context) -> Option<Installation> {
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

/// The first of these, or of launchd's domains of one user the one that has the job: they read the same file, and
/// a job loaded over ssh stays in its domain when that user logs in at the screen.
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
    /// The same with a cache, in which each query runs once. Nothing is changed through it.
    #[must_use]
    pub(crate) fn glance(&self) -> Installation<CachedRunner<Tools>> {
        let driver = Driver::new(self.driver.manager.clone(), CachedRunner::new(self.driver.runner.clone()));
        let Self { person, home, layout, .. } = self;
        Installation { person: person.clone(), home: home.clone(), driver, layout: layout.clone() }
    }
}

impl<R: Runner + Clone> Installation<R> {
    /// Gathers all facts for a plan.
    ///
    /// # Errors
    /// This program or a receipt cannot be read.
    pub(crate) async fn facts(&self, cx: &Context, port: Option<u16>) -> Result<Facts, CliError> {
        let seed =
            Seed { person: &self.person, home: &self.home, exe: &cx.exe, env: &cx.env, port, now: cx.now };
        let facts = gather::gather(&seed, &self.driver).await;
        facts.map_err(|error| CliError::with_hints(ExitKind::Failed, error))
    }

    /// Whether the hub is enabled.
    pub(crate) async fn autostart(&self) -> Autostart {
        self.view().await.1
    }

    /// The hub's unit, and whether it is enabled.
    pub(crate) async fn view(&self) -> (UnitState, Autostart) {
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

    /// The machine, for plans.
    #[must_use]
    pub(crate) fn host(&self) -> RealHost<R> {
        RealHost::new(self.driver.clone(), &self.layout.state, Client::new(self.home.socket()))
    }
}

/// No manager can be used.
pub(super) fn no_manager(none: &NoManager) -> CliError {
    let mut cli = CliError::new(ExitKind::NoHub, "no service manager can be used here");
    cli.causes = none.why.iter().map(|why| format!("{}: {}", why.manager, why.because)).collect();
    cli.hints =
        none.why.iter().filter_map(|why| why.next.clone()).filter(|next| next != "parachute serve").collect();
    cli.hint("parachute serve     (in the foreground)")
}

/// No plan can be made before the user has decided something.
pub(super) fn refused(refusal: InstallRefusal) -> CliError {
    CliError::with_hints(ExitKind::NeedsPerson, refusal)
}

fn unknown_user(error: UserError) -> CliError {
    CliError::with_hints(ExitKind::Failed, error)
}

/// The user who called sudo (sudo(8), SUDO_UID). Counts only for root: any user can set a variable.
fn caller(cx: &Context) -> Result<Option<User>, CliError> {
    let uid = cx.env.get(OsStr::new("SUDO_UID")).and_then(|uid| uid.to_str()?.parse().ok());
    match uid.filter(|_| user::effective_uid() == 0) {
        Some(uid) => user::by_uid(uid).map(Some).map_err(unknown_user),
        None => Ok(None),
    }
}

/// Under sudo `$HOME` is root's, or the caller's: the home is the user's, unless it was named.
fn home_of(cx: &Context, acting: &User, person: &User) -> Home {
    if cx.home_named || acting.uid == person.uid {
        cx.home.clone()
    } else {
        Home::at(person.home.join(".parachute"))
    }
}

/// The system manager, and the asking user: the one who called sudo, else root. `None`: there is no such manager.
pub(super) async fn machines(cx: &Context) -> Option<(Manager, User)> {
    let manager = managers(cx).await.into_iter().find(|manager| manager.is_system())?;
    let acting = user::by_uid(user::effective_uid()).ok()?;
    Some((manager, caller(cx).ok().flatten().unwrap_or(acting)))
}

/// Every usable manager of this machine.
pub(super) async fn managers(cx: &Context) -> Vec<Manager> {
    look(cx).await.candidates
}

async fn look(cx: &Context) -> Detected {
    detect::detect(&host::gather(&cx.env, &tools(cx)).await)
}

/// The tools of this system. Tests restrict them: see [`Tools::new`].
pub(super) fn tools(cx: &Context) -> Tools {
    let path = cx.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let fence = cx.env.get(OsStr::new("PARACHUTE_TOOLS_UNDER")).map(Into::into);
    Tools::new(path, fence)
}
