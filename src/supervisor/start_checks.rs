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
use crate::process::attribution::{self, Against, Claimant, Evidence, Proof, Suspect, Verdict};
use crate::process::group::Life;
use crate::process::id::ProcessId;
use crate::process::unsure::Unsure;
use crate::process::{ports, table};

use super::remnants::EndError;
use super::{remnants, resolve_program};

/// An earlier instance that comes back on the port is ended this many times; then somebody else keeps it alive.
const TRIES: usize = 3;

/// What the gate reads.
#[derive(Debug, Clone)]
pub struct CheckInput {
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
pub struct Startable {
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
pub async fn run(input: CheckInput) -> Result<Startable, Problem> {
    let defined = define(&input);
    let grace = defined.as_ref().map_or(input.grace, |defined| defined.launch.policy.kill_timeout);
    let mut ended = BTreeSet::new();
    if !input.earlier.is_empty() {
        let find = || remnants::of_earlier(&input.earlier);
        ended = remnants::end(find, grace).await.map_err(|error| not_ended(&input, error))?;
    }
    let Composed { launch, notes } = defined?;
    let program = resolve_program::resolve_program(&launch, input.at)?;
    if launch.listens {
        ended.extend(free_port(&input, &launch, &program).await?);
    }
    Ok(Startable { launch, program, ended, notes })
}

fn define(input: &CheckInput) -> Result<Composed, Problem> {
    let row = input.row.as_ref().ok_or_else(|| no_row(input))?;
    let CheckInput { home, short, settings, base, at, .. } = input;
    let composed = definition::of_row(home, short, row, settings, base, *at);
    composed.map_err(|mut problem| {
        problem.next.get_or_insert_with(|| format!("parachute why {}", input.short));
        *problem
    })
}

async fn free_port(
    input: &CheckInput,
    launch: &Launch,
    program: &Path,
) -> Result<BTreeSet<ProcessId>, Problem> {
    let mut ended = BTreeSet::new();
    for _ in 0..TRIES {
        let unsure = |unsure| unsure_of_port(input, launch.port, unsure);
        let Some((holder, id)) = ports::holder(launch.port).map_err(unsure)? else { return Ok(ended) };
        let evidence = evidence(input, launch, program, &holder, id.as_ref()).map_err(unsure)?;
        let verdict = attribution::judge(&evidence);
        let Some(id) = id.filter(|_| may_end(&verdict, &evidence)) else {
            return Err(squatter(input, holder, &verdict.to_string(), Some(&verdict)));
        };
        let find = || Ok(table::alive(&id)?.then(|| id.clone()).into_iter().collect());
        ended.extend(
            remnants::end(find, launch.policy.kill_timeout).await.map_err(|error| not_ended(input, error))?,
        );
    }
    match ports::holder(launch.port).map_err(|unsure| unsure_of_port(input, launch.port, unsure))? {
        None => Ok(ended),
        Some((holder, _)) => Err(squatter(
            input,
            holder,
            "an earlier instance keeps coming back: another manager restarts it",
            None,
        )),
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
    input: &CheckInput,
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
            in_ledger: id.is_some_and(|id| input.earlier.iter().any(|life| life.leader == *id)),
            command: pid.and_then(table::command_line),
            exe: pid.and_then(table::exe),
            cwd: pid.and_then(table::cwd),
        },
        module: Claimant {
            short: input.short.clone(),
            home: input.home.root().to_owned(),
            uid: table::own_uid(),
            hub: table::identify(table::own_pid())?,
            argv: launch.argv.clone(),
            program: Some(program.to_owned()),
            cwd: launch.cwd.clone(),
        },
    })
}

fn no_row(input: &CheckInput) -> Problem {
    let file = input.home.services();
    let text = format!("{} has no usable row for {}", file.display(), input.short);
    Problem::new(Kind::BadDefinition, text, input.at).next("parachute status")
}

fn squatter(input: &CheckInput, holder: Holder, why: &str, verdict: Option<&Verdict>) -> Problem {
    let short = &input.short;
    let text =
        format!("port {} of {short} is held by {}; it was left alone: {why}", holder.port, holder.phrase());
    let next = way_out(short, &holder, verdict);
    let mut problem = Problem::new(Kind::PortSquatter, text, input.at).next(next);
    problem.holder = Some(Box::new(holder));
    problem
}

/// What a person may do about whoever holds the port. What this hub keeps is not to be killed behind its back.
fn way_out(short: &Short, holder: &Holder, verdict: Option<&Verdict>) -> String {
    match (verdict, holder.pid) {
        (Some(Verdict::NotOurs(Against::Hub)), _) => format!("give {short} another port in services.json"),
        (Some(Verdict::NotOurs(Against::Sibling(sibling))), _) => format!("parachute stop {sibling}"),
        (Some(Verdict::NotOurs(Against::OtherUser(_))), Some(pid)) if pid > 1 => format!("sudo kill {pid}"),
        _ => holder.freed_by(),
    }
}

fn unsure_of_port(input: &CheckInput, port: u16, unsure: Unsure) -> Problem {
    no_room(input, &format!("it is not known who holds port {port} of {}", input.short), unsure)
}

fn no_room(input: &CheckInput, what: &str, unsure: Unsure) -> Problem {
    let cause = std::io::Error::from_raw_os_error(unsure.errno);
    let text = format!("{what}, so it is not started: the system does not tell ({cause})");
    Problem::new(Kind::SpawnFailed, text, input.at).next(format!("parachute why {}", input.short))
}

fn not_ended(input: &CheckInput, error: EndError) -> Problem {
    match error {
        EndError::Survive(left) => survivors(input, &left),
        EndError::Unsure(unsure) => {
            let what = format!("it is not known whether an earlier instance of {} lives", input.short);
            no_room(input, &what, unsure)
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
    Problem::new(Kind::StopFailed, text, input.at).next("parachute status")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::attribution::Doubt;

    #[test]
    fn nobody_is_told_to_kill_the_hub_a_sibling_or_init() {
        let [short, sibling] = ["web", "vault"].map(|name| Short::new(name).unwrap());
        let hint = |pid, verdict: Verdict| {
            let holder = Holder { port: 1944, pid, uid: None, command: String::new() };
            way_out(&short, &holder, Some(&verdict))
        };
        let doubt = || Verdict::CannotTell(Doubt::OtherCommand);
        assert_eq!(hint(Some(7), Verdict::NotOurs(Against::Hub)), "give web another port in services.json");
        assert_eq!(hint(Some(7), Verdict::NotOurs(Against::Sibling(sibling))), "parachute stop vault");
        assert_eq!(hint(Some(7), Verdict::NotOurs(Against::OtherUser(33))), "sudo kill 7");
        assert_eq!(hint(Some(7), doubt()), "kill 7");
        assert!(hint(Some(1), doubt()).starts_with("systemctl list-sockets"));
        assert!(hint(Some(1), Verdict::NotOurs(Against::OtherUser(0))).starts_with("systemctl list-sockets"));
        assert_eq!(hint(None, doubt()), "sudo ss -ltnp 'sport = :1944'");
    }
}
