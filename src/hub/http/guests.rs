//! Who is connected: a bounded number of guests. When all places are taken, whoever has said nothing for longest makes
//! room for the next, so that idle connections lock nobody out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::sync::mutex::lock;

/// Who was asked to leave may have started to ask something: after so long the next one is asked.
const AGAIN: Duration = Duration::from_millis(20);

/// Places on one listener.
#[derive(Debug, Clone)]
pub struct Guests {
    places: usize,
    slots: Arc<Semaphore>,
    silent: Arc<Mutex<Silent<Arc<Notify>>>>,
}

impl Guests {
    /// So many at once.
    pub fn new(places: usize) -> Self {
        Self { places, slots: Arc::new(Semaphore::new(places)), silent: Arc::default() }
    }

    /// A place for one more. Waits while everybody else is being served.
    pub async fn admit(&self) -> Guest {
        loop {
            if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                return self.seat(slot);
            }
            let longest = lock(&self.silent).longest();
            if let Some(leave) = longest {
                leave.notify_one();
            }
            let slot = Arc::clone(&self.slots).acquire_owned();
            if let Ok(Ok(slot)) = tokio::time::timeout(AGAIN, slot).await {
                return self.seat(slot);
            }
        }
    }

    fn seat(&self, slot: OwnedSemaphorePermit) -> Guest {
        let leave = Arc::new(Notify::new());
        let since = lock(&self.silent).rest(Arc::clone(&leave));
        let seat = Seat { silent: Arc::clone(&self.silent), leave, place: Mutex::new(Place::Silent(since)) };
        Guest { seat: Arc::new(seat), _slot: slot }
    }

    /// Until everybody has left.
    pub async fn gone(&self) {
        let all = u32::try_from(self.places).unwrap_or(u32::MAX);
        // A semaphore that is never closed refuses nobody.
        let _ = self.slots.acquire_many(all).await;
    }
}

/// One connection, for as long as it is served.
#[derive(Debug)]
pub struct Guest {
    seat: Arc<Seat>,
    _slot: OwnedSemaphorePermit,
}

impl Guest {
    /// What its requests are counted on.
    pub fn seat(&self) -> Arc<Seat> {
        Arc::clone(&self.seat)
    }

    /// Until somebody else needs its place, and it asks for nothing.
    pub async fn unwanted(&self) {
        loop {
            self.seat.leave.notified().await;
            if matches!(*lock(&self.seat.place), Place::Silent(_)) {
                return;
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let place = std::mem::replace(&mut *lock(&self.seat.place), Place::Left);
        if let Place::Silent(since) = place {
            lock(&self.seat.silent).speak(since);
        }
    }
}

#[derive(Debug)]
enum Place {
    /// Asks for nothing, since then.
    Silent(u64),
    /// So many requests of it are being answered.
    Asking(usize),
    Left,
}

/// Where a guest is, for its requests.
#[derive(Debug)]
pub struct Seat {
    silent: Arc<Mutex<Silent<Arc<Notify>>>>,
    leave: Arc<Notify>,
    place: Mutex<Place>,
}

impl Seat {
    /// It asks for something, until what comes back is dropped.
    pub fn asks(self: &Arc<Self>) -> Asking {
        let mut place = lock(&self.place);
        match &mut *place {
            Place::Silent(since) => {
                lock(&self.silent).speak(*since);
                *place = Place::Asking(1);
            }
            Place::Asking(count) => *count += 1,
            Place::Left => {}
        }
        Asking(Arc::clone(self))
    }
}

/// A request that is not answered to its last byte yet.
#[derive(Debug)]
pub struct Asking(Arc<Seat>);

impl Asking {
    /// The same body, which ends the request when it is dropped.
    pub fn until_sent(self, body: Body) -> Body {
        Body::new(Answer { body, _asking: self })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut place = lock(&self.0.place);
        match &mut *place {
            Place::Asking(1) => {
                *place = Place::Silent(lock(&self.0.silent).rest(Arc::clone(&self.0.leave)));
            }
            Place::Asking(count) => *count -= 1,
            Place::Silent(_) | Place::Left => {}
        }
    }
}

struct Answer {
    body: Body,
    _asking: Asking,
}

impl HttpBody for Answer {
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

/// Those who say nothing, in the order in which they fell silent.
#[derive(Debug)]
struct Silent<T> {
    next: u64,
    since: BTreeMap<u64, T>,
}

impl<T> Default for Silent<T> {
    fn default() -> Self {
        Self { next: 0, since: BTreeMap::new() }
    }
}

impl<T> Silent<T> {
    /// One more, by this number from now on.
    fn rest(&mut self, who: T) -> u64 {
        self.next += 1;
        self.since.insert(self.next, who);
        self.next
    }

    /// It says something, or has left.
    fn speak(&mut self, since: u64) {
        self.since.remove(&since);
    }

    /// Takes out who has been silent longest.
    fn longest(&mut self) -> Option<T> {
        self.since.pop_first().map(|(_, who)| who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_fell_silent_first_goes_first_and_who_speaks_stays() {
        let mut silent = Silent::default();
        let [_, second, _] = ["first", "second", "third"].map(|who| silent.rest(who));
        assert_eq!(silent.longest(), Some("first"));
        silent.speak(second);
        let _ = silent.rest("second again");
        assert_eq!(silent.longest(), Some("third"));
        assert_eq!(silent.longest(), Some("second again"));
        assert_eq!(silent.longest(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_house_makes_room_but_nobody_who_asks_is_sent_away() {
        let guests = Guests::new(2);
        let busy = guests.admit().await;
        let asking = busy.seat().asks();
        let idle = guests.admit().await;
        let (next, ()) = tokio::join!(guests.admit(), async {
            idle.unwanted().await;
            drop(idle);
        });
        let also = next.seat().asks();
        let waits = tokio::time::timeout(Duration::from_secs(10), guests.admit()).await;
        assert!(waits.is_err(), "both are being served");
        drop(also.until_sent(Body::empty()));
        // It is silent again, and the one who has been served longest is still there.
        let (third, ()) = tokio::join!(guests.admit(), async {
            next.unwanted().await;
            drop(next);
        });
        drop((third, asking, busy));
        guests.gone().await;
    }
}
