//! What an earlier life left behind, and how it is ended.

use std::collections::BTreeSet;

pub use crate::process::ending::{EndError, end, signal_all};
use crate::process::group::{self, Depth, Life};
use crate::process::id::ProcessId;
use crate::process::table;
use crate::process::unsure::Unsure;

/// Everything that is provably left of lives that an earlier hub began.
///
/// # Errors
/// [`Unsure`]: more may be left.
pub fn of_earlier(lives: &[Life]) -> Result<BTreeSet<ProcessId>, Unsure> {
    let (hub, nobody) = (table::own_pid(), BTreeSet::new());
    let mut left = BTreeSet::new();
    for life in lives {
        left.extend(group::remnants(life, hub, &nobody, Depth::Marks)?.into_iter().map(|info| info.id));
    }
    Ok(left)
}
