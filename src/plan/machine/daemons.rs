//! Daemons without a manager: looked at, ended and started again by identity.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a daemon is waited for")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::api::client::Client;
use crate::api::wire::Health;
use crate::home::exact::{self, Owner};
use crate::home::sentence;
use crate::plan::daemon::{Daemon, Up};
use crate::plan::host::HostError;
use crate::process::detached::{self, DetachedError};
use crate::process::ending::{self, EndError};
use crate::process::holder::Occupant;
use crate::process::holder::look::{self, Asking};
use crate::process::id::ProcessId;
use crate::process::kin::{Kin, ancestry};
use crate::process::ports;
use crate::process::table::{self, Census};
use crate::process::unsure::Unsure;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a daemon that is started again may take to listen. Old ones on a slow machine took ten seconds.
const LISTENING: Duration = Duration::from_secs(30);
/// Mode of what names a pid or a port: the older program's clients read it too.
const NUMBER: u32 = 0o644;

/// Those of these that live, each with what it takes to start it again. One whose leader has ended lives on in what it
/// has started.
pub(super) fn living(daemons: &[Daemon]) -> Result<Vec<Up>, HostError> {
    let mut up = Vec::new();
    for daemon in daemons {
        let Some(id) = first_alive(daemon).map_err(|unsure| unsure_of(&daemon.name, unsure))? else {
            continue;
        };
        let record = match detached::capture(id) {
            Ok(record) => record,
            // It ended while it was looked at.
            Err(_) if table::alive(id) == Ok(false) => continue,
            Err(error) => return Err(cannot("write down how it runs", &daemon.name, &error)),
        };
        up.push(Up {
            name: daemon.name.clone(),
            id: id.clone(),
            ports: daemon.ports.clone(),
            pidfile: daemon.pidfile.clone(),
            port_file: daemon.port_file.clone(),
            record,
        });
    }
    Ok(up)
}

fn first_alive(daemon: &Daemon) -> Result<Option<&ProcessId>, Unsure> {
    for id in std::iter::once(&daemon.leader).chain(&daemon.below) {
        if table::alive(id)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Those of these that run again, and listen. One that still is the very process from before does not count: it may be
/// about to end.
pub(super) fn again(daemons: &[Up]) -> Result<Vec<Up>, HostError> {
    let mut up = Vec::new();
    for daemon in daemons {
        let unsure = |unsure| unsure_of(&daemon.name, unsure);
        if let Some(id) = daemon.record.find().map_err(unsure)?
            && id != daemon.id
            && listens(daemon, &id).map_err(unsure)?
        {
            up.push(daemon.clone());
        }
    }
    Ok(up)
}

/// Those of these that run again, whether they listen or not.
pub(super) fn started(daemons: &[Up]) -> Result<Vec<Up>, HostError> {
    let mut up = Vec::new();
    for daemon in daemons {
        if started_as(daemon)?.is_some() {
            up.push(daemon.clone());
        }
    }
    Ok(up)
}

fn started_as(up: &Up) -> Result<Option<ProcessId>, HostError> {
    let found = up.record.find().map_err(|unsure| unsure_of(&up.name, unsure))?;
    Ok(found.filter(|id| *id != up.id))
}

/// Ends those of these that run again, and takes away the pidfiles that name them.
pub(super) async fn end_started(daemons: &[Up]) -> Result<(), HostError> {
    for outcome in join_all(daemons.iter().map(end_one)).await {
        outcome?;
    }
    Ok(())
}

async fn end_one(up: &Up) -> Result<(), HostError> {
    let Some(id) = started_as(up)? else { return Ok(()) };
    let mut kin = Kin::of(up.record.uid);
    kin.add(id.clone(), None);
    end(&up.name, kin, ENDING).await?;
    if let Some(pidfile) = &up.pidfile {
        let mut text = Vec::new();
        let read = exact::read_pieces(pidfile, &mut |piece| text.extend_from_slice(piece));
        if read.is_ok() && text == numeral(id.pid) {
            exact::remove(pidfile)?;
        }
    }
    Ok(())
}

/// Ends all of them at once, each after its own patience.
pub(super) async fn stop(daemons: &[Daemon]) -> Result<Instant, HostError> {
    let begun = Instant::now();
    let all = daemons.iter().map(|daemon| {
        let mut kin = Kin::of(daemon.uid);
        kin.add(daemon.leader.clone(), daemon.number);
        daemon.below.iter().for_each(|id| kin.add(id.clone(), None));
        end(&daemon.name, kin, Duration::from_millis(daemon.grace_ms))
    });
    for outcome in join_all(all).await {
        outcome?;
    }
    Ok(begun)
}

async fn end(name: &str, kin: Kin, grace: Duration) -> Result<(), HostError> {
    let spared = ancestry(&Census::take().map_err(|unsure| unsure_of(name, unsure))?, table::own_pid());
    let kin = RefCell::new(kin.sparing(spared));
    let find = || Ok(kin.borrow_mut().look(&Census::take()?));
    match ending::end(find, grace).await {
        Ok(_) => Ok(()),
        Err(EndError::Unsure(unsure)) => Err(unsure_of(name, unsure)),
        Err(error @ EndError::Survive(_)) => Err(HostError::refused(
            format!("{name} cannot be stopped: {error}"),
            Some("parachute migrate --list"),
        )),
    }
}

/// Starts those that do not run, writes their pidfiles, and waits until they listen on the ports they had. One that
/// was asked to end and still lives is ended first: it would go away later, and nobody would notice.
pub(super) async fn start(daemons: &[Up]) -> Result<(), HostError> {
    let outcomes = join_all(daemons.iter().map(start_one)).await;
    let failed: Vec<String> =
        outcomes.into_iter().filter_map(|outcome| Some(outcome.err()?.words())).collect();
    if failed.is_empty() { Ok(()) } else { Err(HostError::refused(failed.join("; "), None)) }
}

async fn start_one(up: &Up) -> Result<(), HostError> {
    let name = up.name.as_str();
    let unsure = |unsure| unsure_of(name, unsure);
    if table::alive(&up.id).map_err(unsure)? {
        let mut kin = Kin::of(up.record.uid);
        kin.add(up.id.clone(), None);
        end(name, kin, ENDING).await?;
    }
    let id = match up.record.find().map_err(unsure)? {
        Some(id) => id,
        None => up.record.start().map_err(|error| cannot("start it again", name, &error))?,
    };
    if let Some(pidfile) = &up.pidfile {
        write_number(pidfile, id.pid, up)?;
    }
    if let (Some(file), Some(port)) = (&up.port_file, up.ports.first()) {
        write_number(file, u32::from(*port), up)?;
    }
    let begun = Instant::now();
    loop {
        if listens(up, &id).map_err(unsure)? {
            return Ok(());
        }
        let died = !table::alive(&id).map_err(unsure)?;
        if died || begun.elapsed() > LISTENING {
            let what = if died { "it ended at once" } else { "it does not listen" };
            let ports: Vec<String> = up.ports.iter().map(ToString::to_string).collect();
            return Err(HostError::refused(
                format!("{name} was started again as {id}, and {what} (port {})", ports.join(", ")),
                None,
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Patience with one that may already have been asked to end.
const ENDING: Duration = Duration::from_secs(5);

fn write_number(path: &Path, number: u32, up: &Up) -> Result<(), HostError> {
    let owner = Owner { uid: up.record.uid, gid: up.record.gid };
    Ok(exact::put_for(owner, path, NUMBER, &numeral(number))?)
}

/// A number as its file holds it.
fn numeral(number: u32) -> Vec<u8> {
    format!("{number}\n").into_bytes()
}

/// Whether every port it had is open again in it, or in one that it started; at its own address, which need not be the
/// loopback.
fn listens(up: &Up, id: &ProcessId) -> Result<bool, Unsure> {
    if up.ports.is_empty() {
        return table::alive(id);
    }
    let census = Census::take()?;
    let family: Vec<u32> = census.with_descendants(BTreeSet::from([id.pid])).into_iter().collect();
    for port in &up.ports {
        if !ports::held_by(*port, &family)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits until nobody listens on any of these. A hub that is up already (a plan is finished that was cut short later,
/// or a boot came between) has taken them, and judges for itself who else does.
pub(super) async fn free(wanted: &[u16], within: Duration, hub: &Client) -> Result<(), HostError> {
    let begun = Instant::now();
    loop {
        let occupied = ports::occupied().map_err(|unsure| HostError::refused(unsure.to_string(), None))?;
        let Some(port) = wanted.iter().find(|port| occupied.contains(port)) else { return Ok(()) };
        if hub.get::<Health>("/health").await.is_ok() {
            return Ok(());
        }
        if begun.elapsed() > within {
            let occupant = look::occupant(*port, &Asking::default()).ok().flatten();
            let who =
                occupant.as_ref().map_or_else(|| "a process that has ended".to_owned(), Occupant::words);
            let next = occupant.and_then(|occupant| occupant.hint());
            return Err(HostError::refused(
                format!("port {port} is held by {who}, which was not there before or came back"),
                next.as_deref(),
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn cannot(what: &str, name: &str, error: &DetachedError) -> HostError {
    HostError::refused(format!("cannot {what}: {name}: {}", sentence::of(error)), None)
}

fn unsure_of(name: &str, unsure: Unsure) -> HostError {
    HostError::refused(format!("it cannot be told whether {name} runs: {unsure}"), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::detached::Record;
    use crate::process::id::{BootId, Started};
    use crate::process::raw::Raw;

    #[tokio::test]
    async fn one_that_was_started_and_does_not_listen_is_ended_too() {
        let dir = tempfile::tempdir().unwrap();
        let cwd = dir.path().canonicalize().unwrap();
        let raw = |text: &str| Raw(text.into());
        let gid = nix::unistd::getgid().as_raw();
        let record = Record {
            exe: Path::new("/bin/sh").canonicalize().unwrap().into(),
            argv: ["sh", "-c", "sleep 100; :"].map(raw).to_vec(),
            env: vec![raw("PATH=/usr/bin:/bin")],
            cwd: cwd.clone().into(),
            output: [None, None],
            umask: None,
            uid: table::own_uid(),
            gid,
            groups: vec![gid],
        };
        let up = Up {
            name: "slow".to_owned(),
            id: ProcessId { pid: 9, started: Started(1), boot: BootId("before".to_owned()) },
            // Nobody listens there: it is reserved (port 0 is what bind(2) takes for any).
            ports: vec![0],
            pidfile: Some(cwd.join("slow.pid")),
            port_file: None,
            record,
        };
        assert_eq!(started(std::slice::from_ref(&up)).unwrap(), []);
        let id = up.record.start().unwrap();
        write_number(&cwd.join("slow.pid"), id.pid, &up).unwrap();
        let all = [up];
        // Not before it has become the program that it is to run.
        let seen = async {
            while started(&all).unwrap() != all {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(LISTENING, seen).await.unwrap();
        assert_eq!(again(&all).unwrap(), [], "it does not listen");
        end_started(&all).await.unwrap();
        assert_eq!((started(&all).unwrap().len(), table::alive(&id)), (0, Ok(false)));
        assert_eq!(crate::home::fs::list(&cwd).unwrap(), [] as [&str; 0]);
        end_started(&all).await.unwrap();
    }
}
