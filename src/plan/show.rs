//! A plan as shown before the user agrees: every file as it is and will be, every command as it would be typed,
//! what will be true, and whether it needs root. Pure: first as data, then as text.

use std::path::PathBuf;

use serde::Serialize;

use super::commands;
use super::content::Content;
use super::daemon::Daemon;
use super::observed::{Dir, Entry, Kept, Observed};
use super::plan::{Note, Plan, Promise, Verb};
use super::recovery::is_down;
use super::redact::redacted;
use super::step::{Key, Step, UNIT_MODE};
use super::summary::Changes;
use crate::manager::backend::Manager;

/// A plan as it is shown. As JSON it is the output of `--dry-run --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanView {
    pub(crate) verb: Verb,
    pub(crate) manager: String,
    /// Whether only root can run it.
    pub(crate) needs_root: bool,
    /// Whether the goal of every step is reached already.
    pub(crate) nothing_to_do: bool,
    pub(crate) steps: Vec<ShownStep>,
    /// The same in short: a verb and what it is done to.
    #[serde(skip)]
    pub(crate) summary: Vec<(&'static str, String)>,
    /// What will be true when every step is done.
    pub(crate) promises: Vec<Promise>,
    /// Notes to read before agreeing.
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ShownStep {
    pub(crate) what: String,
    /// Its goal is reached already: it will be skipped.
    pub(crate) already: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<Change>,
    /// Further details, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) details: Vec<String>,
    /// The commands to the manager, as they would be typed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) commands: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) old: Side,
    pub(crate) new: Side,
}

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    Absent,
    /// A text; values that look secret are hidden.
    Text {
        mode: u32,
        text: String,
    },
    /// Bytes that are not shown: a program, or a file that only its owner may read.
    Bytes {
        mode: u32,
        len: u64,
        /// SHA-256, hexadecimal; absent for a private file, whose content could be guessed from it.
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    Link {
        to: PathBuf,
    },
    /// A kind of file that no step replaces.
    Other {
        /// The kind, with an article.
        what: String,
    },
}

/// The plan as it is shown. `observed` is the observation for each of its steps.
#[must_use]
pub(crate) fn show(plan: &Plan, observed: &[Observed], manager: &Manager) -> PlanView {
    let mut touched: Vec<Key> = Vec::new();
    let mut changes = Changes::default();
    let steps: Vec<ShownStep> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let before = observed.get(index);
            let is_first = step.key().is_none_or(|key| !touched.contains(&key));
            // The observation is not valid if an earlier step changes it.
            let already = is_first && before.is_some_and(|before| step.is_reached(before));
            if !already {
                touched.extend(step.key());
                changes.add(step, before);
            }
            ShownStep {
                what: words(step, before),
                already,
                change: before.filter(|_| !already).and_then(|before| change(step, before)),
                details: if already { Vec::new() } else { details(step) },
                commands: if already { Vec::new() } else { commands::of_manager(step, manager) },
            }
        })
        .collect();
    PlanView {
        verb: plan.verb,
        manager: manager.words(),
        needs_root: manager.is_system(),
        nothing_to_do: plan.steps.iter().zip(&steps).all(|(step, shown)| shown.already || step.only_waits()),
        steps,
        summary: changes.lines(),
        promises: plan.promises.clone(),
        notes: plan.notes.clone(),
    }
}

fn details(step: &Step) -> Vec<String> {
    match step {
        Step::StopDaemons { daemons, .. } => daemons.iter().map(Daemon::line).collect(),
        _ => Vec::new(),
    }
}

fn words(step: &Step, before: Option<&Observed>) -> String {
    if let Step::StopDaemons { daemons, .. } = step {
        return match daemons.len() {
            1 => "stop the detached daemon and everything it started".to_owned(),
            n => format!("stop {n} detached daemons and everything they started"),
        };
    }
    let what = step.describe();
    match (step, before) {
        (Step::MakeDir { mode, .. }, Some(Observed::Dir { dir: Dir::Absent { missing } })) => {
            let above = match missing.len() {
                0 | 1 => String::new(),
                n => format!(", and {} parent directories", n - 1),
            };
            format!("{what} ({mode:04o}){above}")
        }
        (Step::SetMode { mode, .. }, Some(Observed::Mode { mode: Some(now) })) if now != mode => {
            format!("{what} (now {now:04o})")
        }
        (Step::SetRunning { running: false, .. }, Some(Observed::Running { active, .. }))
            if is_down(*active) =>
        {
            format!("{what} if it runs")
        }
        _ => what,
    }
}

fn change(step: &Step, before: &Observed) -> Option<Change> {
    let Some(Key::File(path)) = step.key() else { return None };
    let new = match step {
        Step::PutFile { mode, content: Content::Text(text), .. } => text_side(*mode, text, false),
        Step::PutFile { mode, content: Content::CopyOf { sha256, len, .. }, .. } => {
            Side::Bytes { mode: *mode, len: *len, sha256: Some(sha256.clone()) }
        }
        Step::PutUnit { text, .. } => text_side(UNIT_MODE, text, true),
        Step::Restore { was, unit, .. } => side(was, unit.is_some()),
        _ => Side::Absent,
    };
    let old = side(before.entry()?, matches!(before, Observed::Unit { .. }));
    Some(Change { path, old, new })
}

fn side(entry: &Entry, is_unit: bool) -> Side {
    match entry {
        Entry::Absent => Side::Absent,
        Entry::Link { to } => Side::Link { to: to.clone() },
        Entry::Other { what } => Side::Other { what: what.clone() },
        Entry::File { mode, kept: Kept::Text(text), .. } => text_side(*mode, text, is_unit),
        Entry::File { mode, fingerprint, .. } => {
            bytes(*mode, fingerprint.len, Some(fingerprint.sha256.clone()))
        }
    }
}

/// A file that only its owner may read is not shown. A unit is: a manager shows the text of a unit to any user.
fn text_side(mode: u32, text: &str, is_unit: bool) -> Side {
    if is_unit || !is_private(mode) {
        Side::Text { mode, text: redacted(text) }
    } else {
        bytes(mode, text.len() as u64, None)
    }
}

fn bytes(mode: u32, len: u64, sha256: Option<String>) -> Side {
    Side::Bytes { mode, len, sha256: sha256.filter(|_| !is_private(mode)) }
}

fn is_private(mode: u32) -> bool {
    mode & 0o044 == 0
}

impl Side {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Absent | Self::Bytes { .. } | Self::Link { .. } | Self::Other { .. } => None,
        }
    }

    fn mode(&self) -> Option<u32> {
        match self {
            Self::Text { mode, .. } | Self::Bytes { mode, .. } => Some(*mode),
            Self::Absent | Self::Link { .. } | Self::Other { .. } => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Absent => "absent".to_owned(),
            Self::Text { mode, text } => format!("text, {}, mode {mode:04o}", size(text.len() as u64)),
            Self::Bytes { mode, len, sha256: Some(sha256) } => {
                format!("{}, mode {mode:04o}, sha256 {sha256}", size(*len))
            }
            Self::Bytes { mode, len, sha256: None } => format!("{}, mode {mode:04o}, private", size(*len)),
            Self::Link { to } => format!("a link to {}", to.display()),
            Self::Other { what } => what.clone(),
        }
    }
}

/// `512 B`, `4.1 MB`.
#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
fn size(len: u64) -> String {
    match len {
        0..1_000 => format!("{len} B"),
        1_000..1_000_000 => format!("{:.1} kB", len as f64 / 1e3),
        _ => format!("{:.1} MB", len as f64 / 1e6),
    }
}

/// A function that compares two texts: old, new, label.
pub(crate) type Diff<'a> = &'a dyn Fn(Option<&str>, Option<&str>, &str) -> String;

impl PlanView {
    /// In short, as text: what it touches, and what will be true.
    #[must_use]
    pub(crate) fn brief(&self) -> String {
        let mut out = self.heading();
        for (verb, what) in &self.summary {
            line(&mut out, &format!("  {verb:<7}  "), what);
        }
        self.end(&mut out);
        out
    }

    fn heading(&self) -> String {
        let root = if self.needs_root { "; this needs root" } else { "" };
        let mut out = String::new();
        if self.nothing_to_do {
            line(&mut out, "", &format!("parachute {} has nothing to do ({}).", self.verb, self.manager));
        } else {
            line(&mut out, "", &format!("parachute {} with {}{root}:", self.verb, self.manager));
        }
        out
    }

    fn end(&self, out: &mut String) {
        if !self.promises.is_empty() {
            line(out, "", "Afterwards:");
            for promise in &self.promises {
                line(out, "  - ", &promise.0);
            }
        }
        for note in &self.notes {
            line(out, "note: ", &note.text);
            if let Some(hint) = &note.hint {
                line(out, "hint: ", hint);
            }
        }
    }

    /// Whole, as text. `diff` must write a unified diff and escape control characters in the texts.
    #[must_use]
    pub(crate) fn text(&self, diff: Diff<'_>) -> String {
        let mut out = self.heading();
        for (index, step) in self.steps.iter().enumerate() {
            let already = if step.already { " (already done)" } else { "" };
            line(&mut out, "", &format!("{:>3}. {}{already}", index + 1, step.what));
            if let Some(change) = &step.change {
                change.text(&mut out, diff);
            }
            for detail in &step.details {
                line(&mut out, "     - ", detail);
            }
            for command in &step.commands {
                line(&mut out, "     $ ", command);
            }
        }
        self.end(&mut out);
        out
    }
}

impl Change {
    fn text(&self, out: &mut String, diff: Diff<'_>) {
        let both_text = |side: &Side| matches!(side, Side::Absent | Side::Text { .. });
        if both_text(&self.old) && both_text(&self.new) {
            let label = self.path.display().to_string();
            for text in diff(self.old.text(), self.new.text(), &label).lines() {
                out.push_str("     ");
                out.push_str(text);
                out.push('\n');
            }
            if let (Some(old), Some(new)) = (self.old.mode(), self.new.mode())
                && old != new
            {
                line(out, "     ", &format!("mode {old:04o} becomes {new:04o}"));
            }
        } else {
            line(out, "     - ", &self.old.words());
            line(out, "     + ", &self.new.words());
        }
    }
}

/// Adds one line, with control characters escaped.
fn line(out: &mut String, before: &str, text: &str) {
    out.push_str(before);
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests;
