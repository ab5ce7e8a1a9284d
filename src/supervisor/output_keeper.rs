//! Where the read ends of modules' outputs stay open while there is no hub, so that the last words of a module that ends
//! meanwhile are not lost. Pure.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::module::name::Short;

/// Keeps them, if the service manager can: systemd's file descriptor store.
pub(crate) trait OutputKeeper: Debug + Send + Sync {
    /// Keeps the read ends of a run of this module, stdout first, instead of those of an earlier run. Never waits.
    fn keep(&self, short: &Short, readers: [BorrowedFd<'_>; 2]);

    /// The module has no run any more. Never waits.
    fn forget(&self, short: &Short);
}

/// What was kept since an earlier hub, and what keeps it from now on.
#[derive(Debug, Default)]
pub(crate) struct KeptOutputs {
    /// `None`: nothing does.
    pub(crate) keeper: Option<Arc<dyn OutputKeeper>>,
    /// By module: stdout, stderr.
    pub(crate) earlier: BTreeMap<Short, [Option<OwnedFd>; 2]>,
}
