//! Notices an edited services.json: looks once a second at what the file is (inode, size, times), not at what it
//! says. Works on every file system and costs one `stat`; an inotify watch would be lost at every rename.

use std::time::Duration;

use crate::home::fs;
use crate::home::paths::Home;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// The watch.
#[derive(Debug)]
pub struct Watch {
    home: Home,
    seen: Option<fs::Signature>,
}

impl Watch {
    /// A watch that has seen the file as it is now. Begin it before the first read, so that no edit falls between.
    #[must_use]
    pub fn begin(home: Home) -> Self {
        let seen = fs::signature(&home.services());
        Self { home, seen }
    }

    /// Returns when the file is another one than when it was last looked at.
    pub async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = fs::signature(&self.home.services());
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}
