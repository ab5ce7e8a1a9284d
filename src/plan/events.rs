//! The journal as data: its events, one JSON line each, and the unfinished plan that they add up to. Pure.
//!
//! Every line is on disk before the next step is performed, so only the last line can be incomplete. An incomplete last
//! line counts as not written; any other line that does not parse is an error and never ignored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::observed::{Glance, Observed};
use super::plan::Plan;
use super::recovery::Recorded;
use super::step::{Key, Step};

/// The newest version of the format that this program reads: 2 is that of a plan that covers another installation,
/// which 1 cannot hold.
pub(crate) const VERSION: u32 = 2;

/// The version in which a plan is written: the oldest that can hold it.
#[must_use]
pub(crate) fn version_for(plan: &Plan) -> u32 {
    if plan.covers { VERSION } else { 1 }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line: the whole plan, so that any later run can finish it.
    Begin {
        /// Version of the format.
        version: u32,
        /// A random number that identifies this run of the plan. The receipt names the last one that it contains.
        id: String,
        /// Version of the program that wrote it.
        program: String,
        /// Directories that were created for the journal, topmost first.
        #[serde(default)]
        made: Vec<PathBuf>,
        /// The content found at every path that the plan will write. If a file differs when its step comes, another
        /// program or a user has changed it.
        #[serde(default)]
        expects: BTreeMap<PathBuf, Glance>,
        /// The plan.
        plan: Plan,
    },
    /// A step is about to be performed.
    Started {
        /// Index of the step in the plan, from 0.
        step: usize,
        /// What was found before it.
        before: Observed,
    },
    /// A step is done, and its goal was found to be reached.
    Done {
        /// Index of the step.
        step: usize,
    },
    /// The goal of a step was reached already, or it is optional and failed.
    Skipped {
        /// Index of the step.
        step: usize,
    },
    /// A step failed: from here on the plan is undone.
    Failed {
        /// Index of the step; the number of steps if the receipt could not be written.
        step: usize,
        /// The error, as text.
        error: String,
    },
    /// The plan is to be undone on request.
    Undoing,
    /// A step was undone, or there was nothing to undo.
    Undone {
        /// Index of the step.
        step: usize,
    },
}

/// A plan that is being performed or was interrupted: the sum of the events in its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedPlan {
    /// Identifies this run of the plan.
    pub id: String,
    /// Directories that were created for the journal, topmost first.
    pub made: Vec<PathBuf>,
    /// The content found at every path that the plan will write.
    pub expects: BTreeMap<PathBuf, Glance>,
    /// The plan.
    pub plan: Plan,
    /// The journal's record of each step.
    pub recorded: Vec<Recorded>,
    /// It is being undone, and can no longer be finished.
    pub undoing: bool,
    /// Index of the step that failed, and the error as text.
    pub failed: Option<(usize, String)>,
}

/// Why a journal cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A later version of the program wrote it.
    #[error("it has version {found} of the format, and this program knows {VERSION}")]
    Newer {
        /// Version of its format.
        found: u32,
    },
    /// A line is not what any version of this program writes.
    #[error("line {line} is damaged: {because}")]
    Damaged {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        because: String,
    },
}

/// The content of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The plan; `None` if even the first line is incomplete, so that nothing was done.
    pub unfinished: Option<UnfinishedPlan>,
    /// How many bytes are complete lines.
    pub len: usize,
}

impl UnfinishedPlan {
    /// A plan of which no step was started.
    #[must_use]
    pub(super) fn begun(
        id: String,
        made: Vec<PathBuf>,
        expects: BTreeMap<PathBuf, Glance>,
        plan: Plan,
    ) -> Self {
        let recorded = vec![Recorded::Untouched; plan.steps.len()];
        Self { id, made, expects, plan, recorded, undoing: false, failed: None }
    }

    /// Applies one event.
    ///
    /// # Errors
    /// It contradicts an earlier event.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Begin { .. } => return Err("a second beginning".to_owned()),
            Event::Started { step, before } => *self.recorded(step)? = Recorded::Started { before },
            Event::Done { step } => {
                let recorded = self.recorded(step)?;
                match std::mem::take(recorded) {
                    Recorded::Started { before } | Recorded::Done { before } => {
                        *recorded = Recorded::Done { before };
                    }
                    Recorded::Untouched | Recorded::Skipped | Recorded::Undone => {
                        return Err(format!("step {step} is done and was never started"));
                    }
                }
            }
            Event::Skipped { step } => *self.recorded(step)? = Recorded::Skipped,
            Event::Failed { step, error } => {
                self.failed = Some((step, error));
                self.undoing = true;
            }
            Event::Undoing => self.undoing = true,
            Event::Undone { step } => *self.recorded(step)? = Recorded::Undone,
        }
        Ok(())
    }

    fn recorded(&mut self, step: usize) -> Result<&mut Recorded, String> {
        self.recorded.get_mut(step).ok_or_else(|| format!("there is no step {step}"))
    }

    /// Whether the content found before a step is neither that from when the plan was made nor that left by an earlier
    /// step of the plan: then it was changed from outside, and the step must not overwrite it.
    #[must_use]
    pub(super) fn was_changed(&self, step: usize, found: &Observed) -> bool {
        let Some(ours) = self.plan.steps.get(step) else { return false };
        let key = ours.key();
        let earlier = self.plan.steps.iter().take(step).rfind(|earlier| earlier.key() == key);
        match (ours, &key, found) {
            (Step::Move { from, .. }, _, Observed::Names { at }) => {
                match (earlier, self.expects.get(from), at.get(from)) {
                    (None, Some(Glance::Moved(expected)), Some(found)) => !found.same(expected),
                    (None, Some(Glance::Absent), Some(_)) => true,
                    _ => false,
                }
            }
            (_, Some(Key::File(path)), Observed::File { entry } | Observed::Unit { entry, .. }) => {
                match earlier {
                    Some(earlier) => !earlier.wants(entry),
                    None => self.expects.get(path).is_some_and(|expected| *expected != Glance::from(entry)),
                }
            }
            _ => false,
        }
    }

    /// Whether a later step with the same key was started: then this one is finished, whatever is found now.
    #[must_use]
    pub(super) fn is_superseded(&self, step: usize) -> bool {
        let key = self.plan.steps.get(step).and_then(Step::key);
        key.is_some()
            && self.plan.steps.iter().zip(&self.recorded).skip(step + 1).any(|(later, recorded)| {
                later.key() == key && matches!(recorded, Recorded::Started { .. } | Recorded::Done { .. })
            })
    }
}

/// Parses the bytes of a journal.
///
/// # Errors
/// [`Unreadable`].
pub fn replay(bytes: &[u8]) -> Result<Replay, Unreadable> {
    let mut replay = Replay { unfinished: None, len: 0 };
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_last = replay.len + line.len() == bytes.len();
        let damaged = |because: String| Unreadable::Damaged { line: index + 1, because };
        let event = match serde_json::from_slice::<Event>(line) {
            Ok(event) if line.ends_with(b"\n") => event,
            // After a power cut some file systems leave zeros in place of unwritten data.
            _ if is_last && (!line.ends_with(b"\n") || line.contains(&0)) => return Ok(replay),
            Ok(_) => return Err(damaged("it does not end".to_owned())),
            Err(error) => return Err(newer(line).unwrap_or_else(|| damaged(error.to_string()))),
        };
        match (&mut replay.unfinished, event) {
            (None, Event::Begin { version, id, made, expects, plan, program: _ }) => {
                if version > VERSION {
                    return Err(Unreadable::Newer { found: version });
                }
                replay.unfinished = Some(UnfinishedPlan::begun(id, made, expects, plan));
            }
            (None, _) => return Err(damaged("a journal begins with its plan".to_owned())),
            (Some(unfinished), event) => unfinished.apply(event).map_err(damaged)?,
        }
        replay.len += line.len();
    }
    Ok(replay)
}

/// The error for a first line of a later version: such a line need not parse, but it contains its version.
fn newer(line: &[u8]) -> Option<Unreadable> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let head: Head = serde_json::from_slice(line).ok()?;
    (head.version > VERSION).then_some(Unreadable::Newer { found: head.version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Verb;

    fn lines() -> Vec<Event> {
        let mut plan = Plan::new(Verb::Init);
        plan.steps = vec![
            Step::RemoveFile { path: "/a".into() },
            Step::AwaitHealthy { within: std::time::Duration::from_secs(1) },
        ];
        vec![
            Event::Begin {
                version: 1,
                id: "x".to_owned(),
                program: "0".to_owned(),
                made: Vec::new(),
                expects: BTreeMap::new(),
                plan,
            },
            Event::Started { step: 0, before: Observed::Nothing },
            Event::Done { step: 0 },
            Event::Skipped { step: 1 },
        ]
    }

    fn text(events: &[Event]) -> Vec<u8> {
        events.iter().flat_map(|event| (serde_json::to_string(event).unwrap() + "\n").into_bytes()).collect()
    }

    #[test]
    fn a_truncated_journal_equals_its_complete_lines() {
        let events = lines();
        let all = text(&events);
        for cut in 0..=all.len() {
            let whole = (0..=events.len()).rev().find(|n| text(&events[..*n]).len() <= cut).unwrap();
            let good = replay(&all[..cut]).unwrap();
            assert_eq!(good, replay(&text(&events[..whole])).unwrap(), "cut at {cut}");
            assert_eq!(good.len, text(&events[..whole]).len());
            // Zeros in place of unwritten data.
            let zeros: Vec<u8> = all[..cut].iter().copied().chain([0; 9]).collect();
            assert_eq!(replay(&zeros).unwrap(), good, "cut at {cut}, then zeros");
        }
        let recorded = replay(&all).unwrap().unfinished.unwrap().recorded;
        assert_eq!(recorded, [Recorded::Done { before: Observed::Nothing }, Recorded::Skipped]);
    }

    #[test]
    fn damage_other_than_an_incomplete_last_line_is_an_error() {
        let good = text(&lines());
        let first = good.iter().position(|b| *b == b'\n').unwrap();
        let mut bad = good.clone();
        bad[first + 3] = b'#';
        assert!(matches!(replay(&bad), Err(Unreadable::Damaged { line: 2, .. })), "{:?}", replay(&bad));
        let mut last = good.clone();
        let at = last.len() - 4;
        last[at] = b'#';
        assert!(matches!(replay(&last), Err(Unreadable::Damaged { line: 4, .. })));
        let headless = &good[first + 1..];
        assert!(matches!(replay(headless), Err(Unreadable::Damaged { line: 1, .. })));
        let newer = br#"{"event":"begin","version":7,"plan":{"shape":"unknown"}}
"#;
        assert_eq!(replay(newer), Err(Unreadable::Newer { found: 7 }));
        let unknown_step = [&good[..], b"{\"event\":\"done\",\"step\":9}\n"].concat();
        assert!(matches!(replay(&unknown_step), Err(Unreadable::Damaged { line: 5, .. })));
    }
}
