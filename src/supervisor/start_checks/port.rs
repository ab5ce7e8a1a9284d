//! The holder of a module's port before a start: no process, an earlier instance of the module, or another process.

use std::collections::BTreeSet;
use std::path::Path;

use crate::module::launch::Launch;
use crate::module::problem::{Holder, Problem, ProblemKind};
use crate::process::attribution::{self, Attribution, Claimant, Evidence, Proof, Suspect};
use crate::process::holder::look::{Asking, Looker};
use crate::process::id::ProcessId;
use crate::process::unknown::Unknown;
use crate::process::{ports, table, terminate};

use super::{CheckInput, not_ended, unknown};

/// An earlier instance that comes back on the port is ended this often; after that another manager is restarting it.
const TRIES: usize = 3;

/// Makes sure that the port is free: ends an earlier instance of this module that holds it, and names any other holder.
/// Returns the processes that it ended.
pub(super) async fn free(
    input: &CheckInput,
    launch: &Launch,
    program: &Path,
) -> Result<BTreeSet<ProcessId>, Problem> {
    let mut ended = BTreeSet::new();
    for _ in 0..TRIES {
        let unsure = |unsure| unsure_of_port(input, launch.port, unsure);
        let Some((holder, ids)) = ports::holding(launch.port).map_err(unsure)? else { return Ok(ended) };
        let id = ids.first().cloned();
        let evidence = evidence(input, launch, program, &holder, id.as_ref()).map_err(unsure)?;
        let verdict = attribution::judge(&evidence);
        let Some(id) = id.filter(|_| may_end(&verdict, &evidence)) else {
            return Err(squatter(input, holder, &ids, &verdict.to_string()));
        };
        let find = || Ok(table::alive(&id)?.then(|| id.clone()).into_iter().collect());
        ended.extend(
            terminate::end(find, launch.policy.kill_timeout)
                .await
                .map_err(|error| not_ended(input, error))?,
        );
    }
    match ports::holding(launch.port).map_err(|unsure| unsure_of_port(input, launch.port, unsure))? {
        None => Ok(ended),
        Some((holder, ids)) => {
            let why = "an earlier instance keeps coming back: another service manager restarts it";
            Err(squatter(input, holder, &ids, why))
        }
    }
}

/// A mark or the ledger proves that a process is ours. The same program with the same arguments does not: a user may
/// have started that command by hand. It counts only with this home in the environment of the process.
fn may_end(verdict: &Attribution, evidence: &Evidence) -> bool {
    match verdict {
        Attribution::Ours(Proof::Marks | Proof::Ledger) => true,
        Attribution::Ours(Proof::Program | Proof::Script) => {
            evidence.suspect.home.as_ref() == Some(&evidence.module.home)
        }
        Attribution::NotOurs(_) | Attribution::CannotTell(_) => false,
    }
}

fn evidence(
    input: &CheckInput,
    launch: &Launch,
    program: &Path,
    holder: &Holder,
    id: Option<&ProcessId>,
) -> Result<Evidence, Unknown> {
    let pid = id.map(|id| id.pid);
    let info = pid.map(table::info).transpose()?.flatten();
    Ok(Evidence {
        suspect: Suspect {
            id: id.cloned(),
            uid: info.map(|info| info.uid).or(holder.uid),
            marks: pid.map(table::marks).transpose()?.flatten(),
            home: pid.map(table::home).transpose()?.flatten(),
            in_ledger: id.is_some_and(|id| input.earlier.runs.iter().any(|run| run.leader == *id)),
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

fn squatter(input: &CheckInput, holder: Holder, ids: &[ProcessId], why: &str) -> Problem {
    let short = &input.short;
    let occupant = Looker::new(&Asking::about(input.home.root())).of(holder, ids);
    let text = format!(
        "port {} of {short} is held by {}; it was left alone: {why}",
        occupant.holder.port,
        occupant.words()
    );
    let hint = occupant.hint_for(short.as_str());
    let mut problem = Problem::new(ProblemKind::PortSquatter, text, input.at).next(hint);
    problem.holder = Some(Box::new(occupant.holder));
    problem
}

fn unsure_of_port(input: &CheckInput, port: u16, unsure: Unknown) -> Problem {
    unknown(input, &format!("it is not known who holds port {port} of {}", input.short), unsure)
}
