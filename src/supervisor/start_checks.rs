//! The checks before every start, the first one and each restart: no process of an earlier run is left, the
//! definition on disk is usable, the program can run, and the port is free.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::home::definition::{Definition, SpawnBase};
use crate::home::paths::Home;
use crate::home::settings::LastGood;
use crate::logs::line::Stream;
use crate::logs::module_log::ModuleLog;
use crate::module::compose::Composed;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::row::Row;
use crate::module::timestamp::Timestamp;
use crate::process::fifo;
use crate::process::group::ModuleRun;
use crate::process::id::ProcessId;
use crate::process::leader::Adopted;
use crate::process::path_helper::client::PathHelper;
use crate::process::table;
use crate::process::terminate::{self, EndError};
use crate::process::unknown::Unknown;

use super::adoption::{self, Decision, Left};
use super::ledger::OpenRun;
use super::looked::{self, Looked};
use super::path_problem;
use super::remnants::{self, Earlier};
use super::resolve_program::resolve_program;

mod port;

#[derive(Debug)]
pub(super) struct CheckInput {
    pub(super) home: Home,
    pub(super) short: Short,
    /// Its row in services.json now. `None`: there is no usable one.
    pub(super) row: Option<Row>,
    pub(super) settings: LastGood,
    /// The base of every spawn's environment.
    pub(super) base: SpawnBase,
    /// What an earlier hub may have left of this module.
    pub(super) earlier: Earlier,
    /// The runs of them that are recorded in the ledger.
    pub(super) recorded: Vec<OpenRun>,
    /// Read ends of its outputs that were kept since an earlier hub.
    pub(super) kept: [Option<OwnedFd>; 2],
    /// Gets the last words of a run that is not kept.
    pub(super) log: ModuleLog,
    /// From SIGTERM to SIGKILL for what is left of them, if there is no usable definition.
    pub(super) grace: Duration,
    /// Looks at all paths of the module.
    pub(super) paths: PathHelper,
    /// Wall clock, for problems.
    pub(super) at: Timestamp,
}

/// A run of an earlier hub that is to be kept.
#[derive(Debug)]
pub(super) struct Adoption {
    pub(super) leader: Adopted,
    pub(super) run: OpenRun,
    /// Its standard output and error.
    pub(super) readers: [OwnedFd; 2],
}

/// A start that passed the checks.
#[derive(Debug)]
pub(super) struct Startable {
    /// What to spawn.
    pub(super) launch: Launch,
    /// Its program, found with the child's own PATH.
    pub(super) program: PathBuf,
    /// Then nothing is spawned.
    pub(super) adoption: Option<Adoption>,
    /// Processes of earlier runs that were ended by the checks.
    pub(super) ended: BTreeSet<ProcessId>,
    /// Notes about the definition for users.
    pub(super) notes: Vec<String>,
}

/// Runs all checks. A run of an earlier hub is kept if its definition is still the same; else processes that are proven to
/// be an earlier instance of this module are ended, also if the definition is not usable.
///
/// # Errors
/// The first reason against a start. No foreign process was touched.
pub(super) async fn run(mut input: CheckInput) -> Result<Startable, Problem> {
    let defined = define(&input).await;
    let grace = defined.as_ref().map_or(input.grace, |defined| defined.launch.policy.kill_timeout);
    let kept = std::mem::take(&mut input.kept);
    let readers = readers(&input, kept);
    let mut notes = Vec::new();
    let kept_run = match &defined {
        Ok(composed) => adopt(&input, &composed.launch, readers.as_ref()),
        Err(_) => Err(None),
    };
    match (kept_run, readers) {
        (Ok((leader, run)), Some([Some(out), Some(err)])) => {
            let Composed { launch, notes } = defined?;
            let adoption = Some(Adoption { leader, run, readers: [out, err] });
            return Ok(Startable {
                launch,
                program: PathBuf::new(),
                adoption,
                ended: BTreeSet::new(),
                notes,
            });
        }
        (kept_run, readers) => {
            // What it wrote last and writes while it is ended. The log reads until the last writer has closed it.
            for (stream, reader) in [Stream::Out, Stream::Err].into_iter().zip(readers.into_iter().flatten())
            {
                drop(reader.map(|reader| input.log.attach(stream, reader)));
            }
            let because = kept_run.err().flatten();
            notes.extend(because.map(|because| format!("it is started again: {because}")));
        }
    }
    let mut ended = BTreeSet::new();
    if !input.earlier.is_empty() {
        let find = || remnants::of_earlier_hub(&input.earlier);
        ended = terminate::end(find, grace).await.map_err(|error| not_ended(&input, error))?;
    }
    let Composed { launch, notes: of_definition } = defined?;
    notes.extend(of_definition);
    let program = resolve_program(&input.paths, &launch, input.at).await?;
    if launch.listens {
        ended.extend(port::free(&input, &launch, &program).await?);
    }
    Ok(Startable { launch, program, adoption: None, ended, notes })
}

/// The read ends of what an earlier run writes to: those that were kept, or else by their names.
fn readers(input: &CheckInput, kept: [Option<OwnedFd>; 2]) -> Option<[Option<OwnedFd>; 2]> {
    let inodes = input.recorded.last().and_then(|run| run.facts.outputs);
    match inodes {
        Some(inodes) if !fifo::are(&kept, inodes) => {
            // What cannot be opened is only not read: that is said where a run is not kept for it.
            fifo::reopen(&input.home.outputs(), &input.short, inodes).ok().map(|both| both.map(Some))
        }
        _ => kept.iter().any(Option::is_some).then_some(kept),
    }
}

/// What is kept of an earlier hub; else why nothing is, if there is anything.
fn adopt(
    input: &CheckInput,
    launch: &Launch,
    readers: Option<&[Option<OwnedFd>; 2]>,
) -> Result<(Adopted, OpenRun), Option<String>> {
    let (recorded, earlier) = (&input.recorded, &input.earlier);
    let leader = match recorded.as_slice() {
        [run] => Adopted::take(&run.leader, run.facts.pidfd)
            .map_err(|unknown| Some(format!("its process cannot be looked at (errno {})", unknown.errno)))?,
        _ => None,
    };
    let in_cgroup = match (&earlier.cgroup, recorded.as_slice()) {
        (Some(cgroup), [run]) => Some(cgroup.pids().is_ok_and(|pids| pids.contains(&run.leader.pid))),
        (cgroup, _) => cgroup.as_ref().map(|_| false),
    };
    let is_recorded = |run: &ModuleRun| recorded.iter().any(|open| open.incarnation == run.incarnation);
    let left = Left {
        recorded,
        unrecorded: !earlier.runs.iter().all(is_recorded),
        leader_runs: leader.is_some(),
        in_cgroup,
        readable: readers.is_some_and(|readers| readers.iter().all(Option::is_some)),
        definition: &launch.definition,
    };
    match (adoption::decide(&left), leader) {
        (Decision::Adopt(run), Some(leader)) => Ok((leader, run.clone())),
        (Decision::Adopt(_), None) => Err(None),
        (Decision::Anew(because), _) => Err(because.phrase().map(str::to_owned)),
    }
}

async fn define(input: &CheckInput) -> Result<Composed, Problem> {
    let row = input.row.as_ref().ok_or_else(|| no_row(input))?;
    let CheckInput { home, short, settings, base, at, .. } = input;
    let with_hint = |mut problem: Box<Problem>| {
        problem.next.get_or_insert_with(|| format!("parachute why {short}"));
        *problem
    };
    let definition = Definition { home, short, row, settings, base };
    let environment = definition.environment(*at).map_err(with_hint)?;
    let places = definition.places(&environment);
    let answers = input.paths.ask(looked::questions(&places)).await;
    let answers = answers.map_err(|no_answer| path_problem::of(&no_answer, short, *at))?;
    definition.compose(&environment, &Looked::new(&places, answers), *at).map_err(with_hint)
}

fn no_row(input: &CheckInput) -> Problem {
    let file = input.home.services();
    let text = format!("{} has no usable row for {}", file.display(), input.short);
    Problem::new(ProblemKind::BadDefinition, text, input.at).next("parachute status")
}

/// The system gave no answer: nothing is started on a guess.
fn unknown(input: &CheckInput, what: &str, unsure: Unknown) -> Problem {
    let cause = std::io::Error::from_raw_os_error(unsure.errno);
    let text = format!("{what}, so it is not started ({cause})");
    Problem::new(ProblemKind::SpawnFailed, text, input.at).next(format!("parachute why {}", input.short))
}

fn not_ended(input: &CheckInput, error: EndError) -> Problem {
    match error {
        EndError::Survive(left) => survivors(input, &left),
        EndError::Unknown(unsure) => {
            let what = format!("it is not known whether an earlier instance of {} still runs", input.short);
            unknown(input, &what, unsure)
        }
    }
}

fn survivors(input: &CheckInput, left: &BTreeSet<ProcessId>) -> Problem {
    let names: Vec<String> = left
        .iter()
        .map(|id| match table::command_line(id.pid) {
            Some(argv) => {
                format!("{id} ({})", argv.first().map_or_else(String::new, |a| a.to_string_lossy().into()))
            }
            None => id.to_string(),
        })
        .collect();
    let text = format!("an earlier instance of {} survives SIGKILL: {}", input.short, names.join(", "));
    Problem::new(ProblemKind::StopFailed, text, input.at).next("parachute status")
}
