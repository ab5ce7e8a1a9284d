//! Asks the machine what doctor wants to know. Reads only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::facts::{Disk, DoctorFacts, Drift, ModuleProgram, Private};
use crate::api::wire::Status;
use crate::home::fs;
use crate::home::paths::Home;
use crate::home::services;
use crate::install::facts::{Facts, OnDisk};
use crate::install::path::{Need, unit_path};
use crate::install::planner::{self, Request};
use crate::manager::survival::Survival;
use crate::module::env::enriched_path;
use crate::module::failure::Failure;
use crate::module::name::Short;
use crate::module::stamp::Stamp;
use crate::plan::step::Step;
use crate::process::{ports, table};

/// A failure file larger than this is none.
const MAX_FAILURE: u64 = 1024 * 1024;

/// What was asked before: doctor looks at the same machine as `init`.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The home.
    pub home: &'a Home,
    /// The installation, or why there is none to ask.
    pub install: Result<Box<Facts>, Vec<String>>,
    /// Programs that modules need from PATH; as in the facts, and without a manager too.
    pub needs: Vec<Need>,
    /// Whether the hub starts by itself.
    pub survival: Option<Survival>,
    /// The running hub.
    pub hub: Option<Box<Status>>,
    /// Daemons of the older model.
    pub older: Option<String>,
    /// The time.
    pub now: Stamp,
}

/// Asks the rest.
#[must_use]
pub fn gather(seen: Seen<'_>) -> DoctorFacts {
    let home = seen.home;
    let drift = seen.install.as_ref().map_or(Drift::NotInstalled, |facts| drift(facts));
    let read = services::read(home);
    let rows = read.as_ref().map(|services| services.rows.clone()).unwrap_or_default();
    let shorts: Vec<Short> = rows.iter().map(|(short, _)| short.clone()).collect();
    let path = hub_path(&seen);
    let held = rows.iter().filter(|_| seen.hub.is_none()).filter_map(|(short, row)| {
        // Of the older daemons the check about them tells.
        let holder = ports::holder(row.port).ok().flatten().filter(|_| seen.older.is_none())?;
        Some((short.to_string(), holder.0))
    });
    DoctorFacts {
        held: held.collect(),
        drift,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        private: private(home, &shorts),
        services: match read {
            Ok(services) => Ok(services.problems.into_iter().map(|issue| issue.message).collect()),
            Err(error) => Err(crate::plan::run::words(&error)),
        },
        programs: seen.needs.iter().map(|need| program(need, &path)).collect(),
        disk: fs::space(home.root()).map(|(free, total)| Disk { free, total }),
        log_bytes: shorts.iter().map(|short| log_bytes(&home.log_file(short))).sum::<u64>()
            + log_bytes(&home.hub_log()),
        failures: failures(home, &shorts),
        survival: seen.survival,
        hub: seen.hub,
        older: seen.older,
        install: seen.install,
        now: seen.now,
    }
}

fn program(need: &Need, hub_path: &OsString) -> ModuleProgram {
    ModuleProgram {
        module: need.module.clone(),
        program: need.program.clone(),
        in_shell: need.found.clone(),
        in_hub: which::which_in(&need.program, Some(hub_path), "/").ok(),
    }
}

/// Whether `init` would change the unit, without asking who holds the port.
fn drift(facts: &Facts) -> Drift {
    if facts.units.iter().all(|unit| unit.on_disk == OnDisk::Nothing) {
        return Drift::NotInstalled;
    }
    match planner::plan(facts, &Request { start: false, ..Request::default() }) {
        Err(refusal) => Drift::Refused(refusal.to_string()),
        Ok(plan) => {
            let files: Vec<PathBuf> = plan.steps.iter().filter_map(|step| changed(step, facts)).collect();
            if files.is_empty() { Drift::None } else { Drift::Files(files) }
        }
    }
}

fn changed(step: &Step, facts: &Facts) -> Option<PathBuf> {
    let Step::PutUnit { path, text, .. } = step else { return None };
    let old = facts.units.iter().find(|unit| unit.path == *path)?;
    (old.on_disk != OnDisk::Text(text.clone())).then(|| path.clone())
}

/// PATH as a module of the hub has it: that of the hub that runs, else of the one the unit would run; enriched as the
/// hub does.
fn hub_path(seen: &Seen<'_>) -> OsString {
    let running = seen.hub.as_ref().and_then(|status| table::path_variable(status.hub.pid));
    let (search, person) = match &seen.install {
        Ok(facts) => (facts.search.as_slice(), Some(facts.person.home.as_path())),
        Err(_) => (&[][..], None),
    };
    let unit = running.unwrap_or_else(|| unit_path(search, &seen.needs).path);
    enriched_path(Some(&unit), None, person, &fs::is_dir)
}

fn private(home: &Home, shorts: &[Short]) -> Vec<Private> {
    let mut all = vec![
        (home.root().to_owned(), 0o755),
        (home.run_dir(), 0o700),
        (home.operator_token(), 0o600),
        (home.root().join("hub.env"), 0o600),
    ];
    all.extend(shorts.iter().map(|short| (home.env_file(short), 0o600)));
    all.into_iter()
        .filter_map(|(path, may)| fs::mode(&path).map(|mode| Private { path, mode, may }))
        .collect()
}

/// A log with its rotated generations.
fn log_bytes(live: &Path) -> u64 {
    let Some(dir) = live.parent() else { return 0 };
    let names = fs::list(dir).unwrap_or_default();
    names.iter().filter_map(|name| fs::signature(&dir.join(name))).map(|signature| signature.len).sum()
}

fn failures(home: &Home, shorts: &[Short]) -> Vec<(String, Failure)> {
    let mut found: BTreeMap<(std::cmp::Reverse<u64>, String), Failure> = BTreeMap::new();
    for short in shorts {
        let Ok(Some(bytes)) = fs::read_if_there(&home.last_failure(short), MAX_FAILURE) else { continue };
        let Ok(failure) = serde_json::from_slice::<Failure>(&bytes) else { continue };
        found.insert((std::cmp::Reverse(failure.at.0), short.to_string()), failure);
    }
    found.into_iter().map(|((_, short), failure)| (short, failure)).collect()
}
