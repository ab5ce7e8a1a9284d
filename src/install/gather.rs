//! Gathers the facts about the machine. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;

use futures_util::future::join_all;

use super::facts::{
    Facts, HomeFacts, OnDisk, Others, PortHolder, Program, RunningHub, SettingsFacts, Twin, UnitFacts,
};
use super::layout::layout;
use super::owner::{Kinship, Owner, Owners};
use super::search_path::Need;
use crate::api::client::Client;
use crate::api::wire::Status;
use crate::error_chain::Hints;
use crate::home::definition::{self, SpawnBase};
use crate::home::fs::{self, FsError};
use crate::home::hub_env;
use crate::home::nofollow;
use crate::home::paths::Home;
use crate::home::services;
use crate::home::settings;
use crate::manager::backend::Manager;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::module::port;
use crate::module::timestamp::Timestamp;
use crate::plan::content::{Content, Fingerprint, Fingerprinter};
use crate::plan::events::UnfinishedPlan;
use crate::plan::journal::{JournalError, peek_receipt, peek_unfinished};
use crate::plan::receipt::Receipt;
use crate::process::find_program::find_program;
use crate::process::group;
use crate::process::holder::look::{self, Asking};
use crate::process::holder::{Kind, Occupant};
use crate::process::table;
use crate::process::user::{self, User};
use crate::unit::name::UnitName;
use crate::unit::overrides;
use crate::unit::recognise;
use crate::unit::search;
use crate::unit::target::Target;

/// A larger file is not a unit of ours.
const MAX_UNIT: u64 = 256 * 1024;

/// For which user, and from where, facts are gathered.
#[derive(Debug, Clone)]
pub(crate) struct Seed<'a> {
    /// The user of the hub.
    pub person: &'a User,
    /// Its home.
    pub home: &'a Home,
    /// This program.
    pub exe: &'a Path,
    /// The caller's environment: its PATH finds the programs that the user means.
    pub env: &'a BTreeMap<OsString, OsString>,
    /// `--port`.
    pub port: Option<u16>,
    /// The time.
    pub now: Timestamp,
}

/// Gathers all facts for the planner.
///
/// # Errors
/// This program or the receipt cannot be read: without them no plan can be made.
pub(crate) async fn gather<R: Runner>(seed: &Seed<'_>, driver: &Driver<R>) -> Result<Facts, GatherError> {
    let manager = &driver.manager;
    let layout = layout(manager, seed.home, &seed.person.home);
    let (receipt, open) = (peek_receipt(&layout.state)?, peek_unfinished(&layout.state)?);
    let owners = owners_of(manager, seed.person, &receipt, open.as_ref());
    let settings = settings_of(seed.home, seed.port);
    // All at once: each query of a manager takes a few milliseconds.
    let units = join_all(manager.units().into_iter().map(async |unit| {
        let path = manager.file(&unit);
        UnitFacts {
            on_disk: on_disk(&path),
            written: receipt.text(&path).map(ToOwned::to_owned),
            state: driver.state(&unit).await,
            path,
            unit,
        }
    }));
    let linger =
        async { if manager.lingers() { Some(driver.linger(&seed.person.name).await) } else { None } };
    let (units, linger) = tokio::join!(units, linger);
    let hub = Client::new(seed.home.socket()).get::<Status>("/api/status").await.ok();
    let hub = hub.map(|status| status.hub);
    let asking = Asking { hub: hub.as_ref().map(|hub| hub.pid), ..Asking::about(seed.home.root()) };
    // An unknown holder is found when the port is bound.
    let holder = look::occupant(settings.port, &asking).ok().flatten();
    let holder = holder.map(|occupant| PortHolder { ours: is_ours(&occupant, &units), occupant });
    let fingerprint = fingerprint_of(seed.exe)?;
    let same = fingerprint_of(&layout.program).is_ok_and(|installed| installed == fingerprint);
    let content =
        Content::CopyOf { source: seed.exe.to_owned(), sha256: fingerprint.sha256, len: fingerprint.len };
    let (home, needs) = home_of(seed, settings.port);
    Ok(Facts {
        person: seed.person.clone(),
        manager: manager.clone(),
        home,
        program: Program { content, path: layout.program, same },
        twins: twins(manager, seed, settings.port),
        others: owners.other(seed.person, seed.home.root()).map(|owner| {
            let runs = units.iter().find(|unit| unit.unit == UnitName::hub());
            Others {
                runs: runs.is_some_and(|unit| !unit.state.running().is_false()),
                modules: modules_of(owner, &manager.name_of(&UnitName::hub())),
                open: owners.is_anothers_plan(seed.person, seed.home.root()),
                owner: owner.clone(),
            }
        }),
        linger,
        holder,
        hub: hub.map(|hub| RunningHub { pid: hub.pid, port: hub.port, version: hub.version }),
        search: search::candidates(Some(&seed.person.home), manager.target().program_dirs())
            .into_iter()
            .filter(|dir| fs::is_dir(dir))
            .collect(),
        needs,
        settings,
        unfinished: open.map(|log| log.plan.verb.to_string()),
        units,
    })
}

/// Whether it is the hub of this home, a process of its unit, or the socket that its manager holds for it.
fn is_ours(occupant: &Occupant, units: &[UnitFacts]) -> bool {
    let runs = || units.iter().filter(|unit| unit.state.running().is_true());
    match &occupant.kind {
        Kind::Hub(of) if of.ours => true,
        Kind::Unseen | Kind::Socket(_) | Kind::Manager(_) => runs().next().is_some(),
        _ => runs().any(|unit| unit.state.pid.is_some() && unit.state.pid == occupant.holder.pid),
    }
}

/// Why the facts cannot be gathered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatherError {
    /// The receipt or the journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// This program cannot be read.
    #[error("this program cannot be read")]
    Program(#[from] FsError),
}

impl Hints for GatherError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Journal(error) => error.hints(),
            Self::Program(_) => Vec::new(),
        }
    }
}

fn fingerprint_of(path: &Path) -> Result<Fingerprint, FsError> {
    let mut fingerprinter = Fingerprinter::default();
    nofollow::read_pieces(path, &mut |piece| fingerprinter.add(piece))?;
    Ok(fingerprinter.finish())
}

fn on_disk(path: &Path) -> OnDisk {
    if fs::read_link(path).is_ok() {
        return OnDisk::Other("a symbolic link".to_owned());
    }
    match fs::read_if_there(path, MAX_UNIT) {
        Ok(None) => OnDisk::Nothing,
        Ok(Some(bytes)) => {
            String::from_utf8(bytes).map_or_else(|_| OnDisk::Other("not UTF-8 text".to_owned()), OnDisk::Text)
        }
        Err(error) => OnDisk::Other(error.to_string()),
    }
}

/// The owners of this manager's installation, by its unit, by the receipt, and by an interrupted plan.
///
/// # Errors
/// The receipt or the journal cannot be read.
pub(crate) fn owners(manager: &Manager, person: &User, home: &Home) -> Result<Owners, JournalError> {
    let state = layout(manager, home, &person.home).state;
    Ok(owners_of(manager, person, &peek_receipt(&state)?, peek_unfinished(&state)?.as_ref()))
}

fn owners_of(manager: &Manager, person: &User, receipt: &Receipt, open: Option<&UnfinishedPlan>) -> Owners {
    let path = manager.file(&UnitName::hub());
    let of = |text: &str| Owner::of_unit(text, &manager.target(), person);
    let receipt = receipt.text(&path).and_then(of);
    Owners {
        // A plan that writes no unit belongs to the owner in the receipt.
        open: open.and_then(|log| Owner::of_plan(&log.plan, manager, person).or_else(|| receipt.clone())),
        unit: match on_disk(&path) {
            OnDisk::Text(text) => of(&text),
            OnDisk::Nothing | OnDisk::Other(_) => None,
        },
        receipt,
    }
}

/// Modules that run under another user's hub: from the marks of the processes in its unit, so that no file of that
/// home is opened. Their names are chosen by that user, and are only shown.
fn modules_of(owner: &Owner, unit: &str) -> Vec<String> {
    let Some(home) = &owner.home else { return Vec::new() };
    let uid = owner.person.parse().ok().or_else(|| Some(user::by_name(&owner.person).ok()?.uid));
    let Some(uid) = uid else { return Vec::new() };
    let is_kept = |pid| table::cgroup(pid).is_none_or(|cgroup| cgroup.split('/').any(|part| part == unit));
    let marked = group::marked_of(uid, home).unwrap_or_default().into_iter();
    let names = marked.filter(|(process, _)| is_kept(process.id.pid));
    let names: BTreeSet<String> = names.map(|(_, marks)| marks.module.to_string()).collect();
    names.into_iter().collect()
}

/// Files of ours in the directories of other managers. A manager that was not chosen may still start them.
fn twins(manager: &Manager, seed: &Seed<'_>, hub_port: u16) -> Vec<Twin> {
    let hub = UnitName::hub();
    let person = seed.person;
    let remove = |target: &Target| {
        if target.is_system() {
            "sudo parachute uninstall --scope system".to_owned()
        } else {
            format!("as {}: parachute uninstall", person.name)
        }
    };
    Target::ALL
        .into_iter()
        .filter(|target| target.is_system() != manager.is_system())
        .map(|target| (target, target.dir(&person.home).join(target.file_name(&hub))))
        .filter(|(_, path)| fs::exists(path))
        .filter_map(|(target, path)| match others_twin(&target, &path, seed) {
            None => Some(Twin { path, remove: remove(&target), owner: None }),
            // A hub of one's own can run beside another user's, on another port.
            Some((owner, port)) if port == hub_port => {
                Some(Twin { path, remove: "parachute init --port N".to_owned(), owner: Some(owner) })
            }
            Some(_) => None,
        })
        .collect()
}

/// The owner of the system unit, and its port, if it is another user's.
fn others_twin(target: &Target, path: &Path, seed: &Seed<'_>) -> Option<(Owner, u16)> {
    let OnDisk::Text(text) = on_disk(path) else { return None };
    let owner = Owner::of_unit(&text, target, seed.person).filter(|_| target.is_system())?;
    let other = owner.kinship(seed.person, seed.home.root()) == Kinship::OtherPerson;
    other.then(|| (owner, recognise::port(&text, target).unwrap_or(port::HUB)))
}

fn settings_of(home: &Home, asked: Option<u16>) -> SettingsFacts {
    let mut broken = None;
    let set = settings::read(home).unwrap_or_else(|error| {
        broken = Some(error.to_string());
        settings::HubSettings::default()
    });
    let text = fs::read_if_there(&home.settings(), settings::LIMIT).ok().flatten().unwrap_or_default();
    // settings::read has reported a file that is not UTF-8.
    let text = String::from_utf8(text).unwrap_or_default();
    if let Err(error) = overrides::parse(&text) {
        broken.get_or_insert(format!("{}, {error}", home.settings().display()));
    }
    let port = asked.or(set.hub.port.map(std::num::NonZeroU16::get)).unwrap_or(port::HUB);
    SettingsFacts { port, text, broken }
}

/// The home's modules, and the programs they need from PATH.
fn home_of(seed: &Seed<'_>, hub_port: u16) -> (HomeFacts, Vec<Need>) {
    let mut home = HomeFacts {
        root: seed.home.root().to_owned(),
        owner: fs::owner(seed.home.root()),
        modules: Vec::new(),
        broken: None,
        hub_env: hub_env::refused(seed.home, seed.person.uid, user::effective_uid()),
    };
    let rows = match services::read(seed.home) {
        Ok(services) => services.rows,
        Err(error) => {
            home.broken = Some(error.to_string());
            return (home, Vec::new());
        }
    };
    let base = SpawnBase { hub_env: seed.env.clone(), reads_hub_env: None, hub_port };
    let set = settings::LastGood::of(seed.home);
    let mut needs = Vec::new();
    for (short, row) in &rows {
        home.modules.push(short.to_string());
        // `status` reports a module that cannot be composed.
        let Ok(composed) = definition::of_row(seed.home, short, row, &set, &base, seed.now) else { continue };
        let Some(program) = composed.launch.argv.first() else { continue };
        if program.as_encoded_bytes().contains(&b'/') {
            continue;
        }
        needs.push(Need {
            module: short.to_string(),
            program: program.to_string_lossy().into_owned(),
            found: find_program(
                program,
                seed.env.get(OsStr::new("PATH")).map(OsString::as_os_str),
                Path::new("/"),
            ),
        });
    }
    (home, needs)
}
