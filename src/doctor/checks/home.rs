//! The home: permissions, files, logs.

use crate::doctor::check::{Check, mib};
use crate::doctor::facts::DoctorFacts;

/// More than this in logs is worth a word: the default bound is 60 MiB a module.
const MANY: u64 = 2 * 1024 * 1024 * 1024;

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let mut out = permissions(facts);
    out.push(services(facts));
    out.push(logs(facts));
    out
}

fn permissions(facts: &DoctorFacts) -> Vec<Check> {
    const ID: &str = "home.private";
    let open: Vec<Check> = facts
        .private
        .iter()
        .filter(|file| file.excess() != 0)
        .map(|file| {
            let path = file.path.display();
            Check::warn(
                ID,
                format!("{path} has mode {:o}: others on this machine can look into it", file.mode & 0o777),
                format!("chmod {:o} {path}", file.mode & !file.excess()),
            )
            .fixable()
        })
        .collect();
    if open.is_empty() { vec![Check::ok(ID, "only you can read what is private")] } else { open }
}

fn services(facts: &DoctorFacts) -> Check {
    const ID: &str = "home.services";
    match &facts.services {
        Ok(problems) if problems.is_empty() => Check::ok(ID, "services.json is whole"),
        Ok(problems) => Check::fail(ID, problems.join("; "), "parachute status"),
        Err(error) => Check::fail(ID, error.clone(), "parachute status"),
    }
}

fn logs(facts: &DoctorFacts) -> Check {
    const ID: &str = "home.logs";
    let text = format!("logs take {}", mib(facts.log_bytes));
    if facts.log_bytes > MANY {
        Check::warn(ID, text, "lower [logs] max_bytes or keep in hub.toml")
    } else {
        Check::ok(ID, text)
    }
}
