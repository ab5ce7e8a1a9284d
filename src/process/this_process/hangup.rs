//! Whether a hang-up of the terminal ends this process.

use crate::process::os;

/// Whether it was started with nohup(1). To be called before a handler is installed.
#[must_use]
pub(crate) fn is_ignored() -> bool {
    os::ignores_hangup()
}
