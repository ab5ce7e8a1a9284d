//! The steps about detached daemons, on the real machine: observed, ended and started again by identity; and the wait
//! for their ports.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a daemon is waited for")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::api::client::Client;
use crate::api::wire::Health;
use crate::error_chain::{self, Hints};
use crate::home::nofollow::{self, Owner};
use crate::plan::daemon::{Daemon, RunningDaemon};
use crate::plan::host::HostError;
use crate::process::detached::{self, DetachedError};
use crate::process::holder::Occupant;
use crate::process::holder::look::{self, Asking};
use crate::process::id::ProcessId;
use crate::process::kin::{Kin, ancestry};
use crate::process::ports;
use crate::process::table::{self, Census};
use crate::process::terminate::{self, EndError};
use crate::process::unknown::Unknown;

/// Pause between two observations.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a restarted daemon may take to listen. On a slow machine detached daemons took ten seconds.
const LISTENING: Duration = Duration::from_secs(30);
/// Time between SIGTERM and SIGKILL for a daemon that may already have been asked to end.
const ENDING: Duration = Duration::from_secs(5);
/// Mode of a pid or port file: clients of the detached model read it too.
const NUMBER: u32 = 0o644;

/// Those of these that run, each with the data needed to start it again. A daemon whose leader has ended still runs if
/// one of its child processes does.
pub(super) fn running(daemons: &[Daemon]) -> Result<Vec<RunningDaemon>, HostError> {
    let mut running = Vec::new();
    for daemon in daemons {
        let Some(id) = first_alive(daemon).map_err(|unsure| unsure_of(&daemon.name, unsure))? else {
            continue;
        };
        let record = match detached::capture(id) {
            Ok(record) => record,
            // It ended while it was observed.
            Err(_) if table::alive(id) == Ok(false) => continue,
            Err(error) => return Err(cannot("record how it runs", &daemon.name, &error)),
        };
        running.push(RunningDaemon {
            name: daemon.name.clone(),
            id: id.clone(),
            ports: daemon.ports.clone(),
            pidfile: daemon.pidfile.clone(),
            port_file: daemon.port_file.clone(),
            record,
        });
    }
    Ok(running)
}

fn first_alive(daemon: &Daemon) -> Result<Option<&ProcessId>, Unknown> {
    for id in std::iter::once(&daemon.leader).chain(&daemon.below) {
        if table::alive(id)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Those of these that were started again, and listen. A process from before the stop does not count: it
/// may be about to end.
pub(super) fn restarted_and_listening(daemons: &[RunningDaemon]) -> Result<Vec<RunningDaemon>, HostError> {
    let mut running = Vec::new();
    for daemon in daemons {
        let unsure = |unsure| unsure_of(&daemon.name, unsure);
        if let Some(id) = daemon.record.find().map_err(unsure)?
            && id != daemon.id
            && listens(daemon, &id).map_err(unsure)?
        {
            running.push(daemon.clone());
        }
    }
    Ok(running)
}

/// Those of these that were started again, listening or not.
pub(super) fn restarted(daemons: &[RunningDaemon]) -> Result<Vec<RunningDaemon>, HostError> {
    let mut running = Vec::new();
    for daemon in daemons {
        if restarted_as(daemon)?.is_some() {
            running.push(daemon.clone());
        }
    }
    Ok(running)
}

/// The process of a daemon that was started again.
fn restarted_as(daemon: &RunningDaemon) -> Result<Option<ProcessId>, HostError> {
    let found = daemon.record.find().map_err(|unsure| unsure_of(&daemon.name, unsure))?;
    Ok(found.filter(|id| *id != daemon.id))
}

/// Ends those of these that were started again, and removes the pidfiles that name them.
pub(super) async fn end_restarted(daemons: &[RunningDaemon]) -> Result<(), HostError> {
    for outcome in join_all(daemons.iter().map(end_one)).await {
        outcome?;
    }
    Ok(())
}

async fn end_one(daemon: &RunningDaemon) -> Result<(), HostError> {
    let Some(id) = restarted_as(daemon)? else { return Ok(()) };
    let mut kin = Kin::of(daemon.record.uid);
    kin.add(id.clone(), None);
    end(&daemon.name, kin, ENDING).await?;
    if let Some(pidfile) = &daemon.pidfile {
        let mut text = Vec::new();
        let read = nofollow::read_pieces(pidfile, &mut |piece| text.extend_from_slice(piece));
        if read.is_ok() && text == numeral(id.pid) {
            nofollow::remove(pidfile)?;
        }
    }
    Ok(())
}

/// Ends all of them at once, each with its own time between SIGTERM and SIGKILL. Returns the time of the first signal.
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
    match terminate::end(find, grace).await {
        Ok(_) => Ok(()),
        Err(EndError::Unknown(unsure)) => Err(unsure_of(name, unsure)),
        Err(error @ EndError::Survive(_)) => Err(HostError::refused(
            format!("{name} cannot be stopped: {error}"),
            Some("parachute migrate --list"),
        )),
    }
}

/// Starts those that do not run, writes their pidfiles, and waits until they listen on their previous ports. One
/// that was asked to end and still runs is ended first: otherwise it would end later, unnoticed.
pub(super) async fn start(daemons: &[RunningDaemon]) -> Result<(), HostError> {
    let outcomes = join_all(daemons.iter().map(start_one)).await;
    let failed: Vec<String> =
        outcomes.into_iter().filter_map(|outcome| Some(outcome.err()?.words())).collect();
    if failed.is_empty() { Ok(()) } else { Err(HostError::refused(failed.join("; "), None)) }
}

async fn start_one(daemon: &RunningDaemon) -> Result<(), HostError> {
    let name = daemon.name.as_str();
    let unsure = |unsure| unsure_of(name, unsure);
    if table::alive(&daemon.id).map_err(unsure)? {
        let mut kin = Kin::of(daemon.record.uid);
        kin.add(daemon.id.clone(), None);
        end(name, kin, ENDING).await?;
    }
    let id = match daemon.record.find().map_err(unsure)? {
        Some(id) => id,
        None => daemon.record.start().map_err(|error| cannot("start it again", name, &error))?,
    };
    if let Some(pidfile) = &daemon.pidfile {
        write_number(pidfile, id.pid, daemon)?;
    }
    if let (Some(file), Some(port)) = (&daemon.port_file, daemon.ports.first()) {
        write_number(file, u32::from(*port), daemon)?;
    }
    let begun = Instant::now();
    loop {
        if listens(daemon, &id).map_err(unsure)? {
            return Ok(());
        }
        let died = !table::alive(&id).map_err(unsure)?;
        if died || begun.elapsed() > LISTENING {
            let what = if died { "it ended at once" } else { "it does not listen" };
            let ports: Vec<String> = daemon.ports.iter().map(ToString::to_string).collect();
            return Err(HostError::refused(
                format!("{name} was started again as {id}, and {what} (port {})", ports.join(", ")),
                None,
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn write_number(path: &Path, number: u32, daemon: &RunningDaemon) -> Result<(), HostError> {
    let owner = Owner { uid: daemon.record.uid, gid: daemon.record.gid };
    Ok(nofollow::put_for(owner, path, NUMBER, &numeral(number))?)
}

/// A number in the format of its file.
fn numeral(number: u32) -> Vec<u8> {
    format!("{number}\n").into_bytes()
}

/// Whether this process, or one that it started, listens on every port of the daemon; on any address, not only on
/// loopback.
fn listens(daemon: &RunningDaemon, id: &ProcessId) -> Result<bool, Unknown> {
    if daemon.ports.is_empty() {
        return table::alive(id);
    }
    let census = Census::take()?;
    let family: Vec<u32> = census.with_descendants(BTreeSet::from([id.pid])).into_iter().collect();
    for port in &daemon.ports {
        if !ports::held_by(*port, &family)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits until no process listens on any of these ports. If the hub runs already (the plan was interrupted after this
/// step, or the machine rebooted), it uses the ports and checks for itself which other process does.
pub(super) async fn await_ports_free(
    wanted: &[u16],
    within: Duration,
    hub: &Client,
) -> Result<(), HostError> {
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
            let hint = occupant.and_then(|occupant| occupant.hint());
            return Err(HostError::refused(
                format!("port {port} is held by {who}, which was not there before or came back"),
                hint.as_deref(),
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn cannot(what: &str, name: &str, error: &DetachedError) -> HostError {
    HostError::refused(format!("cannot {what}: {name}: {}", error_chain::of(error)), None)
}

fn unsure_of(name: &str, unsure: Unknown) -> HostError {
    HostError::refused(format!("it cannot be told whether {name} runs: {unsure}"), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::detached::LaunchRecord;
    use crate::process::id::{BootId, Started};
    use crate::process::os_bytes::OsBytes;

    #[tokio::test]
    async fn a_restarted_daemon_that_does_not_listen_is_ended_too() {
        let dir = tempfile::tempdir().unwrap();
        let cwd = dir.path().canonicalize().unwrap();
        let raw = |text: &str| OsBytes(text.into());
        let gid = nix::unistd::getgid().as_raw();
        let record = LaunchRecord {
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
        let daemon = RunningDaemon {
            name: "slow".to_owned(),
            id: ProcessId { pid: 9, started: Started(1), boot: BootId("before".to_owned()) },
            // No process can listen on port 0: for bind(2) it means any port.
            ports: vec![0],
            pidfile: Some(cwd.join("slow.pid")),
            port_file: None,
            record,
        };
        assert_eq!(restarted(std::slice::from_ref(&daemon)).unwrap(), []);
        let id = daemon.record.start().unwrap();
        write_number(&cwd.join("slow.pid"), id.pid, &daemon).unwrap();
        let all = [daemon];
        // It is not found before execve(2).
        let seen = async {
            while restarted(&all).unwrap() != all {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(LISTENING, seen).await.unwrap();
        assert_eq!(restarted_and_listening(&all).unwrap(), [], "it does not listen");
        end_restarted(&all).await.unwrap();
        assert_eq!((restarted(&all).unwrap().len(), table::alive(&id)), (0, Ok(false)));
        assert_eq!(crate::home::fs::list(&cwd).unwrap(), [] as [&str; 0]);
        end_restarted(&all).await.unwrap();
    }
}
