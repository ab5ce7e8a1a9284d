//! A limited number of connections. When all are taken, the one that has been idle for longest is closed for the
//! next, so that idle connections block no client.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::sync::mutex::lock;

/// A connection that was asked to close may have started a request: after this time the next one is asked.
const AGAIN: Duration = Duration::from_millis(20);

/// How many connections one listener has at once.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimit {
    most: usize,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<IdleQueue<Arc<Notify>>>>,
}

impl ConnectionLimit {
    /// At most this many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, slots: Arc::new(Semaphore::new(most)), idle: Arc::default() }
    }

    /// A permit for one more. Waits while all others are being served.
    pub(crate) async fn admit(&self) -> ConnectionPermit {
        loop {
            if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                return self.permit(slot);
            }
            let longest = lock(&self.idle).longest();
            if let Some(leave) = longest {
                leave.notify_one();
            }
            let slot = Arc::clone(&self.slots).acquire_owned();
            if let Ok(Ok(slot)) = tokio::time::timeout(AGAIN, slot).await {
                return self.permit(slot);
            }
        }
    }

    fn permit(&self, slot: OwnedSemaphorePermit) -> ConnectionPermit {
        let leave = Arc::new(Notify::new());
        let since = lock(&self.idle).rest(Arc::clone(&leave));
        let activity =
            Activity { idle: Arc::clone(&self.idle), leave, state: Mutex::new(ActivityState::Silent(since)) };
        ConnectionPermit { activity: Arc::new(activity), _slot: slot }
    }

    /// Waits until all connections have ended.
    pub(crate) async fn gone(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        // The semaphore is never closed, so this does not fail.
        let _ = self.slots.acquire_many(all).await;
    }
}

/// One connection, while it is served.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    activity: Arc<Activity>,
    _slot: OwnedSemaphorePermit,
}

impl ConnectionPermit {
    /// The counter of its requests.
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// Waits until another connection needs its place while it is idle.
    pub(crate) async fn unwanted(&self) {
        loop {
            self.activity.leave.notified().await;
            if matches!(*lock(&self.activity.state), ActivityState::Silent(_)) {
                return;
            }
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *lock(&self.activity.state), ActivityState::Left);
        if let ActivityState::Silent(since) = state {
            lock(&self.activity.idle).speak(since);
        }
    }
}

#[derive(Debug)]
enum ActivityState {
    /// Idle since then.
    Silent(u64),
    /// This many of its requests are being answered.
    Asking(usize),
    Left,
}

/// The activity of one connection, shared with its requests.
#[derive(Debug)]
pub(crate) struct Activity {
    idle: Arc<Mutex<IdleQueue<Arc<Notify>>>>,
    leave: Arc<Notify>,
    state: Mutex<ActivityState>,
}

impl Activity {
    /// Counts a request until the returned value is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> ActiveRequest {
        let mut state = lock(&self.state);
        match &mut *state {
            ActivityState::Silent(since) => {
                lock(&self.idle).speak(*since);
                *state = ActivityState::Asking(1);
            }
            ActivityState::Asking(count) => *count += 1,
            ActivityState::Left => {}
        }
        ActiveRequest(Arc::clone(self))
    }
}

/// A request that is not completely answered yet.
#[derive(Debug)]
pub(crate) struct ActiveRequest(Arc<Activity>);

impl ActiveRequest {
    /// The same body, which ends the request when it is dropped.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        Body::new(CountedBody { body, _active: self })
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        match &mut *state {
            ActivityState::Asking(1) => {
                *state = ActivityState::Silent(lock(&self.0.idle).rest(Arc::clone(&self.0.leave)));
            }
            ActivityState::Asking(count) => *count -= 1,
            ActivityState::Silent(_) | ActivityState::Left => {}
        }
    }
}

struct CountedBody {
    body: Body,
    _active: ActiveRequest,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The idle connections, in the order in which they became idle.
#[derive(Debug)]
struct IdleQueue<T> {
    next: u64,
    since: BTreeMap<u64, T>,
}

impl<T> Default for IdleQueue<T> {
    fn default() -> Self {
        Self { next: 0, since: BTreeMap::new() }
    }
}

impl<T> IdleQueue<T> {
    /// Adds one, which is identified by the returned number.
    fn rest(&mut self, who: T) -> u64 {
        self.next += 1;
        self.since.insert(self.next, who);
        self.next
    }

    /// Removes one that has a request or has ended.
    fn speak(&mut self, since: u64) {
        self.since.remove(&since);
    }

    /// Removes the one that has been idle longest.
    fn longest(&mut self) -> Option<T> {
        self.since.pop_first().map(|(_, who)| who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_is_closed_first_and_an_active_one_stays() {
        let mut idle = IdleQueue::default();
        let [_, second, _] = ["first", "second", "third"].map(|who| idle.rest(who));
        assert_eq!(idle.longest(), Some("first"));
        idle.speak(second);
        let _ = idle.rest("second again");
        assert_eq!(idle.longest(), Some("third"));
        assert_eq!(idle.longest(), Some("second again"));
        assert_eq!(idle.longest(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_limit_makes_room_but_closes_no_active_connection() {
        let limit = ConnectionLimit::new(2);
        let busy = limit.admit().await;
        let active = busy.activity().begin_request();
        let idle = limit.admit().await;
        let (next, ()) = tokio::join!(limit.admit(), async {
            idle.unwanted().await;
            drop(idle);
        });
        let also = next.activity().begin_request();
        let waits = tokio::time::timeout(Duration::from_secs(10), limit.admit()).await;
        assert!(waits.is_err(), "both are being served");
        drop(also.until_sent(Body::empty()));
        // It is idle again, and the one that has been served longest is still open.
        let (third, ()) = tokio::join!(limit.admit(), async {
            next.unwanted().await;
            drop(next);
        });
        drop((third, active, busy));
        limit.gone().await;
    }
}
