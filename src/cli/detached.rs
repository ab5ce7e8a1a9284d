//! The detached model on this machine, for verbs: its facts, and their text.

use serde::Serialize;

use crate::home::paths::Home;
use crate::manager::backend::Manager;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::migrate::facts::{Legacy, StaleUnit};
use crate::migrate::gather::{self, Seed};
use crate::migrate::judge::Ownership;
use crate::migrate::pidfile::{Pidfile, Worth};
use crate::migrate::planner::{Findings, findings};
use crate::plan::daemon::{Daemon, names};
use crate::process::user::User;
use crate::ui::style::Style;
use crate::ui::text::printable;

use super::context::Context;
use super::error::{CliError, ExitKind};
use super::installation::{self, Installation};

/// The output of `migrate --list --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    /// Daemons of ours that run without a manager.
    pub daemons: Vec<Daemon>,
    /// Processes that a pidfile, a port or a log leads to, and that are left alone.
    pub others: Vec<Other>,
    /// Declared ports that foreign processes hold.
    pub strangers: Vec<Stranger>,
    /// Every pidfile, and what it proves.
    pub pidfiles: Vec<Pidfile>,
    /// Units that would restart a daemon.
    pub units: Vec<StaleUnit>,
    /// Why the list of modules is unknown.
    pub broken: Option<String>,
}

/// A process that is left alone.
#[derive(Debug, Serialize)]
pub(crate) struct Other {
    /// Its pid.
    pub pid: u32,
    /// Its command, printable.
    pub command: String,
    /// The reason.
    pub verdict: Ownership,
}

/// A port that a foreign process holds.
#[derive(Debug, Serialize)]
pub(crate) struct Stranger {
    /// The port.
    pub port: u16,
    /// The role that the port belongs to.
    pub of: String,
    /// The holder, as text.
    pub holder: String,
    /// Why the holder does not count as ours.
    pub verdict: Ownership,
}

/// Gathers the facts. With an installation, its manager and the others of this machine are queried too.
///
/// # Errors
/// The system does not report which processes run.
pub(crate) async fn look<R: Runner>(
    cx: &Context,
    home: &Home,
    person: &User,
    installation: Option<&Installation<R>>,
) -> Result<Legacy, CliError> {
    let seed = Seed { person, home, env: &cx.env, now: cx.now };
    let mut legacy = gather::daemons(&seed).map_err(|unknown| {
        CliError::from_error(ExitKind::Failed, unknown).hint("parachute migrate --list     (again)")
    })?;
    if let Some(installation) = installation {
        let driven = |manager: &Manager| *manager == installation.driver.manager;
        let others = installation::managers(cx).await.into_iter().filter(|manager| !driven(manager));
        let others: Vec<_> = others.map(|manager| Driver::new(manager, installation::tools(cx))).collect();
        gather::units(&mut legacy, &installation.driver, &others, person).await;
        gather::kept(&mut legacy, &installation.driver).await;
    }
    Ok(legacy)
}

/// Daemons that `init` would have to stop first, and units that would start one. Managers are queried only if there are
///
/// # Errors
/// As [`look`].
pub(crate) async fn in_the_way<R: Runner + Clone>(
    cx: &Context,
    installation: &Installation<R>,
) -> Result<Option<String>, CliError> {
    let mut legacy = look::<R>(cx, &installation.home, &installation.person, None).await?;
    gather::units::<_, R>(&mut legacy, &installation.driver, &[], &installation.person).await;
    let found = findings(&legacy);
    if !found.is_legacy(&legacy) {
        return Ok(None);
    }
    let daemons = found.daemons.iter().map(|daemon| (daemon.name.as_str(), &daemon.leader));
    let units =
        legacy.units.iter().filter(|unit| unit.state.is_some()).map(|unit| unit.path.display().to_string());
    let mut who: Vec<String> = units.collect();
    if !found.daemons.is_empty() {
        who.insert(0, names(daemons));
    }
    Ok(Some(format!("detached daemons of an older version run here: {}", who.join(", "))))
}

/// As data.
#[must_use]
pub(crate) fn listed(legacy: &Legacy) -> Listed {
    let Findings { daemons, others, strangers } = findings(legacy);
    let others = others.into_iter().map(|(id, command, verdict)| Other { pid: id.pid, command, verdict });
    let strangers = strangers.into_iter().map(|(port, verdict)| Stranger {
        port: port.port,
        of: port.of,
        holder: port.occupant.words(),
        verdict,
    });
    Listed {
        daemons,
        others: others.collect(),
        strangers: strangers.collect(),
        pidfiles: legacy.pidfiles.clone(),
        units: legacy.units.clone(),
        broken: legacy.broken.clone(),
    }
}

/// As text.
#[must_use]
pub(crate) fn screen(listed: &Listed, style: Style) -> String {
    let mut out = String::new();
    let mut line = |sign: String, text: &str| out.push_str(&format!("{sign} {}\n", printable(text)));
    for daemon in &listed.daemons {
        line(style.good("detached"), &daemon.line());
    }
    for stranger in &listed.strangers {
        let Stranger { port, of, holder, verdict } = stranger;
        line(style.bad("stranger"), &format!("port {port} of {of} is held by {holder}: {verdict}"));
    }
    for other in &listed.others {
        line(style.dim("left alone"), &format!("pid {}, {} ({})", other.pid, other.command, other.verdict));
    }
    for pidfile in &listed.pidfiles {
        let path = pidfile.path.display();
        match &pidfile.worth {
            Worth::Names { .. } => {}
            Worth::Garbage { why } => line(style.dim("stale"), &format!("{path}: {why}")),
            Worth::Unknown { because } => line(style.warn("unknown"), &format!("{path}: {because}")),
        }
    }
    for unit in &listed.units {
        line(style.warn("unit"), &unit_words(unit));
    }
    if let Some(broken) = &listed.broken {
        line(style.bad("unknown"), &format!("the list of modules: {broken}"));
    }
    if out.is_empty() {
        out.push_str("no detached daemons here\n");
    } else if !listed.daemons.is_empty() {
        out.push_str(&format!(
            "{} parachute migrate --to-supervised --dry-run     (what a cutover would do)\n",
            style.good("hint:")
        ));
    }
    out
}

fn unit_words(unit: &StaleUnit) -> String {
    let state = match &unit.state {
        None => "of a service manager that this machine does not have".to_owned(),
        Some(state) => {
            let runs = match state.running().known() {
                Some(true) => "runs",
                Some(false) => "does not run",
                None => "may run",
            };
            let starts = match state.enabled.known() {
                Some(true) => "enabled",
                Some(false) => "not enabled",
                None => "may be enabled",
            };
            format!("{runs}, {starts}")
        }
    };
    let by_hand =
        unit.by_hand.as_ref().map_or_else(String::new, |by_hand| format!("; to disable it: {by_hand}"));
    format!("{} is a unit of an older version: {state}{by_hand}", unit.path.display())
}
