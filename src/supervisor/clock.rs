//! The clocks of the running side. Everything else is given the time.
#![expect(clippy::disallowed_methods, reason = "edge: the monotonic and the wall clock are read here")]

use std::time::{Instant, SystemTime};

use crate::module::stamp::Stamp;

use super::state::Moment;

/// Reads both clocks and throws the dice.
#[must_use]
pub fn moment() -> Moment {
    Moment { mono: Instant::now(), wall: Stamp::of(SystemTime::now()), dice: fastrand::u8(..) }
}
