//! Asks the machine what doctor wants to know. Reads only.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::facts::{Disk, DoctorFacts, Drift, ModuleProgram, Private};
use crate::api::wire::Status;
use crate::home::fs;
use crate::home::paths::Home;
use crate::home::services;
use crate::install::facts::Facts;
use crate::install::path::{Need, unit_path};
use crate::install::planner::{self, Request};
use crate::manager::survival::Survival;
use crate::module::env::enriched_path;
use crate::module::failure::Failure;
use crate::module::name::Short;
use crate::plan::step::Step;
use crate::process::table;

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
}

/// Asks the rest.
#[must_use]
pub fn gather(seen: Seen<'_>) -> DoctorFacts {
    let home = seen.home;
    let drift = seen.install.as_ref().map_or(Drift::NotInstalled, |facts| drift(facts));
    let shorts: Vec<Short> = match services::read(home) {
        Ok(services) => services.rows.iter().map(|(short, _)| short.clone()).collect(),
        Err(_) => Vec::new(),
    };
    let person = seen.install.as_ref().map(|facts| facts.person.home.clone()).ok();
    let hub_path = hub_path(&seen, person.as_deref());
    DoctorFacts {
        drift,
        version: env!("CARGO_PKG_VERSION"),
        private: private(home, &shorts),
        services: match services::read(home) {
            Ok(services) => Ok(services.problems.into_iter().map(|issue| issue.message).collect()),
            Err(error) => Err(error.to_string()),
        },
        programs: seen
            .needs
            .iter()
            .map(|need| ModuleProgram {
                module: need.module.clone(),
                program: need.program.clone(),
                in_shell: need.found.clone(),
                in_hub: which::which_in(&need.program, Some(&hub_path), "/").ok(),
            })
            .collect(),
        disk: fs::space(home.root()).map(|(free, total)| Disk { free, total }),
        log_bytes: shorts.iter().map(|short| log_bytes(&home.log_file(short))).sum::<u64>()
            + log_bytes(&home.hub_logs().join("hub.log")),
        failures: failures(home, &shorts),
        survival: seen.survival,
        hub: seen.hub,
        install: seen.install,
    }
}

/// Whether `init` would change anything, without asking who holds the port.
fn drift(facts: &Facts) -> Drift {
    if facts.units.iter().all(|unit| unit.on_disk == crate::install::facts::OnDisk::Nothing) {
        return Drift::NotInstalled;
    }
    match planner::plan(facts, &Request { start: false, ..Request::default() }) {
        Err(refusal) => Drift::Refused(refusal.to_string()),
        Ok(plan) => {
            let files: Vec<PathBuf> =
                plan.steps.iter().filter_map(|step| changed(step, facts)).collect();
            if files.is_empty() { Drift::None } else { Drift::Files(files) }
        }
    }
}

fn changed(step: &Step, facts: &Facts) -> Option<PathBuf> {
    let Step::PutUnit { path, text, .. } = step else { return None };
    let old = facts.units.iter().find(|unit| unit.path == *path)?;
    (old.on_disk != crate::install::facts::OnDisk::Text(text.clone())).then(|| path.clone())
}

/// PATH as a module of the hub has it: that of the hub that runs, else of the one the unit would run; enriched as the
/// hub does.
fn hub_path(seen: &Seen<'_>, person: Option<&Path>) -> OsString {
    let running = seen.hub.as_ref().and_then(|status| table::path_variable(status.hub.pid));
    let given = seen.install.as_ref().map(|facts| facts.settings.overrides.path.clone()).unwrap_or_default();
    let unit = running.unwrap_or_else(|| unit_path(&given, &seen.needs).path);
    enriched_path(Some(&unit), None::<&OsStr>, person, &fs::is_dir)
}

fn private(home: &Home, shorts: &[Short]) -> Vec<Private> {
    let mut all = vec![
        (home.root().to_owned(), 0o755),
        (home.run_dir(), 0o700),
        (home.operator_token(), 0o600),
        (home.root().join("hub.env"), 0o600),
    ];
    all.extend(shorts.iter().map(|short| (home.env_file(short), 0o600)));
    all.into_iter().filter_map(|(path, may)| fs::mode(&path).map(|mode| Private { path, mode, may })).collect()
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
