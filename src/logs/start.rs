//! Where somebody who follows a module begins.

use crate::module::stamp::Stamp;

/// Where following starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next line.
    Now,
    /// With the last lines, this many.
    Tail(usize),
    /// With this number: a client that comes back says which line it wants next.
    Seq(u64),
    /// With the first line read at this time or later.
    Since(Stamp),
}
