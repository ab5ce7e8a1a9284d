//! For how long each module is away while it changes hands: from the first signal until the hub calls it ready.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::api::client::{Client, ClientError};
use crate::api::wire::Ready;
use crate::plan::plan::Note;

/// Between two looks: what is told is true to this.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at the hub from the first signal on, since whoever waits for the hub first would measure too much.
#[derive(Debug)]
pub(super) struct Stopwatch {
    begun: Instant,
    seen: Arc<Mutex<BTreeMap<String, Duration>>>,
    looking: JoinHandle<()>,
}

impl Stopwatch {
    pub(super) fn start(begun: Instant, hub: Client) -> Self {
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let laps = Arc::clone(&seen);
        let looking = tokio::spawn(async move {
            loop {
                let ready: Result<Ready, ClientError> = hub.get("/api/ready").await;
                if let Ok(ready) = ready {
                    note(&laps, ready.ready_modules, begun.elapsed());
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { begun, seen, looking }
    }

    /// How long each of these was away.
    pub(super) fn told(&self, modules: &[String]) -> Vec<Note> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        modules
            .iter()
            .map(|module| {
                let away = seen.get(module).copied().unwrap_or_else(|| self.begun.elapsed());
                Note::new(format!("{module} was away for {} ms", away.as_millis()))
            })
            .collect()
    }
}

fn note(laps: &Mutex<BTreeMap<String, Duration>>, ready: Vec<String>, at: Duration) {
    let mut laps = laps.lock().unwrap_or_else(PoisonError::into_inner);
    // Who was there for a moment and fell over is away until it comes back for good.
    laps.retain(|module, _| ready.contains(module));
    for module in ready {
        laps.entry(module).or_insert(at);
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}
