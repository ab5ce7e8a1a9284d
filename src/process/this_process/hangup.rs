//! What this process was told about the end of its terminal.

use crate::process::os;

/// Whether it was started to outlive it, by nohup(1). To be asked before a handler is installed.
#[must_use]
pub fn is_ignored() -> bool {
    os::ignores_hangup()
}
