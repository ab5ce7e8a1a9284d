//! Looks for the detached model on this machine. Reads only: files, /proc, the manager.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::facts::{Legacy, PortFact, Role, Seen, StaleUnit, Start};
use super::pidfile::{self, Bearer, Pidfile, Worth};
use super::units;
use crate::api::client::Client;
use crate::api::wire::Status;
use crate::home::definition::{self, SpawnBase};
use crate::home::fs;
use crate::home::paths::Home;
use crate::home::services;
use crate::home::settings;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::module::name::Short;
use crate::module::port;
use crate::module::row::Row;
use crate::module::timestamp::Timestamp;
use crate::process::detached;
use crate::process::find_program::find_program;
use crate::process::holder::look::{Asking, Looker};
use crate::process::kin::{above, ancestry};
use crate::process::os_bytes::OsBytes;
use crate::process::system::ProcInfo;
use crate::process::system::Stream;
use crate::process::table::{self, Census};
use crate::process::unknown::Unknown;
use crate::process::{ports, user::User};

/// A pidfile holds one number.
const MAX_PIDFILE: u64 = 4096;
/// Time between SIGTERM and SIGKILL for the hub, and for a module that sets none: as in the original.
const GRACE: Duration = Duration::from_secs(5);
/// The detached hub's name among the roles.
pub(crate) const HUB: &str = "hub";

/// Where to look, and for which user.
#[derive(Debug, Clone)]
pub(crate) struct Seed<'a> {
    /// The daemons' user.
    pub person: &'a User,
    /// The user's home.
    pub home: &'a Home,
    /// The caller's environment.
    pub env: &'a BTreeMap<OsString, OsString>,
    /// The time.
    pub now: Timestamp,
}

/// Looks for daemons: pidfiles, ports, logs, and the processes they lead to.
///
/// # Errors
/// [`Unknown`]: the system does not report which processes run, so nothing is known.
pub(crate) fn daemons(seed: &Seed<'_>) -> Result<Legacy, Unknown> {
    let (roles, broken) = roles(seed);
    let census = Census::take()?;
    let ourselves = ancestry(&census, table::own_pid());
    let pidfiles: Vec<Pidfile> =
        roles.iter().filter_map(|role| read_pidfile(seed, &role.name, &census, &ourselves)).collect();
    let port_file = Some(seed.home.hub_port()).filter(|path| fs::exists(path));
    let ports = ports_of(seed.home, &roles)?;

    let mut pids: BTreeSet<u32> = ports.iter().flat_map(|port| &port.holders).map(|id| id.pid).collect();
    pids.extend(pidfiles.iter().filter_map(|pidfile| match &pidfile.worth {
        Worth::Names { id } => Some(id.pid),
        Worth::Garbage { .. } | Worth::Unknown { .. } => None,
    }));
    let logs: BTreeSet<&Path> = roles.iter().map(|role| role.log.as_path()).collect();
    let to_log = |stream: &Stream| stream.append && logs.contains(stream.path.as_path());
    for p in census.iter().filter(|p| p.uid == seed.person.uid && !p.zombie && p.id.pid > 1) {
        if detached::streams(p.id.pid)[1..].iter().flatten().any(to_log) {
            pids.insert(p.id.pid);
        }
    }
    let seen = pids
        .into_iter()
        .filter_map(|pid| census.get(pid).filter(|p| !p.zombie))
        .map(|p| look(p, &census, &ourselves, &ports))
        .collect::<Result<_, _>>()?;
    Ok(Legacy {
        home: seed.home.root().to_owned(),
        uid: seed.person.uid,
        roles,
        broken,
        pidfiles,
        port_file,
        seen,
        ports,
        kept: None,
        units: Vec::new(),
    })
}

/// Asks which port the supervised hub of this home, or its manager's socket, has.
pub(crate) async fn kept<R: Runner>(legacy: &mut Legacy, driver: &Driver<R>) {
    for unit in driver.manager.units() {
        if driver.state(&unit).await.running().is_true() {
            legacy.kept = Some(port_of(&Home::at(legacy.home.clone())).await);
            return;
        }
    }
}

/// Looks for units that would restart a daemon: those of the driver's manager, and the files of all others.
///
/// `others` are further managers of this machine, which are only queried.
pub(crate) async fn units<R: Runner, S: Runner>(
    legacy: &mut Legacy,
    driver: &Driver<R>,
    others: &[Driver<S>],
    person: &User,
) {
    let mut found = Vec::new();
    for name in units::names(legacy.roles.iter().map(|role| role.name.as_str())) {
        for place in units::places(&name, &person.home) {
            if !fs::exists(&place.path) {
                continue;
            }
            let driven = driver.manager.file(&name) == place.path;
            let other = others.iter().find(|other| other.manager.file(&name) == place.path);
            let state = match other {
                _ if driven => Some(driver.state(&name).await),
                Some(other) => Some(other.state(&name).await),
                None => None,
            };
            let by_hand = (!driven).then_some(place.by_hand);
            found.push(StaleUnit { unit: name.clone(), path: place.path, state, by_hand });
        }
    }
    legacy.units = found;
}

/// The current or configured port of the supervised hub of this home.
async fn port_of(home: &Home) -> u16 {
    if let Ok(status) = Client::new(home.socket()).get::<Status>("/api/status").await {
        return status.hub.port;
    }
    let set = settings::read(home).unwrap_or_default();
    set.hub.port.map_or(port::HUB, NonZeroU16::get)
}

fn roles(seed: &Seed<'_>) -> (Vec<Role>, Option<String>) {
    let home = seed.home;
    let mut hub_ports = vec![port::HUB];
    let said = fs::read_if_there(&home.hub_port(), MAX_PIDFILE).ok().flatten();
    let said = said.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse::<u16>().ok());
    hub_ports.extend(said.filter(|port| *port > 0 && *port != port::HUB));
    let mut roles = vec![Role {
        name: HUB.to_owned(),
        ports: hub_ports,
        log: home.hub_log(),
        start: None,
        grace_ms: millis(GRACE),
    }];
    let rows = match services::read(home) {
        Ok(services) => services.rows,
        Err(error) => return (roles, Some(error.to_string())),
    };
    let base = SpawnBase { hub_env: seed.env.clone(), reads_hub_env: None, hub_port: port::HUB };
    let set = settings::LastGood::of(home);
    roles.extend(rows.iter().map(|(short, row)| role_of(seed, short, row, &set, &base)));
    (roles, None)
}

fn role_of(seed: &Seed<'_>, short: &Short, row: &Row, set: &settings::LastGood, base: &SpawnBase) -> Role {
    let composed = definition::of_row(seed.home, short, row, set, base, seed.now).ok();
    let start = composed.as_ref().map(|composed| {
        let launch = &composed.launch;
        let program = launch.argv.first().and_then(|program| {
            let path = launch.env.get(OsStr::new("PATH")).map(OsString::as_os_str);
            find_program(program, path, launch.cwd.as_deref().unwrap_or(Path::new("/")))
        });
        Start { argv: launch.argv.iter().cloned().map(OsBytes).collect(), program, cwd: launch.cwd.clone() }
    });
    Role {
        name: short.to_string(),
        ports: vec![row.port],
        log: seed.home.log_file(short),
        start,
        grace_ms: millis(composed.map_or(GRACE, |composed| composed.launch.policy.kill_timeout)),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The pidfile of a daemon of the original.
#[must_use]
pub(crate) fn pidfile_of(home: &Home, name: &str) -> PathBuf {
    home.root().join(name).join("run").join(format!("{name}.pid"))
}

fn read_pidfile(seed: &Seed<'_>, name: &str, census: &Census, ourselves: &BTreeSet<u32>) -> Option<Pidfile> {
    let path = pidfile_of(seed.home, name);
    let unknown = |because: String| Worth::Unknown { because };
    let (pid, worth) = match fs::read_if_there(&path, MAX_PIDFILE) {
        Ok(None) => return None,
        Err(error) => (None, unknown(error.to_string())),
        Ok(Some(bytes)) => match fs::modified(&path) {
            Err(error) => (None, unknown(error.to_string())),
            Ok(modified) => pidfile::judge(&bytes, seed.now.since(modified), table::uptime(), |pid| {
                let process = census.get(pid).filter(|process| !process.zombie);
                Ok(process.map(|process| Bearer {
                    id: process.id.clone(),
                    age: table::age(&process.id),
                    above: ourselves.contains(&pid),
                }))
            }),
        },
    };
    Some(Pidfile { of: name.to_owned(), path, pid, worth })
}

fn ports_of(home: &Home, roles: &[Role]) -> Result<Vec<PortFact>, Unknown> {
    let occupied = ports::occupied()?;
    let looker = Looker::new(&Asking::about(home.root()));
    let mut facts = Vec::new();
    for role in roles {
        for port in role.ports.iter().filter(|port| occupied.contains(port)) {
            let Some((holder, holders)) = ports::holding(*port)? else { continue };
            let occupant = looker.of(holder, &holders);
            facts.push(PortFact { port: *port, of: role.name.clone(), occupant, holders });
        }
    }
    Ok(facts)
}

fn look(
    p: &ProcInfo,
    census: &Census,
    ourselves: &BTreeSet<u32>,
    ports: &[PortFact],
) -> Result<Seen, Unknown> {
    let pid = p.id.pid;
    let argv = table::command_line(pid);
    Ok(Seen {
        id: p.id.clone(),
        uid: p.uid,
        group: p.pgrp,
        session: p.session,
        above: above(census, pid),
        ourselves: ourselves.contains(&pid),
        command: argv.as_ref().map_or_else(|| p.name.clone(), |argv| ports::printable(argv)),
        argv: argv.map(|argv| argv.into_iter().map(OsBytes).collect()),
        exe: table::exe(pid),
        cwd: table::cwd(pid),
        home: table::home(pid)?.map(|home| fs::resolved(&home)),
        path: table::path_variable(pid).map(OsBytes),
        mark: table::marks(pid)?.map(|marks| marks.module.to_string()),
        streams: detached::streams(pid),
        listens: ports.iter().filter(|port| port.holders.contains(&p.id)).map(|port| port.port).collect(),
    })
}
