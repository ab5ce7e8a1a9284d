//! Gathers the facts for doctor. Reads only.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::facts::{Disk, DoctorFacts, InstallationFacts, Private, Start, Trouble};
use crate::api::client::Client;
use crate::api::wire::Status;
use crate::error_chain::{self, Hints};
use crate::home::definition::{self, SpawnBase};
use crate::home::nofollow::{self, Found};
use crate::home::paths::Home;
use crate::home::services::{self, Services};
use crate::home::settings::LastGood;
use crate::home::{fs, hub_env, settings};
use crate::install::facts::{Facts, PortHolder};
use crate::install::gather::{self as installer, Seed};
use crate::install::layout::layout;
use crate::install::search_path::search_path;
use crate::manager::backend::Manager;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::Told;
use crate::module::env::Env;
use crate::module::failure::Failure;
use crate::module::name::Short;
use crate::module::port;
use crate::module::timestamp::Timestamp;
use crate::plan::journal::peek_receipt;
use crate::process::find_program::{find_program, is_program};
use crate::process::holder::look::{self, Asking, Looker};
use crate::process::holder::{Kind, Occupant};
use crate::process::user::{self, User};
use crate::process::{ports, table};
use crate::unit::name::UnitName;
use crate::unit::{overrides, recognise};

/// A larger file is not a failure report.
const MAX_FAILURE: u64 = 1024 * 1024;
/// A larger file is not a unit of ours.
const MAX_UNIT: u64 = 256 * 1024;

/// Where to gather facts, and about which hub.
#[derive(Debug)]
pub(crate) struct Looking<'a, R> {
    /// The home.
    pub home: &'a Home,
    /// This program.
    pub exe: &'a Path,
    /// The caller's environment: its PATH finds the programs that the user means.
    pub env: &'a BTreeMap<OsString, OsString>,
    /// Detached daemons, from another room.
    pub older: Option<Told<Option<String>>>,
    /// Modules that run without a hub, from another room.
    pub left: Option<String>,
    /// The time.
    pub now: Timestamp,
    /// The hub's user and service manager; or why they are unknown.
    pub keeper: Result<(&'a User, &'a Driver<R>), InstallationFacts>,
}

/// Gathers all facts.
pub(crate) async fn gather<R: Runner>(looking: Looking<'_, R>) -> DoctorFacts {
    let home = looking.home;
    let hub = Client::new(home.socket()).get::<Status>("/api/status").await.ok().map(Box::new);
    let install = match &looking.keeper {
        Ok((person, driver)) => installation(&looking, person, driver).await,
        Err(install) => install.clone(),
    };
    let known = install.known();
    let set = settings::read(home);
    let port = match (known, &set) {
        (Some(install), _) => install.settings.port,
        (None, Ok(set)) => set.hub.port.map_or(port::HUB, Into::into),
        (None, Err(_)) => port::HUB,
    };
    let (services, troubles) = services_of(home);
    let shorts: Vec<&Short> = services.rows.iter().map(|(short, _)| short).collect();
    let me = user::effective_uid();
    DoctorFacts {
        program_is_there: known.is_some_and(|install| is_program(&install.program.path)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        port,
        held: held(home, &services, hub.as_deref(), looking.older.as_ref()),
        holder: match known {
            Some(install) => install.holder.clone(),
            None => holder(home, port, hub.as_deref()),
        },
        private: private(home, &shorts, known.map_or(me, |install| install.person.uid)),
        services: troubles,
        settings: match (known, set) {
            (Some(install), _) => install.settings.broken.clone(),
            (None, Err(error)) => Some(error.to_string()),
            (None, Ok(_)) => None,
        },
        hub_env: match known {
            Some(install) => install.home.hub_env.clone(),
            None => hub_env::refused(home, me, me),
        },
        drop_ins: known.map(drop_ins).unwrap_or_default(),
        starts: starts(&looking, known, hub.as_deref(), &services, port),
        disk: fs::space(&existing(home.root())).map(|(free, total)| Disk { free, total }),
        log_bytes: shorts.iter().map(|short| log_bytes(&home.log_file(short))).sum::<u64>()
            + log_bytes(&home.hub_log()),
        failures: failures(home, &shorts),
        now: looking.now,
        older: looking.older,
        left: looking.left.filter(|_| hub.is_none()),
        hub,
        install,
    }
}

async fn installation<R: Runner>(
    looking: &Looking<'_, R>,
    person: &User,
    driver: &Driver<R>,
) -> InstallationFacts {
    let seed = Seed {
        person,
        home: looking.home,
        exe: looking.exe,
        env: looking.env,
        port: port_of_unit(looking.home, person, &driver.manager),
        now: looking.now,
    };
    match installer::gather(&seed, driver).await {
        Ok(facts) => InstallationFacts::Known(Box::new(facts)),
        Err(error) => {
            let again = if driver.manager.is_system() { "sudo parachute doctor" } else { "parachute status" };
            let next = error.hint().unwrap_or_else(|| again.to_owned());
            let words = error_chain::of(&error);
            InstallationFacts::Untold { because: format!("{}: {words}", driver.manager.words()), next }
        }
    }
}

/// `init --port` is stored only in the unit, and in the receipt where the unit is missing; hub.toml, if it names a
/// port, takes precedence.
fn port_of_unit(home: &Home, person: &User, manager: &Manager) -> Option<u16> {
    if settings::read(home).is_ok_and(|set| set.hub.port.is_some()) {
        return None;
    }
    let path = manager.file(&UnitName::hub());
    let on_disk = fs::read_if_there(&path, MAX_UNIT).ok().flatten().unwrap_or_default();
    recognise::port(&String::from_utf8_lossy(&on_disk), &manager.target()).or_else(|| {
        let receipt = peek_receipt(&layout(manager, home, &person.home).state).ok()?;
        recognise::port(receipt.text(&path)?, &manager.target())
    })
}

/// An unknown holder is found when the port is bound.
fn holder(home: &Home, port: u16, hub: Option<&Status>) -> Option<PortHolder> {
    let asking = Asking { hub: hub.map(|status| status.hub.pid), ..Asking::about(home.root()) };
    let occupant = look::occupant(port, &asking).ok()??;
    Some(PortHolder { ours: matches!(&occupant.kind, Kind::Hub(of) if of.ours), occupant })
}

/// Holders of modules' ports if no hub runs. Another check reports detached daemons.
fn held(
    home: &Home,
    services: &Services,
    hub: Option<&Status>,
    older: Option<&Told<Option<String>>>,
) -> Vec<(String, Occupant)> {
    if hub.is_some() || !matches!(older, None | Some(Told::Known(None))) {
        return Vec::new();
    }
    let occupied = ports::occupied().unwrap_or_default();
    let taken = services.rows.iter().filter(|(_, row)| occupied.contains(&row.port));
    let looker = Looker::new(&Asking::about(home.root()));
    let look = |port: u16| ports::holding(port).ok()?.map(|(holder, ids)| looker.of(holder, &ids));
    // A module that runs on without a hub holds its own port: that is another check's.
    let is_own = |short: &str, occupant: &Occupant| matches!(&occupant.kind, Kind::Module { short: Some(name), of } if of.ours && name == short);
    taken
        .filter_map(|(short, row)| Some((short.to_string(), look(row.port)?)))
        .filter(|(short, occupant)| !is_own(short, occupant))
        .collect()
}

/// The rows, and the problems of the file.
fn services_of(home: &Home) -> (Services, Vec<Trouble>) {
    let file = home.services();
    let repair = || format!("repair {}", file.display());
    match services::read(home) {
        Ok(services) => {
            let of_row =
                |row: &Option<String>| row.as_ref().map_or_else(String::new, |row| format!("{row}: "));
            let troubles = services
                .problems
                .iter()
                .map(|issue| Trouble {
                    message: format!("{}{}", of_row(&issue.row), issue.message),
                    next: issue.next.clone().unwrap_or_else(repair),
                })
                .collect();
            (services, troubles)
        }
        Err(error) => (Services::default(), vec![Trouble { message: error.to_string(), next: repair() }]),
    }
}

/// How the hub would start each module, and the path of the same program in the shell.
fn starts<R>(
    looking: &Looking<'_, R>,
    known: Option<&Facts>,
    hub: Option<&Status>,
    services: &Services,
    hub_port: u16,
) -> Vec<Start> {
    let shell = looking.env.get(OsStr::new("PATH")).map(OsString::as_os_str);
    let mut hub_env = BTreeMap::from([(OsString::from("PATH"), hub_path(known, hub, shell))]);
    let home = known.map(|install| install.person.home.clone().into_os_string());
    hub_env.extend(
        home.or_else(|| looking.env.get(OsStr::new("HOME")).cloned())
            .map(|home| (OsString::from("HOME"), home)),
    );
    hub_env.extend(of_file(looking.home, known, hub));
    let base = SpawnBase { hub_env, reads_hub_env: None, hub_port };
    let start = |short: &Short, composed: Result<_, Box<_>>| {
        let module = short.to_string();
        let composed: crate::module::compose::Composed = match composed {
            Ok(composed) => composed,
            Err(problem) => {
                let problem: Box<crate::module::problem::Problem> = problem;
                let message = problem.error_description.lines().next().unwrap_or_default().to_owned();
                let next = problem.next.unwrap_or_else(|| format!("parachute why {module}"));
                return Start {
                    module,
                    program: Err(Trouble { message, next }),
                    in_shell: None,
                    in_hub: None,
                };
            }
        };
        let launch = composed.launch;
        let program = launch.argv.first().cloned().unwrap_or_default();
        let by_name = !program.as_encoded_bytes().contains(&b'/');
        let path = launch.env.get(OsStr::new("PATH")).map(OsString::as_os_str);
        Start {
            module,
            in_shell: find_program(&program, shell, Path::new("/")).filter(|_| by_name),
            in_hub: find_program(&program, path, launch.cwd.as_deref().unwrap_or(Path::new("/"))),
            program: Ok(program.to_string_lossy().into_owned()),
        }
    };
    let rows = services.rows.iter();
    let (home, set) = (looking.home, LastGood::of(looking.home));
    rows.map(|(short, row)| start(short, definition::of_row(home, short, row, &set, &base, looking.now)))
        .collect()
}

/// The variables that a hub under a manager takes from hub.env, if this user may read it. Another check reports a
/// refused file, once and not for each module.
fn of_file(home: &Home, known: Option<&Facts>, hub: Option<&Status>) -> Env {
    let is_kept = hub.map_or(known.is_some(), |status| status.hub.mode.starts_with("managed"));
    let me = user::effective_uid();
    let is_theirs = known.is_none_or(|install| install.person.uid == me);
    let read = (is_kept && is_theirs).then(|| hub_env::read(home, me).ok()).flatten();
    read.unwrap_or_default().variables
}

/// PATH of the running hub, else of the one that the unit would run, else of one in the foreground of this shell.
fn hub_path(known: Option<&Facts>, hub: Option<&Status>, shell: Option<&OsStr>) -> OsString {
    if let Some(path) = hub.and_then(|status| table::path_variable(status.hub.pid)) {
        return path;
    }
    let Some(install) = known else { return shell.unwrap_or_default().to_owned() };
    let mut dirs = overrides::parse(&install.settings.text).map(|set| set.path).unwrap_or_default();
    dirs.extend(install.search.iter().cloned());
    search_path(&dirs, &install.needs).path
}

/// The user's drop-ins of the installed units.
fn drop_ins(install: &Facts) -> Vec<(PathBuf, String)> {
    let files = install.units.iter().flat_map(|unit| &unit.state.drop_ins);
    let read = |file: &PathBuf| {
        let bytes = fs::read_if_there(file, MAX_UNIT).ok().flatten()?;
        Some((file.clone(), String::from_utf8_lossy(&bytes).into_owned()))
    };
    files.filter_map(read).collect()
}

/// A home that does not exist yet will be on the file system of its parent.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|dir| fs::exists(dir)).unwrap_or(path).to_owned()
}

fn private(home: &Home, shorts: &[&Short], person: u32) -> Vec<Private> {
    let env_may = fs::owner(&home.hub_env()).map_or(0o600, |owner| hub_env::may_have(owner, person));
    let mut all = vec![
        // Others may read it, as in the homes of earlier versions.
        (home.root().to_owned(), 0o755),
        (home.run_dir(), 0o700),
        (home.operator_token(), 0o600),
        (home.hub_env(), env_may),
    ];
    all.extend(shorts.iter().map(|short| (home.env_file(short), 0o600)));
    let me = user::effective_uid();
    let look = |(path, may): (PathBuf, u32)| {
        // A FIFO in the place of a file is not a question of its mode, and the reader of the file reports it.
        if matches!(nofollow::look(&path), Ok(Found::Special)) {
            return None;
        }
        let mode = fs::mode(&path)?;
        let is_no_link = nofollow::mode(&path).is_ok_and(|own| own.is_some());
        Some(Private { ours: is_no_link && fs::owner(&path) == Some(me), path, mode, may })
    };
    all.into_iter().filter_map(look).collect()
}

/// A log and its rotated files.
fn log_bytes(live: &Path) -> u64 {
    let Some(dir) = live.parent() else { return 0 };
    let names = fs::list(dir).unwrap_or_default();
    names.iter().filter_map(|name| fs::signature(&dir.join(name))).map(|signature| signature.len).sum()
}

fn failures(home: &Home, shorts: &[&Short]) -> Vec<(String, Failure)> {
    let read = |short: &&&Short| {
        let bytes = fs::read_if_there(&home.last_failure(short), MAX_FAILURE).ok().flatten()?;
        let failure: Failure = serde_json::from_slice(&bytes).ok()?;
        Some((short.to_string(), failure))
    };
    let mut found: Vec<(String, Failure)> = shorts.iter().filter_map(|short| read(&short)).collect();
    found.sort_by_key(|(_, failure)| std::cmp::Reverse(failure.at));
    found
}
