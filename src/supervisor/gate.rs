//! What must hold before any spawn, first start and respawn alike: nothing of an earlier life is left, disk says how
//! to start the module, its program can run, and its port is free.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::home::definition::{self, SpawnBase};
use crate::home::paths::Home;
use crate::home::settings::LastGood;
use crate::module::compose::Composed;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::{Holder, Kind, Problem};
use crate::module::row::Row;
use crate::module::stamp::Stamp;
use crate::process::attribution::{self, Claimant, Evidence, Proof, Suspect, Verdict};
use crate::process::group::Life;
use crate::process::holder::look::{Asking, Looker};
use crate::process::id::ProcessId;
use crate::process::unsure::Unsure;
use crate::process::{ports, table};

use super::reclaim::EndError;
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
    /// Its row as services.json has it now. `None`: there is no usable one.
    pub row: Option<Row>,
    /// The settings that count.
    pub settings: LastGood,
    /// What every spawn inherits.
    pub base: SpawnBase,
    /// Lives of this module whose end nobody recorded: the last hub's children.
    pub earlier: Vec<Life>,
    /// SIGTERM to SIGKILL for what is left of them, if the definition does not say.
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
    pub ended: BTreeSet<ProcessId>,
    /// What a person may want to know about the definition.
    pub notes: Vec<String>,
}

/// Asks everything, and ends what is provably an earlier instance of this module, whatever the definition says.
///
/// # Errors
/// The first reason that forbids a spawn. Nothing that is not ours was touched.
pub async fn ask(question: Question) -> Result<Cleared, Problem> {
    let defined = define(&question);
    let grace = defined.as_ref().map_or(question.grace, |defined| defined.launch.policy.kill_timeout);
    let mut ended = BTreeSet::new();
    if !question.earlier.is_empty() {
        let find = || reclaim::of_earlier(&question.earlier);
        ended = reclaim::end(find, grace).await.map_err(|error| not_ended(&question, error))?;
    }
    let Composed { launch, notes } = defined?;
    let program = preflight::find_program(&launch, question.at)?;
    if launch.listens {
        ended.extend(free_port(&question, &launch, &program).await?);
    }
    Ok(Cleared { launch, program, ended, notes })
}

fn define(question: &Question) -> Result<Composed, Problem> {
    let row = question.row.as_ref().ok_or_else(|| no_row(question))?;
    let Question { home, short, settings, base, at, .. } = question;
    let composed = definition::of_row(home, short, row, settings, base, *at);
    composed.map_err(|mut problem| {
        problem.next.get_or_insert_with(|| format!("parachute why {}", question.short));
        *problem
    })
}

async fn free_port(
    question: &Question,
    launch: &Launch,
    program: &Path,
) -> Result<BTreeSet<ProcessId>, Problem> {
    let mut ended = BTreeSet::new();
    for _ in 0..TRIES {
        let unsure = |unsure| unsure_of_port(question, launch.port, unsure);
        let Some((holder, ids)) = ports::holding(launch.port).map_err(unsure)? else { return Ok(ended) };
        let id = ids.first().cloned();
        let evidence = evidence(question, launch, program, &holder, id.as_ref()).map_err(unsure)?;
        let verdict = attribution::judge(&evidence);
        let Some(id) = id.filter(|_| may_end(&verdict, &evidence)) else {
            return Err(squatter(question, holder, &ids, &verdict.to_string()));
        };
        let find = || Ok(table::alive(&id)?.then(|| id.clone()).into_iter().collect());
        ended.extend(
            reclaim::end(find, launch.policy.kill_timeout)
                .await
                .map_err(|error| not_ended(question, error))?,
        );
    }
    match ports::holding(launch.port).map_err(|unsure| unsure_of_port(question, launch.port, unsure))? {
        None => Ok(ended),
        Some((holder, ids)) => {
            let why = "an earlier instance keeps coming back: another manager restarts it";
            Err(squatter(question, holder, &ids, why))
        }
    }
}

/// A mark or the ledger proves whose process it is. Looks alone (same program, same arguments) do not: a person may
/// have started the very same command by hand. They count only where an earlier hub's home in the environment agrees.
fn may_end(verdict: &Verdict, evidence: &Evidence) -> bool {
    match verdict {
        Verdict::Ours(Proof::Marks | Proof::Ledger) => true,
        Verdict::Ours(Proof::Program | Proof::Script) => {
            evidence.suspect.home.as_ref() == Some(&evidence.module.home)
        }
        Verdict::NotOurs(_) | Verdict::CannotTell(_) => false,
    }
}

fn evidence(
    question: &Question,
    launch: &Launch,
    program: &Path,
    holder: &Holder,
    id: Option<&ProcessId>,
) -> Result<Evidence, Unsure> {
    let pid = id.map(|id| id.pid);
    let info = pid.map(table::info).transpose()?.flatten();
    Ok(Evidence {
        suspect: Suspect {
            id: id.cloned(),
            uid: info.map(|info| info.uid).or(holder.uid),
            marks: pid.map(table::marks).transpose()?.flatten(),
            home: pid.map(table::home).transpose()?.flatten(),
            in_ledger: id.is_some_and(|id| question.earlier.iter().any(|life| life.leader == *id)),
            command: pid.and_then(table::command_line),
            exe: pid.and_then(table::exe),
            cwd: pid.and_then(table::cwd),
        },
        module: Claimant {
            short: question.short.clone(),
            home: question.home.root().to_owned(),
            uid: table::own_uid(),
            hub: table::identify(table::own_pid())?,
            argv: launch.argv.clone(),
            program: Some(program.to_owned()),
            cwd: launch.cwd.clone(),
        },
    })
}

fn no_row(question: &Question) -> Problem {
    let file = question.home.services();
    let text = format!("{} has no usable row for {}", file.display(), question.short);
    Problem::new(Kind::BadDefinition, text, question.at).next("parachute status")
}

fn squatter(question: &Question, holder: Holder, ids: &[ProcessId], why: &str) -> Problem {
    let short = &question.short;
    let occupant = Looker::new(&Asking::about(question.home.root())).of(holder, ids);
    let text = format!(
        "port {} of {short} is held by {}; it was left alone: {why}",
        occupant.holder.port,
        occupant.words()
    );
    let next = occupant.hint_for(short.as_str());
    let mut problem = Problem::new(Kind::PortSquatter, text, question.at).next(next);
    problem.holder = Some(Box::new(occupant.holder));
    problem
}

fn unsure_of_port(question: &Question, port: u16, unsure: Unsure) -> Problem {
    no_room(question, &format!("it is not known who holds port {port} of {}", question.short), unsure)
}

fn no_room(question: &Question, what: &str, unsure: Unsure) -> Problem {
    let cause = std::io::Error::from_raw_os_error(unsure.errno);
    let text = format!("{what}, so it is not started: the system does not tell ({cause})");
    Problem::new(Kind::SpawnFailed, text, question.at).next(format!("parachute why {}", question.short))
}

fn not_ended(question: &Question, error: EndError) -> Problem {
    match error {
        EndError::Survive(left) => survivors(question, &left),
        EndError::Unsure(unsure) => {
            let what = format!("it is not known whether an earlier instance of {} lives", question.short);
            no_room(question, &what, unsure)
        }
    }
}

fn survivors(question: &Question, left: &BTreeSet<ProcessId>) -> Problem {
    let names: Vec<String> = left
        .iter()
        .map(|id| match table::command_line(id.pid) {
            Some(argv) => {
                format!("{id} ({})", argv.first().map_or_else(String::new, |a| a.to_string_lossy().into()))
            }
            None => id.to_string(),
        })
        .collect();
    let text = format!("an earlier instance of {} survives SIGKILL: {}", question.short, names.join(", "));
    Problem::new(Kind::StopFailed, text, question.at).next("parachute status")
}
