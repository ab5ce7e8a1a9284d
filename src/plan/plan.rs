//! A plan: everything that a verb will do to the machine, as data. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::step::Step;

/// The steps of a verb, and what to show about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The verb that made it.
    pub verb: Verb,
    /// The steps, in the order in which they are performed.
    pub steps: Vec<Step>,
    /// What will be true when every step is done.
    #[serde(default)]
    pub promises: Vec<Promise>,
    /// Notes to read before agreeing.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// It takes over an installation: its changes are a layer of their own in the receipt, and undoing that layer
    /// restores the other installation.
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
    /// `migrate` without a mode: files of the detached model are moved to the archive, or back from it.
    Sweep,
}

/// One sentence about what will be true when the plan is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Promise(pub String);

/// A note, and what to type about it.
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
    /// Whether the receipt records its plans, so that `uninstall` undoes them. A sweep moves the user's own
    /// files to a place of the user's choice: none of them is ours.
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
