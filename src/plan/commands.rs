//! Steps as shell commands, as a user would type them. Commands to a manager are the invocations that its driver
//! runs. Pure.

use std::path::Path;

use super::content::Content;
use super::observed::Entry;
use super::step::{Key, Step};
use crate::manager::backend::Manager;
use crate::manager::invocation::Invocation;
use crate::module::shell::quote_path as quoted;
use crate::unit::name::UnitName;

/// The commands that the manager gets for this step, one line each.
#[must_use]
pub(super) fn of_manager(step: &Step, manager: &Manager) -> Vec<String> {
    invocations(step, manager).iter().map(ToString::to_string).collect()
}

fn invocations(step: &Step, manager: &Manager) -> Vec<Invocation> {
    match step {
        Step::PutUnit { .. } | Step::RemoveUnit { .. } | Step::Restore { unit: Some(_), .. } => {
            manager.reload_commands()
        }
        Step::SetEnabled { unit, enabled } => manager.enable_commands(unit, *enabled),
        Step::SetRunning { unit, running: true } => manager.start_commands(unit),
        Step::SetRunning { unit, running: false } => manager.stop_commands(unit),
        Step::SetLinger { user, on } => manager.linger_commands(user, *on),
        Step::Restore { unit: None, .. }
        | Step::MakeDir { .. }
        | Step::RemoveDir { .. }
        | Step::PutFile { .. }
        | Step::RemoveFile { .. }
        | Step::SetMode { .. }
        | Step::StopDaemons { .. }
        | Step::StartDaemons { .. }
        | Step::EndStarted { .. }
        | Step::AwaitPortsFree { .. }
        | Step::AwaitReady { .. }
        | Step::Move { .. }
        | Step::AwaitHealthy { .. }
        | Step::AwaitModules { .. } => Vec::new(),
    }
}

/// One command that performs the step without this program, or describes it, if there is one. Steps that write texts
/// have none.
#[must_use]
pub(super) fn by_hand(step: &Step, manager: Option<&Manager>) -> Option<String> {
    let of_manager = |step| manager.map_or_else(Vec::new, |manager| of_manager(step, manager));
    let file = match step {
        Step::MakeDir { path, .. } => format!("mkdir -p {}", quoted(path)),
        Step::RemoveDir { path } => format!("rmdir {}", quoted(path)),
        Step::RemoveFile { path } | Step::RemoveUnit { path, .. } => format!("rm {}", quoted(path)),
        Step::SetMode { path, mode } => format!("chmod {mode:o} {}", quoted(path)),
        Step::PutFile { path, content: Content::CopyOf { source, .. }, .. } => {
            format!("cp {} {}", quoted(source), quoted(path))
        }
        Step::Move { from, to } => format!("mv -n {} {}", quoted(from), quoted(to)),
        Step::Restore { path, was, .. } => match (was, was.saved()) {
            (_, Some((copy, _))) => format!("cp {} {}", quoted(copy), quoted(path)),
            (Entry::Link { to }, _) => format!("ln -sfn {} {}", quoted(to), quoted(path)),
            (Entry::Absent | Entry::File { .. } | Entry::Other { .. }, _) => return None,
        },
        Step::SetEnabled { .. } | Step::SetRunning { .. } | Step::SetLinger { .. } => {
            // Of several commands the last one performs the step.
            return of_manager(step).pop();
        }
        // No command can start one: its environment may hold secrets and is not printed, and without it another
        // program would start. Of several daemons most may be running already.
        Step::StartDaemons { .. } => {
            return Some("restore what is missing, then: parachute migrate --rollback".to_owned());
        }
        Step::PutFile { content: Content::Text(_), .. }
        | Step::PutUnit { .. }
        | Step::StopDaemons { .. }
        | Step::EndStarted { .. }
        | Step::AwaitPortsFree { .. }
        | Step::AwaitReady { .. }
        | Step::AwaitHealthy { .. }
        | Step::AwaitModules { .. } => return None,
    };
    let lines: Vec<String> = std::iter::once(file).chain(of_manager(step)).collect();
    Some(lines.join(" && "))
}

/// A command that shows the effect of a step: the current content, and the previous one, if it is kept in a file.
#[must_use]
pub(super) fn inspect(step: &Step, was: Option<&Path>) -> String {
    match (step.key(), was) {
        (Some(Key::File(path)), Some(was)) => format!("diff {} {}", quoted(was), quoted(&path)),
        (Some(Key::Names(one, other)), _) => format!("ls -ld {} {}", quoted(&one), quoted(&other)),
        (Some(Key::File(path) | Key::Dir(path) | Key::Mode(path)), _) => format!("ls -la {}", quoted(&path)),
        (Some(Key::Daemons), _) => "parachute migrate --list".to_owned(),
        (Some(Key::Enabled(_) | Key::Running(_) | Key::Linger(_)) | None, _) => "parachute status".to_owned(),
    }
}

/// A command that shows the state of a unit.
#[must_use]
pub(super) fn status(unit: &UnitName, manager: &Manager) -> String {
    manager.status_command(unit)
}

/// A command that shows the last log lines of a unit.
#[must_use]
pub(super) fn log(unit: &UnitName, manager: &Manager) -> String {
    if manager.keeps_log() { status(unit, manager) } else { "parachute logs hub".to_owned() }
}
