//! A plan: everything that a verb is going to do to the machine, as a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::step::Step;

/// What a verb is going to do. It can be shown, run, and taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// For which verb.
    pub verb: Verb,
    /// In this order.
    pub steps: Vec<Step>,
    /// What will be true afterwards.
    #[serde(default)]
    pub promises: Vec<Promise>,
    /// What a person should know before they say yes.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// It takes over an installation: what it does is a layer of its own in the receipt, and to take that back brings the
    /// installation back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers: bool,
}

/// Who made a plan.
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
    /// `migrate` without a mode: leftovers go into the archive, or come back from it.
    Sweep,
}

/// Something that will be true afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Promise(pub String);

/// Something to know, and what to type about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// One sentence.
    pub text: String,
    /// The next command, if one helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Plan {
    /// One that does nothing yet.
    #[must_use]
    pub fn new(verb: Verb) -> Self {
        Self { verb, steps: Vec::new(), promises: Vec::new(), notes: Vec::new(), covers: false }
    }
}

impl Verb {
    /// Whether `uninstall` takes back what its plans do. A sweep puts a person's own things where they want them: nothing
    /// of it is ours, so no receipt tells of it.
    #[must_use]
    pub fn is_owed(self) -> bool {
        match self {
            Self::Init | Self::Uninstall | Self::Fix | Self::Migrate => true,
            Self::Sweep => false,
        }
    }
}

impl Note {
    /// One without a command.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), next: None }
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
