//! What must hold before any spawn, first start and respawn alike: nothing of an earlier life is left, disk says how
//! to start the module, its program can run, and its port is free.

use std::path::PathBuf;
use std::time::Duration;

use crate::home::definition::{self, SpawnBase};
use crate::home::paths::Home;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::{Holder, Kind, Problem};
use crate::module::stamp::Stamp;
use crate::process::attribution::{self, Evidence, Verdict};
use crate::process::id::ProcessId;
use crate::process::{group, ports, table};

use super::{preflight, reclaim};

/// An earlier instance that comes back on the port is ended this many times; then somebody else keeps it alive.
const TRIES: usize = 3;

/// What the gate reads.
#[derive(Debug, Clone)]
pub struct Question {
    /// The home.
    pub home: Home,
    /// The module.
    pub short: Short,
    /// What every spawn inherits.
    pub base: SpawnBase,
    /// Lives of this module whose end nobody recorded: the last hub's children.
    pub earlier: Vec<ProcessId>,
    /// SIGTERM to SIGKILL for what is left of them.
    pub grace: Duration,
    /// Wall clock, for problems.
    pub at: Stamp,
}

/// The gate is open.
#[derive(Debug, Clone)]
pub struct Cleared {
    /// What to spawn.
    pub launch: Launch,
    /// Its program, found with the child's own PATH.
    pub program: PathBuf,
    /// Earlier processes that were ended on the way.
    pub ended: Vec<ProcessId>,
}

/// Asks everything, in this order, and ends what is provably an earlier instance of this module.
///
/// # Errors
/// The first reason that forbids a spawn. Nothing that is not ours was touched.
pub async fn ask(question: Question) -> Result<Cleared, Problem> {
    let mut ended = Vec::new();
    if !question.earlier.is_empty() {
        ended.extend(end_leftovers(&question).await?);
    }
    let launch = definition::load(&question.home, &question.short, &question.base, question.at)?;
    let program = preflight::find_program(&launch, question.at)?;
    if launch.listens {
        ended.extend(free_port(&question, &launch, &program).await?);
    }
    Ok(Cleared { launch, program, ended })
}

async fn end_leftovers(question: &Question) -> Result<Vec<ProcessId>, Problem> {
    let leaders = question.earlier.clone();
    let more = || leaders.iter().flat_map(group::of_earlier_leader).collect();
    match reclaim::end(leaders.clone(), more, question.grace).await {
        Ok(ended) => Ok(ended.into_iter().collect()),
        Err(left) => Err(survivors(question, &left)),
    }
}

async fn free_port(question: &Question, launch: &Launch, program: &std::path::Path) -> Result<Vec<ProcessId>, Problem> {
    let mut ended = Vec::new();
    for _ in 0..TRIES {
        let Some((holder, id)) = ports::holder(launch.port) else { return Ok(ended) };
        let Some(id) = id else { return Err(squatter(question, holder, None)) };
        let evidence = Evidence::gather(&id, launch, program, question.home.root(), &question.earlier);
        match attribution::judge(&evidence) {
            Verdict::Ours(_) => {
                let leader = id.clone();
                let more = || group::of_earlier_leader(&leader);
                match reclaim::end(vec![id], more, question.grace).await {
                    Ok(gone) => ended.extend(gone),
                    Err(left) => return Err(survivors(question, &left)),
                }
            }
            Verdict::NotOurs(why) | Verdict::CannotTell(why) => return Err(squatter(question, holder, Some(why))),
        }
    }
    match ports::holder(launch.port) {
        None => Ok(ended),
        Some((holder, _)) => {
            let why = "an earlier instance of this module keeps coming back: another manager restarts it";
            Err(squatter(question, holder, Some(why.to_owned())))
        }
    }
}

fn squatter(question: &Question, holder: Holder, why: Option<String>) -> Problem {
    let short = &question.short;
    let because = why.map_or_else(String::new, |why| format!("; it was left alone: {why}"));
    let text = format!("port {} of {short} is held by {}{because}", holder.port, holder.phrase());
    let next = match holder.pid {
        Some(pid) => format!("kill {pid}"),
        None => format!("sudo ss -ltnp 'sport = :{}'", holder.port),
    };
    let mut problem = Problem::new(Kind::PortSquatter, text, question.at).next(next);
    problem.holder = Some(Box::new(holder));
    problem
}

fn survivors(question: &Question, left: &[ProcessId]) -> Problem {
    let names: Vec<String> = left
        .iter()
        .map(|id| match table::command_line(id.pid) {
            Some(argv) => format!("{id} ({})", argv.first().map_or_else(String::new, |a| a.to_string_lossy().into())),
            None => id.to_string(),
        })
        .collect();
    let text = format!("an earlier instance of {} survives SIGKILL: {}", question.short, names.join(", "));
    Problem::new(Kind::StopFailed, text, question.at).next("parachute status")
}
