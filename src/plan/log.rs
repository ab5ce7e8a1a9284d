//! The journal as data: one JSON line an event, and what they add up to. Pure.
//!
//! Every line is on disk before the next thing happens, so only the last one can be torn. A torn last line is as if
//! it had never been written; anything else that does not parse is an error, never ignored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::before::{Before, Glance};
use super::matrix::Mark;
use super::step::{Key, Step};
use super::whole::Plan;

/// The newest version of the format that this program reads: 2 is that of a plan that covers another installation, which
/// 1 knows nothing of.
pub const VERSION: u32 = 2;

/// The version in which a plan is written: the oldest that can hold it.
#[must_use]
pub fn version_for(plan: &Plan) -> u32 {
    if plan.covers { VERSION } else { 1 }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first: the whole plan, so that any later run can finish it.
    Begin {
        /// [`version_for`] the plan.
        version: u32,
        /// Random; the receipt names the last one it has taken in.
        id: String,
        /// Version of the program that wrote it.
        program: String,
        /// Directories that were made to keep it in, topmost first.
        #[serde(default)]
        made: Vec<PathBuf>,
        /// What was found where the plan is going to write. A file that is another one when its turn comes is
        /// somebody else's work.
        #[serde(default)]
        expects: BTreeMap<PathBuf, Glance>,
        /// What shall be done.
        plan: Plan,
    },
    /// A step is about to be performed.
    Started {
        /// Its place in the plan, from 0.
        step: usize,
        /// What was found.
        before: Before,
    },
    /// What it wants is so.
    Done {
        /// Which.
        step: usize,
    },
    /// It was so already, or could be missed.
    Skipped {
        /// Which.
        step: usize,
    },
    /// It failed: from here on the plan is taken back.
    Failed {
        /// Which; the number of steps if it was the end that failed.
        step: usize,
        /// Why.
        error: String,
    },
    /// Somebody decided to take the plan back.
    Undoing,
    /// The step is taken back, or there was nothing to take back.
    Undone {
        /// Which.
        step: usize,
    },
}

/// What a journal adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Of [`Event::Begin`].
    pub id: String,
    /// Of [`Event::Begin`].
    pub made: Vec<PathBuf>,
    /// Of [`Event::Begin`].
    pub expects: BTreeMap<PathBuf, Glance>,
    /// What shall be done.
    pub plan: Plan,
    /// One for each step.
    pub marks: Vec<Mark>,
    /// It is being taken back, and can no longer be finished.
    pub undoing: bool,
    /// The step that failed, and why.
    pub failed: Option<(usize, String)>,
}

/// Why a journal cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a later version.
    #[error("it has version {found} of the format, and this program knows {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// A line that is not what we write.
    #[error("line {line} is damaged: {because}")]
    Damaged {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        because: String,
    },
}

/// What was read: the sum of the good lines, and how many bytes they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Good {
    /// The sum; `None` if not even the first line is whole, so that nothing was done.
    pub log: Option<Log>,
    /// Bytes before a torn last line.
    pub len: usize,
}

impl Log {
    /// The sum of a first line.
    #[must_use]
    pub fn begun(id: String, made: Vec<PathBuf>, expects: BTreeMap<PathBuf, Glance>, plan: Plan) -> Self {
        let marks = vec![Mark::Untouched; plan.steps.len()];
        Self { id, made, expects, plan, marks, undoing: false, failed: None }
    }

    /// Adds one line.
    ///
    /// # Errors
    /// It contradicts what came before.
    pub fn add(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Begin { .. } => return Err("a second beginning".to_owned()),
            Event::Started { step, before } => *self.mark(step)? = Mark::Started { before },
            Event::Done { step } => {
                let mark = self.mark(step)?;
                match std::mem::take(mark) {
                    Mark::Started { before } | Mark::Done { before } => *mark = Mark::Done { before },
                    Mark::Untouched | Mark::Skipped | Mark::Undone => {
                        return Err(format!("step {step} is done and was never started"));
                    }
                }
            }
            Event::Skipped { step } => *self.mark(step)? = Mark::Skipped,
            Event::Failed { step, error } => {
                self.failed = Some((step, error));
                self.undoing = true;
            }
            Event::Undoing => self.undoing = true,
            Event::Undone { step } => *self.mark(step)? = Mark::Undone,
        }
        Ok(())
    }

    fn mark(&mut self, step: usize) -> Result<&mut Mark, String> {
        self.marks.get_mut(step).ok_or_else(|| format!("there is no step {step}"))
    }

    /// Whether nothing is left to do but to write the receipt.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let over = |mark: &Mark| matches!(mark, Mark::Done { .. } | Mark::Skipped);
        !self.undoing && self.marks.iter().all(over)
    }

    /// Whether this is not what the step may find where it is going to write: neither what was there when the plan
    /// was made nor what an earlier step of it has left there.
    #[must_use]
    pub fn is_foreign(&self, step: usize, found: &Before) -> bool {
        let Some(ours) = self.plan.steps.get(step) else { return false };
        let key = ours.key();
        let earlier = self.plan.steps.iter().take(step).rfind(|earlier| earlier.key() == key);
        match (ours, &key, found) {
            (Step::Move { from, .. }, _, Before::Names { at }) => {
                match (earlier, self.expects.get(from), at.get(from)) {
                    (None, Some(Glance::Thing(expected)), Some(found)) => !found.same(expected),
                    (None, Some(Glance::Absent), Some(_)) => true,
                    _ => false,
                }
            }
            (_, Some(Key::File(path)), Before::File { entry } | Before::Unit { entry, .. }) => {
                match earlier {
                    Some(earlier) => !earlier.wants(entry),
                    None => self.expects.get(path).is_some_and(|expected| *expected != Glance::from(entry)),
                }
            }
            _ => false,
        }
    }

    /// Whether a later step has followed this one on the same thing.
    #[must_use]
    pub fn is_followed(&self, step: usize) -> bool {
        let key = self.plan.steps.get(step).and_then(Step::key);
        key.is_some()
            && self.plan.steps.iter().zip(&self.marks).skip(step + 1).any(|(later, mark)| {
                later.key() == key && matches!(mark, Mark::Started { .. } | Mark::Done { .. })
            })
    }
}

/// Reads a journal.
///
/// # Errors
/// [`Unreadable`].
pub fn read(bytes: &[u8]) -> Result<Good, Unreadable> {
    let mut good = Good { log: None, len: 0 };
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_last = good.len + line.len() == bytes.len();
        let damaged = |because: String| Unreadable::Damaged { line: index + 1, because };
        let event = match serde_json::from_slice::<Event>(line) {
            Ok(event) if line.ends_with(b"\n") => event,
            // Some file systems leave zeros where a power cut caught the data on its way.
            _ if is_last && (!line.ends_with(b"\n") || line.contains(&0)) => return Ok(good),
            Ok(_) => return Err(damaged("it does not end".to_owned())),
            Err(error) => return Err(version_of(line).unwrap_or_else(|| damaged(error.to_string()))),
        };
        match (&mut good.log, event) {
            (None, Event::Begin { version, id, made, expects, plan, program: _ }) => {
                if version > VERSION {
                    return Err(Unreadable::Newer { found: version });
                }
                good.log = Some(Log::begun(id, made, expects, plan));
            }
            (None, _) => return Err(damaged("a journal begins with its plan".to_owned())),
            (Some(log), event) => log.add(event).map_err(damaged)?,
        }
        good.len += line.len();
    }
    Ok(good)
}

/// A first line of a later version need not parse, but it tells its version.
fn version_of(line: &[u8]) -> Option<Unreadable> {
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
    use crate::plan::whole::Verb;

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
            Event::Started { step: 0, before: Before::Nothing },
            Event::Done { step: 0 },
            Event::Skipped { step: 1 },
        ]
    }

    fn text(events: &[Event]) -> Vec<u8> {
        events.iter().flat_map(|event| (serde_json::to_string(event).unwrap() + "\n").into_bytes()).collect()
    }

    #[test]
    fn cut_anywhere_it_is_the_whole_lines_before_the_cut() {
        let events = lines();
        let all = text(&events);
        for cut in 0..=all.len() {
            let whole = (0..=events.len()).rev().find(|n| text(&events[..*n]).len() <= cut).unwrap();
            let good = read(&all[..cut]).unwrap();
            assert_eq!(good, read(&text(&events[..whole])).unwrap(), "cut at {cut}");
            assert_eq!(good.len, text(&events[..whole]).len());
            // Zeros in place of what was on its way.
            let zeros: Vec<u8> = all[..cut].iter().copied().chain([0; 9]).collect();
            assert_eq!(read(&zeros).unwrap(), good, "cut at {cut}, then zeros");
        }
        assert!(read(&all).unwrap().log.unwrap().is_complete());
    }

    #[test]
    fn damage_anywhere_else_is_loud() {
        let good = text(&lines());
        let first = good.iter().position(|b| *b == b'\n').unwrap();
        let mut bad = good.clone();
        bad[first + 3] = b'#';
        assert!(matches!(read(&bad), Err(Unreadable::Damaged { line: 2, .. })), "{:?}", read(&bad));
        let mut last = good.clone();
        let at = last.len() - 4;
        last[at] = b'#';
        assert!(matches!(read(&last), Err(Unreadable::Damaged { line: 4, .. })));
        let headless = &good[first + 1..];
        assert!(matches!(read(headless), Err(Unreadable::Damaged { line: 1, .. })));
        let newer = br#"{"event":"begin","version":7,"plan":{"shape":"unknown"}}
"#;
        assert_eq!(read(newer), Err(Unreadable::Newer { found: 7 }));
        let unknown_step = [&good[..], b"{\"event\":\"done\",\"step\":9}\n"].concat();
        assert!(matches!(read(&unknown_step), Err(Unreadable::Damaged { line: 5, .. })));
    }
}
