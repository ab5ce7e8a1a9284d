//! `parachute reap`: what the unit runs after each end of the hub, so that a hub that was told to go, and could not end its
//! modules, leaves none of them. After a crash they run on, and this says nothing.

use std::ffi::OsStr;

use crate::logs::priority::{Priority, is_journal};
use crate::manager::backend::after_end::{self, End};
use crate::process::cgroup::{NoCgroups, UnitCgroup};
use crate::process::reap::{self, Left, Reaped};

use super::context::Context;
use super::error::CliError;
use super::installation;
use super::output::VerbOutput;

/// Ends what is left of the modules, if the hub was to end. Never fails: that would be a failure of the unit.
///
/// # Errors
/// None.
pub(crate) async fn run(cx: &Context) -> Result<VerbOutput, CliError> {
    let lines = lines(cx).await;
    let text: String = lines.iter().map(|(_, line)| format!("[reap] {line}\n")).collect();
    let priority = lines.iter().map(|(priority, _)| *priority).min().unwrap_or(Priority::Info);
    let journal = cx.env.get(OsStr::new("JOURNAL_STREAM"));
    let text = if is_journal(std::io::stdout(), journal.map(|value| value.as_os_str())) {
        priority.before_each_line(&text)
    } else {
        text
    };
    Ok(VerbOutput::done(text))
}

async fn lines(cx: &Context) -> Vec<(Priority, String)> {
    let error = |text: String| vec![(Priority::Error, text)];
    let unit = match UnitCgroup::of_this_process(&cx.env) {
        Ok(unit) => unit,
        Err(NoCgroups::NotDelegated) => return Vec::new(),
        Err(why) => return error(format!("whether modules are left is unknown: {why}")),
    };
    let left = match reap::left(&unit) {
        Ok(left) => left,
        Err(why) => return error(format!("whether modules are left is unknown: {why}")),
    };
    let Some(end) = End::of(&cx.env).filter(|_| !left.is_empty()) else { return Vec::new() };
    if !end.is_ordered() {
        // Each restart of a crashed hub waits for this, so it is asked last.
        let job = after_end::job_queued(unit.dir(), &cx.env, &installation::tools(cx)).await;
        match job {
            Ok(queued) if after_end::should_reap(&end.result, &end.status, queued) => {}
            Ok(_) => return Vec::new(),
            Err(why) => {
                let text = "whether a stop was requested is unknown, so these run on";
                return error(format!("{text}: {}: {why}", names(&left)));
            }
        }
    }
    let reaped = reap::end(left, reap::GRACE).await;
    reaped.iter().map(|reaped| line(reaped, &end.result)).collect()
}

fn names(left: &[Left]) -> String {
    left.iter().map(|left| reap::names(&left.module, &left.processes)).collect::<Vec<_>>().join("; ")
}

/// `result`: the manager's word for how the hub ended.
fn line(reaped: &Reaped, result: &str) -> (Priority, String) {
    let names = reap::names(&reaped.module, &reaped.processes);
    match &reaped.survivors {
        Ok(survivors) if survivors.is_empty() => {
            (Priority::Warning, format!("ended what the hub left ({result}): {names}"))
        }
        Ok(survivors) => {
            let pids: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            let text = format!("could not end what the hub left ({result}): {names}; still there");
            (Priority::Error, format!("{text}: {}", pids.join(", ")))
        }
        Err(why) => (Priority::Error, format!("whether this has ended is unknown: {names}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::name::Short;
    use crate::process::unknown::Unknown;

    #[test]
    fn what_was_ended_is_said_and_what_could_not_be() {
        let module = Short::new("vault").unwrap();
        let said =
            |survivors| line(&Reaped { module: module.clone(), processes: Vec::new(), survivors }, "timeout");
        assert_eq!(
            said(Ok([].into())),
            (Priority::Warning, "ended what the hub left (timeout): vault: ".to_owned())
        );
        assert_eq!(
            said(Ok([12, 13].into())),
            (
                Priority::Error,
                "could not end what the hub left (timeout): vault: ; still there: 12, 13".to_owned()
            )
        );
        assert_eq!(said(Err(Unknown { errno: 24 })).0, Priority::Error);
    }
}
