//! The crash matrix: what is to be done with a step of a plan that was cut short. Pure.
//!
//! | journal | the world now | to finish | to take back |
//! |---|---|---|---|
//! | nothing, taken back | – | run it | nothing |
//! | skipped | the goal | go on | nothing |
//! | skipped | anything else | bring it back if it is a service, else leave it | nothing |
//! | started | as before | run it | nothing |
//! | started | partly | run it | inverse |
//! | started | the goal | note it as done | inverse |
//! | started | neither | stop and ask | refuse, go on with the others |
//! | done | as before | run it | nothing |
//! | done | partly | run it | inverse |
//! | done | the goal | go on | inverse |
//! | done | neither | leave and report | leave and report |
//!
//! "Done, and the world as before" is what a power cut leaves of a service that ran, and of whatever a manager
//! forgets at a boot. A step that a later one with the same key has followed is over, whatever is there now.

use super::observed::Before;
use super::recovery::Standing;

/// What the journal says about a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing.
    #[default]
    Untouched,
    /// It was so already, or could be missed: nothing to take back.
    Skipped,
    /// It was about to be performed.
    Started {
        /// What was found then.
        before: Before,
    },
    /// It was performed, and what it wants was found to be so.
    Done {
        /// What was found before.
        before: Before,
    },
    /// It was taken back, or left.
    Undone,
}

/// To finish a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Forward {
    /// Look, and do whatever is to be done.
    Begin,
    /// Perform it: what was found before is in the journal.
    Perform,
    /// It came true and nobody wrote that down.
    NoteDone,
    /// Go on with the next.
    GoOn,
    /// Somebody changed it after us: go on with the next, and say so.
    Leave,
    /// It was so before the plan. A boot changes what runs: that is made so again, and was never ours to take back.
    /// Anything else is left.
    Renew,
    /// Somebody was here in the middle of it: a person decides.
    Stop,
}

/// To take a plan back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Backward {
    /// Nothing to do.
    Nothing,
    /// Perform the inverse.
    Inverse,
    /// Somebody changed it: go on with the others, and say so.
    Leave,
}

impl Mark {
    /// What was found before the step, if it may have had an effect.
    #[must_use]
    pub fn before(&self) -> Option<&Before> {
        match self {
            Self::Started { before } | Self::Done { before } => Some(before),
            Self::Untouched | Self::Skipped | Self::Undone => None,
        }
    }

    /// What to do with this step to finish the plan.
    pub fn forward(&self, standing: Standing) -> Forward {
        match (self, standing) {
            (Self::Untouched | Self::Undone, _) => Forward::Begin,
            (Self::Skipped, Standing::Done) => Forward::GoOn,
            (Self::Skipped, Standing::NotYet | Standing::Partly | Standing::Neither) => Forward::Renew,
            (Self::Started { .. } | Self::Done { .. }, Standing::NotYet | Standing::Partly) => {
                Forward::Perform
            }
            (Self::Started { .. }, Standing::Done) => Forward::NoteDone,
            (Self::Started { .. }, Standing::Neither) => Forward::Stop,
            (Self::Done { .. }, Standing::Done) => Forward::GoOn,
            (Self::Done { .. }, Standing::Neither) => Forward::Leave,
        }
    }

    /// What to do with this step to take the plan back.
    pub fn backward(&self, standing: Standing) -> Backward {
        match (self, standing) {
            (Self::Untouched | Self::Skipped | Self::Undone, _) => Backward::Nothing,
            (Self::Started { .. } | Self::Done { .. }, Standing::NotYet) => Backward::Nothing,
            (Self::Started { .. } | Self::Done { .. }, Standing::Partly | Standing::Done) => {
                Backward::Inverse
            }
            (Self::Started { .. } | Self::Done { .. }, Standing::Neither) => Backward::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cell. A new mark or standing breaks the build in the matches above.
    #[test]
    fn the_whole_table() {
        use Standing::{Done, Neither, NotYet, Partly};
        let before = || Before::Nothing;
        let standings = [NotYet, Partly, Done, Neither];
        let begin = [Forward::Begin; 4];
        let nothing = [Backward::Nothing; 4];
        let back = [Backward::Nothing, Backward::Inverse, Backward::Inverse, Backward::Leave];
        let table = [
            (Mark::Untouched, begin, nothing),
            (Mark::Skipped, [Forward::Renew, Forward::Renew, Forward::GoOn, Forward::Renew], nothing),
            (Mark::Undone, begin, nothing),
            (
                Mark::Started { before: before() },
                [Forward::Perform, Forward::Perform, Forward::NoteDone, Forward::Stop],
                back,
            ),
            (
                Mark::Done { before: before() },
                [Forward::Perform, Forward::Perform, Forward::GoOn, Forward::Leave],
                back,
            ),
        ];
        for (mark, forward, backward) in table {
            assert_eq!(standings.map(|standing| mark.forward(standing)), forward, "{mark:?}");
            assert_eq!(standings.map(|standing| mark.backward(standing)), backward, "{mark:?}");
        }
    }
}
