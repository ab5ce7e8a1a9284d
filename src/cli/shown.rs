//! A plan before it is run: what is so already, what would change, the very commands, and what will be true. Pure.

use serde::Serialize;

use crate::plan::before::{Before, Entry};
use crate::plan::content::Content;
use crate::plan::step::Step;
use crate::plan::{Note, Plan};
use crate::ui::diff::unified;
use crate::ui::style::Style;
use crate::ui::text::{bytes, printable};

use super::plans;

/// A plan, compared with the machine as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// For which verb.
    pub verb: String,
    /// What would be done, in order.
    pub steps: Vec<ShownStep>,
    /// Steps whose goal is reached already.
    pub so_already: usize,
    /// What will be true afterwards.
    pub promises: Vec<String>,
    /// What to know before saying yes.
    pub notes: Vec<Note>,
}

/// One step that would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownStep {
    /// What it does.
    pub what: String,
    /// What a person would type to do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The file it writes, before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<ShownFile>,
    /// It changes nothing and only waits.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

/// A text that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownFile {
    /// Its name.
    pub path: String,
    /// What it holds now; `None`: it is not there, or no text.
    pub old: Option<String>,
    /// What it shall hold; `None`: it goes.
    pub new: Option<String>,
}

impl Shown {
    /// Compares a plan with what was found for each of its steps.
    #[must_use]
    pub fn of(plan: &Plan, found: &[Before], by_hand: &dyn Fn(&Step) -> Option<String>) -> Self {
        let mut steps = Vec::new();
        let mut so_already = 0;
        let mut stopped = Vec::new();
        for (step, before) in plan.steps.iter().zip(found) {
            if let Step::SetRunning { unit, running } = step {
                // What an earlier step of this very plan stops will have to be started.
                let undone = *running && stopped.contains(unit);
                if !*running && !step.reached(before) {
                    stopped.push(unit.clone());
                }
                if step.reached(before) && !undone {
                    so_already += 1;
                    continue;
                }
            } else if !step.only_waits() && step.reached(before) {
                so_already += 1;
                continue;
            }
            steps.push(ShownStep {
                what: words(step),
                command: by_hand(step),
                file: file(step, before),
                waits: step.only_waits(),
            });
        }
        let promises = plan.promises.iter().map(|promise| promise.0.clone()).collect();
        Self { verb: plan.verb.to_string(), steps, so_already, promises, notes: plan.notes.clone() }
    }

    /// Whether anything would change.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.steps.iter().any(|step| !step.waits)
    }

    /// For a terminal.
    #[must_use]
    pub fn screen(&self, style: Style) -> String {
        let mut out = plans::notes(&self.notes, style);
        if !self.changes() {
            out.push_str("nothing to do: everything is as it should be\n");
            return out;
        }
        out.push_str(&format!("{}\n", style.bold(&format!("parachute {} would", self.verb))));
        for step in &self.steps {
            out.push_str(&format!("  {} {}\n", style.good("+"), printable(&step.what)));
            if let Some(command) = &step.command {
                out.push_str(&format!("      {}\n", style.dim(&format!("$ {}", printable(command)))));
            }
            if let Some(file) = &step.file {
                let diff = unified(file.old.as_deref(), file.new.as_deref(), &file.path, style);
                out.extend(diff.lines().map(|line| format!("      {line}\n")));
            }
        }
        if !self.promises.is_empty() {
            out.push_str(&format!("{}\n", style.bold("afterwards")));
            out.extend(self.promises.iter().map(|promise| format!("  {}\n", printable(promise))));
        }
        out
    }
}

fn words(step: &Step) -> String {
    match step {
        Step::PutFile { path, content: Content::CopyOf { len, sha256, .. }, .. } => {
            let short = sha256.get(..12).unwrap_or(sha256);
            format!("copy this program to {} ({}, sha256 {short}…)", path.display(), bytes(*len))
        }
        step => step.describe(),
    }
}

fn file(step: &Step, before: &Before) -> Option<ShownFile> {
    let (path, new) = match step {
        Step::PutUnit { path, text, .. } => (path, Some(text.clone())),
        Step::PutFile { path, content: Content::Text(text), .. } => (path, Some(text.clone())),
        Step::RemoveUnit { path, .. } => (path, None),
        Step::Restore { path, was, .. } => (path, Some(was.text()?.to_owned())),
        _ => return None,
    };
    let old = before.entry().and_then(Entry::text).map(ToOwned::to_owned);
    Some(ShownFile { path: path.display().to_string(), old, new })
}
