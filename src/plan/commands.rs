//! Steps as a person would type them. The verbs of a manager are the very invocations that its driver runs.

use std::path::Path;

use super::before::Entry;
use super::content::Content;
use super::step::Step;
use crate::manager::invocation::Invocation;
use crate::manager::systemd::verbs as systemd;
use crate::manager::which::Manager;
use crate::unit::name::UnitName;

/// What the manager will be told for this step, one line a command.
#[must_use]
pub fn verbs(step: &Step, manager: &Manager) -> Vec<String> {
    invocations(step, manager).iter().map(ToString::to_string).collect()
}

fn invocations(step: &Step, manager: &Manager) -> Vec<Invocation> {
    let Manager::Systemd(here) = manager else { return Vec::new() };
    match step {
        Step::PutUnit { .. } | Step::RemoveUnit { .. } | Step::Restore { unit: Some(_), .. } => {
            vec![systemd::reload(here)]
        }
        Step::SetEnabled { unit, enabled } => vec![systemd::set_enabled(here, unit, *enabled)],
        Step::SetRunning { unit, running: true } => {
            vec![systemd::reset_failed(here, unit), systemd::start(here, unit)]
        }
        Step::SetRunning { unit, running: false } => vec![systemd::stop(here, unit)],
        Step::SetLinger { user, on } => vec![systemd::set_linger(user, *on)],
        Step::MakeDir { .. }
        | Step::RemoveDir { .. }
        | Step::PutFile { .. }
        | Step::RemoveFile { .. }
        | Step::Restore { unit: None, .. }
        | Step::AwaitHealthy { .. }
        | Step::AwaitModules { .. } => Vec::new(),
    }
}

/// One line that does it without us, if there is one. What writes a text has none.
#[must_use]
pub fn by_hand(step: &Step, manager: &Manager) -> Option<String> {
    let file = match step {
        Step::MakeDir { path, .. } => format!("mkdir -p {}", quoted(path)),
        Step::RemoveDir { path } => format!("rmdir {}", quoted(path)),
        Step::RemoveFile { path } | Step::RemoveUnit { path, .. } => format!("rm {}", quoted(path)),
        Step::PutFile { path, content: Content::CopyOf { source, .. }, .. } => {
            format!("cp {} {}", quoted(source), quoted(path))
        }
        Step::Restore { path, was, .. } => match (was, was.saved()) {
            (_, Some((copy, _))) => format!("cp {} {}", quoted(copy), quoted(path)),
            (Entry::Link { to }, _) => format!("ln -sfn {} {}", quoted(to), quoted(path)),
            (Entry::Absent | Entry::File { .. } | Entry::Other { .. }, _) => return None,
        },
        Step::SetEnabled { .. } | Step::SetRunning { .. } | Step::SetLinger { .. } => {
            // Of several the last is the one that does it.
            return verbs(step, manager).pop();
        }
        Step::PutFile { content: Content::Text(_), .. }
        | Step::PutUnit { .. }
        | Step::AwaitHealthy { .. }
        | Step::AwaitModules { .. } => return None,
    };
    let lines: Vec<String> = std::iter::once(file).chain(verbs(step, manager)).collect();
    Some(lines.join(" && "))
}

/// What tells how a unit is.
#[must_use]
pub fn status(unit: &UnitName, manager: &Manager) -> Option<String> {
    match manager {
        Manager::Systemd(here) => Some(crate::manager::systemd::explain::status(here, unit)),
        Manager::Launchd(_) => None,
    }
}

/// What shows the last words of a unit.
#[must_use]
pub fn log(unit: &UnitName, manager: &Manager) -> Option<String> {
    match manager {
        Manager::Systemd(_) => status(unit, manager),
        Manager::Launchd(_) => Some("parachute logs hub".to_owned()),
    }
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
