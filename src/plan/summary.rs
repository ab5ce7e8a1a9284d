//! What a plan touches, in a few lines: for the question whether to carry it out. Pure. [`super::show`] has every
//! step.

use std::path::PathBuf;

use super::daemon::Daemon;
use super::observed::{Entry, Observed};
use super::step::Step;

/// The changes of a plan by kind, each with what it is done to.
#[derive(Debug, Default)]
pub(super) struct Changes {
    stop: Vec<String>,
    replace: Vec<String>,
    remove: Vec<String>,
    write: Vec<String>,
    restore: Vec<String>,
    moved: Vec<String>,
    dirs: Vec<PathBuf>,
    modes: Vec<String>,
    disable: Vec<String>,
    enable: Vec<String>,
    start: Vec<String>,
}

impl Changes {
    /// Adds a step that is to be performed. `before` is what was found for it.
    pub(super) fn add(&mut self, step: &Step, before: Option<&Observed>) {
        match step {
            Step::MakeDir { path, .. } => self.dirs.push(path.clone()),
            Step::PutFile { path, .. } | Step::PutUnit { path, .. } => {
                let is_new = before.and_then(Observed::entry).is_none_or(|entry| *entry == Entry::Absent);
                let group = if is_new { &mut self.write } else { &mut self.replace };
                group.push(path.display().to_string());
            }
            Step::RemoveFile { path } | Step::RemoveUnit { path, .. } => {
                self.remove.push(path.display().to_string());
            }
            Step::RemoveDir { path } => self.remove.push(format!("{} if it is empty", path.display())),
            Step::Restore { path, .. } => self.restore.push(path.display().to_string()),
            Step::Move { from, to } => self.moved.push(format!("{} to {}", from.display(), to.display())),
            Step::SetMode { path, mode } => self.modes.push(format!("{} to {mode:04o}", path.display())),
            Step::SetEnabled { unit, enabled: true } => self.enable.push(unit.to_string()),
            Step::SetEnabled { unit, enabled: false } => self.disable.push(unit.to_string()),
            Step::SetLinger { user, on: true } => self.enable.push(format!("linger of {user}")),
            Step::SetLinger { user, on: false } => self.disable.push(format!("linger of {user}")),
            Step::SetRunning { unit, running: true } => self.start.push(unit.to_string()),
            Step::SetRunning { unit, running: false } => self.stop.push(unit.to_string()),
            Step::StopDaemons { daemons, .. } => self.stop.extend(daemons.iter().map(Daemon::line)),
            Step::EndStarted { daemons } => self.stop.extend(daemons.iter().map(|d| d.name.clone())),
            Step::StartDaemons { daemons } => {
                self.start.extend(daemons.iter().map(|daemon| format!("{} (detached)", daemon.name)));
            }
            Step::AwaitPortsFree { .. }
            | Step::AwaitReady { .. }
            | Step::AwaitHealthy { .. }
            | Step::AwaitModules { .. } => {}
        }
    }

    /// What stops and starts again is restarted: one line instead of two.
    fn restart(&mut self) -> Vec<String> {
        let both: Vec<String> = self.stop.iter().filter(|unit| self.start.contains(unit)).cloned().collect();
        self.stop.retain(|unit| !both.contains(unit));
        self.start.retain(|unit| !both.contains(unit));
        both
    }

    /// A verb and what it is done to, a line each; what a person asks first stands first: what stops, what is replaced.
    pub(super) fn lines(mut self) -> Vec<(&'static str, String)> {
        let restart = self.restart();
        let dirs = match self.dirs.as_slice() {
            [] => None,
            [one] => Some(one.display().to_string()),
            [first, rest @ ..] => Some(format!("{} and {} more directories", first.display(), rest.len())),
        };
        let joined = |items: Vec<String>| Some(items.join(", ")).filter(|text| !text.is_empty());
        let each = |verb: &'static str, items: Vec<String>| items.into_iter().map(move |item| (verb, item));
        let mut lines: Vec<(&'static str, String)> = each("stop", self.stop).collect();
        lines.extend(joined(restart).map(|text| ("restart", text)));
        lines.extend(each("replace", self.replace));
        lines.extend(each("remove", self.remove));
        lines.extend(each("restore", self.restore));
        lines.extend(each("write", self.write));
        lines.extend(each("move", self.moved));
        lines.extend(dirs.map(|text| ("make", text)));
        lines.extend(each("chmod", self.modes));
        lines.extend(joined(self.disable).map(|text| ("disable", text)));
        lines.extend(joined(self.enable).map(|text| ("enable", text)));
        lines.extend(joined(self.start).map(|text| ("start", text)));
        lines
    }
}
