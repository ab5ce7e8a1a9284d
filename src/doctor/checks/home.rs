//! The home: permissions, files, logs. Pure.

use std::path::PathBuf;

use crate::api::wire::Status;
use crate::doctor::check::{Check, Id, Mend, found_or, mib};
use crate::doctor::facts::{DoctorFacts, Private};
use crate::home::paths::Home;
use crate::install::facts::OnDisk;
use crate::module::shell::quote_path;
use crate::process::fifo;

/// More than this in logs is reported: by default one module keeps 50 MiB.
const MANY: u64 = 2 * 1024 * 1024 * 1024;
/// Write permission for all users of the machine.
const WORLD_WRITES: u32 = 0o002;

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let open = facts.private.iter().filter_map(private).collect();
    let mut out =
        found_or(open, Id::HomePrivate, "permissions are private: only you can read secrets or change files");
    let bad = facts.services.iter().map(|t| Check::fail(Id::HomeServices, t.message.clone(), t.next.clone()));
    out.extend(found_or(bad.collect(), Id::HomeServices, "services.json is valid"));
    out.push(match &facts.settings {
        Some(because) => Check::fail(Id::HomeSettings, because.clone(), "correct hub.toml"),
        None => Check::ok(Id::HomeSettings, "hub.toml is valid"),
    });
    out.push(environment(facts));
    out.push(logs(facts.log_bytes));
    out.extend(facts.hub.as_deref().map(outputs));
    out
}

/// Whether modules of a hub under a service manager can be started. A running hub knows more than this command.
fn environment(facts: &DoctorFacts) -> Check {
    const ID: Id = Id::HomeEnv;
    let told = facts
        .hub
        .iter()
        .flat_map(|status| &status.problems)
        .find(|problem| problem.file.ends_with("/hub.env"));
    let told = told.map(|problem| (problem.message.clone(), problem.next.clone().unwrap_or_default()));
    let seen = || facts.hub_env.as_ref().map(|refused| (refused.to_string(), refused.next.clone()));
    let Some((message, next)) = told.or_else(seen) else {
        return Check::ok(ID, "hub.env is usable or absent");
    };
    let is_kept = |install: &crate::install::facts::Facts| {
        install.units.iter().any(|unit| unit.on_disk != OnDisk::Nothing)
    };
    if facts.install.known().is_some_and(is_kept) {
        Check::fail(ID, message, next)
    } else {
        // It has no effect yet.
        Check::warn(ID, message, next)
    }
}

/// What modules write to. Only a running hub knows.
fn outputs(status: &Status) -> Check {
    const ID: Id = Id::HomeFifo;
    let Some(note) = status.notes.iter().find(|note| fifo::is_note(note)) else {
        return Check::ok(ID, "modules write to FIFOs, which outlive the hub");
    };
    let run = Home::at(PathBuf::from(&status.hub.home)).run_dir();
    Check::warn(ID, note, format!("ls -la {}", quote_path(&run)))
}

fn private(file: &Private) -> Option<Check> {
    let Private { path, mode, may, ours } = file;
    let excess = mode & 0o777 & !may;
    if excess == 0 {
        return None;
    }
    let (bits, shut) = (mode & 0o777, mode & !excess);
    let path = path.display();
    let next = format!("chmod {shut:o} {path}");
    let check = if excess & WORLD_WRITES != 0 {
        Check::fail(
            Id::HomePrivate,
            format!("every user of this machine can change {path} (mode {bits:04o})"),
            next,
        )
    } else {
        Check::warn(Id::HomePrivate, format!("other users can read {path} (mode {bits:04o})"), next)
    };
    Some(if *ours { check.mended_by(Mend::Mode { path: file.path.clone(), mode: shut }) } else { check })
}

fn logs(bytes: u64) -> Check {
    let text = format!("they take {}", mib(bytes));
    if bytes > MANY {
        Check::warn(Id::HomeLogs, text, "lower `log.max_bytes` or `log.keep` under [defaults] in hub.toml")
    } else {
        Check::ok(Id::HomeLogs, text)
    }
}
