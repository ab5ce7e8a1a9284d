//! How much of its own program a process has mapped.

use crate::process::os;

/// Forgets where the machine code of this program is mapped, once what only its start needed has run. Says whether it
/// could be done; nothing but memory depends on it.
///
/// The kernel maps sixteen pages around each one that is used, so that a start (arguments, settings, units) leaves far
/// more mapped than a hub uses afterwards. What is needed again is found in the page cache, at a microsecond a piece.
/// On macOS nothing is done.
pub fn forget() -> bool {
    os::forget_text()
}
