//! Notices a changed services.json or hub.env: compares once a second the metadata of each file (inode, size, times),
//! not its content. Works on every file system and costs a `stat` per file; an inotify watch would be lost at every
//! rename.

use std::time::Duration;

use crate::home::fs;
use crate::home::paths::Home;

/// Pause between two checks.
const LOOK: Duration = Duration::from_secs(1);

/// A file that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// `services.json`.
    Services,
    HubEnv,
}

#[derive(Debug)]
pub(crate) struct Watch {
    home: Home,
    reads_hub_env: bool,
    services: Option<fs::Signature>,
    hub_env: Option<fs::Signature>,
}

impl Watch {
    /// A watch that knows the files as they are now. Begin it before the first read, so that no change is missed.
    #[must_use]
    pub(crate) fn begin(home: Home, reads_hub_env: bool) -> Self {
        let mut watch = Self { home, reads_hub_env, services: None, hub_env: None };
        while watch.look().is_some() {}
        watch
    }

    /// Returns when one of them has changed since the last check.
    pub(crate) async fn changed(&mut self) -> Changed {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(changed) = self.look() {
                return changed;
            }
        }
    }

    fn look(&mut self) -> Option<Changed> {
        let services = fs::signature(&self.home.services());
        if std::mem::replace(&mut self.services, services) != services {
            return Some(Changed::Services);
        }
        // Of the name itself: a link is refused, whatever its target.
        let hub_env = self.reads_hub_env.then(|| fs::signature_of_name(&self.home.hub_env())).flatten();
        (std::mem::replace(&mut self.hub_env, hub_env) != hub_env).then_some(Changed::HubEnv)
    }
}
