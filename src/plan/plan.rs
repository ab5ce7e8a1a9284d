//! A plan: everything that a verb is going to do to the machine, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::step::Step;

/// The steps of a verb, with what to tell about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The verb that made it.
    pub verb: Verb,
    /// The steps, in the order in which they are performed.
    pub steps: Vec<Step>,
    /// What will be true when every step is done.
    #[serde(default)]
    pub promises: Vec<Promise>,
    /// What a person should know before they agree.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// It takes over an installation: what it does is a layer of its own in the receipt, and to take that back brings the
    /// installation back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers: bool,
}

/// The verb that made a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// `init`.
    Init,
    /// `uninstall`.
    Uninstall,
    /// `doctor --fix`.
    Fix,
    /// `migrate`.
    Migrate,
    /// `migrate` without a mode: files of the detached model go into the archive, or come back from it.
    Sweep,
}

/// One sentence about what will be true when the plan is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Promise(pub String);

/// Something to know, and what to type about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// One sentence.
    pub text: String,
    /// The command to type about it, if one helps.
    #[serde(default, rename = "next", skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Plan {
    /// A plan without steps.
    #[must_use]
    pub fn new(verb: Verb) -> Self {
        Self { verb, steps: Vec::new(), promises: Vec::new(), notes: Vec::new(), covers: false }
    }
}

impl Verb {
    /// Whether the receipt records what its plans do, so that `uninstall` takes it back. A sweep moves a person's own
    /// files to where the person wants them: nothing of that is ours.
    #[must_use]
    pub(crate) fn is_recorded(self) -> bool {
        match self {
            Self::Init | Self::Uninstall | Self::Fix | Self::Migrate => true,
            Self::Sweep => false,
        }
    }
}

impl Note {
    /// A note without a hint.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init",
            Self::Uninstall => "uninstall",
            Self::Fix => "doctor --fix",
            Self::Migrate | Self::Sweep => "migrate",
        })
    }
}
