//! Measures the downtime of each module in a cutover: from the first signal to its detached daemon until the hub
//! reports it ready.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::api::client::{Client, ClientError};
use crate::api::wire::Ready;
use crate::plan::Note;

/// Pause between two requests, and so the precision of the measurement.
const PAUSE: Duration = Duration::from_millis(5);

/// Polls the hub, beginning with the first signal: a measurement that begins when the hub answers would
/// come too late.
#[derive(Debug)]
pub(super) struct Downtime {
    begun: Instant,
    ready_after: Arc<Mutex<BTreeMap<String, Duration>>>,
    poller: JoinHandle<()>,
}

impl Downtime {
    pub(super) fn measure(begun: Instant, hub: Client) -> Self {
        let ready_after = Arc::new(Mutex::new(BTreeMap::new()));
        let written = Arc::clone(&ready_after);
        let poller = tokio::spawn(async move {
            loop {
                let ready: Result<Ready, ClientError> = hub.get("/api/ready").await;
                if let Ok(ready) = ready {
                    record(&written, ready.ready_modules, begun.elapsed());
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { begun, ready_after, poller }
    }

    /// The downtime of each of these modules.
    pub(super) fn notes(&self, modules: &[String]) -> Vec<Note> {
        let ready_after = self.ready_after.lock().unwrap_or_else(PoisonError::into_inner);
        modules
            .iter()
            .map(|module| {
                let downtime = ready_after.get(module).copied().unwrap_or_else(|| self.begun.elapsed());
                Note::new(format!("{module} was away for {} ms", downtime.as_millis()))
            })
            .collect()
    }
}

fn record(ready_after: &Mutex<BTreeMap<String, Duration>>, ready: Vec<String>, at: Duration) {
    let mut ready_after = ready_after.lock().unwrap_or_else(PoisonError::into_inner);
    // A module that was ready for a moment and crashed is down until it is ready again and stays ready.
    ready_after.retain(|module, _| ready.contains(module));
    for module in ready {
        ready_after.entry(module).or_insert(at);
    }
}

impl Drop for Downtime {
    fn drop(&mut self) {
        self.poller.abort();
    }
}
