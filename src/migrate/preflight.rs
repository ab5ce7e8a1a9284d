//! Checks everything that could fail before anything is stopped. Reads, and writes only to its own temporary directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::facts::Legacy;
use super::gather::{HUB, Seed};
use super::judge::runs;
use super::process_title;
use super::refusal::CutoverRefusal;
use crate::error_chain;
use crate::home::definition::{self, SpawnBase};
use crate::home::fs;
use crate::home::hub_env;
use crate::home::services;
use crate::home::settings::LastGood;
use crate::install::facts::Facts;
use crate::install::search_path::search_path;
use crate::install::verify;
use crate::manager::driver::{Driver, FailureKind};
use crate::manager::invocation::Runner;
use crate::plan::Plan;
use crate::plan::content::Content;
use crate::plan::daemon::Daemon;
use crate::plan::step::Step;
use crate::process::find_program::find_program;
use crate::process::{detached, ports, user};

/// Free space required in addition to the files of the plan, bytes: journal, receipt, logs of the first minute.
const ROOM: u64 = 16 * 1024 * 1024;

/// The path at which a module's daemon finds a program that its start command names without a directory. The running
/// program is the one that the user means, even if the asking shell finds another one.
pub(crate) fn find_needs(legacy: &Legacy, daemons: &[Daemon], facts: &mut Facts) {
    for need in &mut facts.needs {
        let daemon = daemons.iter().find(|daemon| daemon.name == need.module);
        let seen = daemon.and_then(|daemon| legacy.seen.iter().find(|seen| seen.id == daemon.leader));
        let path = seen.and_then(|seen| seen.path.as_ref());
        let found =
            path.and_then(|path| find_program(OsStr::new(&need.program), Some(&path.0), Path::new("/")));
        if found.is_some() {
            need.found = found;
        }
    }
}

/// Runs all checks.
pub(crate) async fn check<R: Runner>(
    seed: &Seed<'_>,
    legacy: &Legacy,
    facts: &Facts,
    plan: &Plan,
    driver: &Driver<R>,
) -> Vec<CutoverRefusal> {
    let mut refusals = Vec::new();
    refusals.extend(unit(facts, plan, driver).await);
    refusals.extend(places(facts, plan));
    for step in &plan.steps {
        match step {
            Step::StopDaemons { daemons, .. } => {
                refusals.extend(daemons.iter().filter_map(|daemon| way_back(legacy, daemon)));
                refusals.extend(daemons.iter().filter_map(|daemon| elsewhere(legacy, daemon)));
            }
            Step::AwaitReady { modules, .. } => refusals.extend(modules_start(seed, facts, modules)),
            _ => {}
        }
    }
    refusals
}

/// Whether a stopped daemon could be started again.
fn way_back(legacy: &Legacy, daemon: &Daemon) -> Option<CutoverRefusal> {
    let refused = |because| Some(CutoverRefusal::NoWayBack { name: daemon.name.clone(), because });
    let captured = detached::capture(&daemon.leader).and_then(|record| record.check().map(|()| record));
    let record = match captured {
        Ok(record) => record,
        Err(error) => return refused(error_chain::of(&error)),
    };
    let role = legacy.roles.iter().find(|role| role.name == daemon.name);
    let start = role.and_then(|role| role.start.as_ref()).map(|start| start.argv.as_slice());
    if process_title::are_lost(&record.argv, record.exe.path(), start) {
        let because =
            "it has overwritten its command line with a title, and the original is recorded nowhere else";
        return refused(format!("{because} ({})", daemon.command.trim_end()));
    }
    None
}

/// Whether a daemon listens where the hub would never find it ready, and would do so again: another start command may
/// listen elsewhere. An unknown state is no reason to refuse.
fn elsewhere(legacy: &Legacy, daemon: &Daemon) -> Option<CutoverRefusal> {
    let role = legacy.roles.iter().find(|role| role.name == daemon.name && role.name != HUB)?;
    let seen = legacy.seen.iter().find(|seen| seen.id == daemon.leader)?;
    if !runs(role.start.as_ref()?, seen) {
        return None;
    }
    let at = daemon.ports.iter().flat_map(|port| {
        let addresses = ports::elsewhere(*port).unwrap_or_default();
        addresses.into_iter().map(|address| SocketAddr::new(address, *port).to_string())
    });
    let at: Vec<String> = at.collect();
    (!at.is_empty()).then(|| CutoverRefusal::Elsewhere { module: daemon.name.clone(), at: at.join(", ") })
}

async fn unit<R: Runner>(facts: &Facts, plan: &Plan, driver: &Driver<R>) -> Option<CutoverRefusal> {
    let texts: Vec<(&Path, &str)> = plan.steps.iter().filter_map(Step::unit_text).collect();
    match verify::texts(driver, &texts, &facts.program.path).await {
        Ok(complaints) => complaints.into_iter().next().map(CutoverRefusal::BadUnit),
        // A missing checker is not a complaint: the manager itself reads the unit before anything is stopped.
        Err(error) if error.kind == FailureKind::NoTool => None,
        Err(error) => Some(CutoverRefusal::BadUnit(error.to_string())),
    }
}

/// Whether there is enough space, and write permission, at all paths of the plan.
fn places(facts: &Facts, plan: &Plan) -> Vec<CutoverRefusal> {
    let refused = |path: &Path, because: &str| CutoverRefusal::NoRoom {
        path: path.to_owned(),
        because: because.to_owned(),
    };
    let mut written: Vec<PathBuf> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::PutFile { path, .. } | Step::PutUnit { path, .. } => existing(path),
            _ => None,
        })
        .collect();
    written.extend(existing(&facts.home.root.join("services.json")));
    written.sort();
    written.dedup();
    let Content::CopyOf { len, .. } = &facts.program.content else { return Vec::new() };
    let needed = len + ROOM;
    let mut refusals: Vec<CutoverRefusal> = written
        .iter()
        .filter_map(|dir| {
            if let Err(error) = fs::may_write(dir) {
                return Some(refused(dir, &error_chain::of(&error)));
            }
            let free = fs::space(dir).map_or(u64::MAX, |(free, _)| free);
            (free < needed)
                .then(|| refused(dir, &format!("{} kB are free, {} are needed", free / 1024, needed / 1024)))
        })
        .collect();
    if let Some(dir) = existing(&facts.program.path).filter(|dir| fs::forbids_programs(dir)) {
        refusals.push(refused(&dir, "programs may not be started from there (it is mounted noexec)"));
    }
    refusals
}

/// The directory of a path, or the nearest existing one above it.
fn existing(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|dir| fs::exists(dir)).map(Path::to_owned)
}

/// Whether the hub could start these with the PATH of its unit.
fn modules_start(seed: &Seed<'_>, facts: &Facts, modules: &[String]) -> Vec<CutoverRefusal> {
    let path = search_path(&facts.search, &facts.needs).path;
    let env = BTreeMap::from([
        (OsString::from("PATH"), path),
        (OsString::from("HOME"), facts.person.home.clone().into_os_string()),
    ]);
    let (person, me) = (facts.person.uid, user::effective_uid());
    if let Some(refused) = hub_env::refused(seed.home, person, me) {
        return vec![CutoverRefusal::HubEnv(refused)];
    }
    let reads_hub_env = Some(me).filter(|me| *me == person);
    let base = SpawnBase { hub_env: env, reads_hub_env, hub_port: facts.settings.port };
    let Ok(services) = services::read(seed.home) else { return Vec::new() };
    let set = LastGood::of(seed.home);
    let mut refusals = Vec::new();
    for (short, row) in services.rows.iter().filter(|(short, _)| modules.iter().any(|m| m == short.as_str()))
    {
        let refused = |because: String, next: Option<String>| CutoverRefusal::WouldNotStart {
            module: short.to_string(),
            because,
            next,
        };
        match definition::of_row(seed.home, short, row, &set, &base, seed.now) {
            Err(problem) => refusals.push(refused(problem.error_description, problem.next)),
            Ok(composed) => {
                let launch = composed.launch;
                let program = launch.argv.first().cloned().unwrap_or_default();
                let path = launch.env.get(OsStr::new("PATH")).map(OsString::as_os_str);
                let cwd = launch.cwd.as_deref().unwrap_or(Path::new("/"));
                if find_program(&program, path, cwd).is_none() {
                    let program = program.to_string_lossy().into_owned();
                    let because = format!("{program:?} is not on the unit's PATH");
                    refusals.push(refused(because, Some(format!("command -v {program}"))));
                }
            }
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::detached::LaunchRecord;
    use crate::process::os_bytes::OsBytes;
    use crate::process::table;

    #[test]
    fn a_daemon_that_overwrote_its_arguments_cannot_be_restored() {
        let legacy = Legacy {
            home: "/h".into(),
            uid: table::own_uid(),
            roles: Vec::new(),
            broken: None,
            pidfiles: Vec::new(),
            port_file: None,
            seen: Vec::new(),
            ports: Vec::new(),
            kept: None,
            units: Vec::new(),
        };
        let gid = nix::unistd::getgid().as_raw();
        for (argv, lost) in [(["sh", "-c", "read x < pipe", ""], false), (["vault", "", "", ""], true)] {
            let dir = tempfile::tempdir().unwrap();
            nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
            // Without a script it reads its input; `yes` prints its arguments for ever.
            let exe = if lost { "/usr/bin/yes" } else { "/bin/sh" };
            let Ok(exe) = Path::new(exe).canonicalize() else { return };
            let record = LaunchRecord {
                exe: exe.into(),
                argv: argv.map(|word| OsBytes(word.into())).to_vec(),
                env: vec![OsBytes("PATH=/usr/bin:/bin".into())],
                cwd: dir.path().canonicalize().unwrap().into(),
                output: [None, None],
                umask: None,
                uid: table::own_uid(),
                gid,
                groups: vec![gid],
            };
            let leader = record.start().unwrap();
            let daemon = Daemon {
                name: "vault".to_owned(),
                leader: leader.clone(),
                below: Vec::new(),
                number: None,
                uid: table::own_uid(),
                command: argv.join(" "),
                ports: Vec::new(),
                why: String::new(),
                pidfile: None,
                port_file: None,
                grace_ms: 1,
            };
            let refusal = way_back(&legacy, &daemon);
            crate::process::group::signal(&leader, crate::process::signal::Signal::Kill).unwrap();
            assert_eq!(refusal.is_some(), lost, "{argv:?}: {refusal:?}");
        }
    }
}
