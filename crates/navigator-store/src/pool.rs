//! A pool of connections with a queue that is left early: when nobody gets a connection, because the
//! database is away or hangs, and when more wait already than can be served in time. Once somebody
//! has found out that the queue stands still, one at a time looks whether it moves again and the
//! others are told at once. A queue that moves is waited in for longer, so that a burst is worked off
//! instead of refused.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::Error;
use tokio::time::{Instant, timeout_at};

/// In a queue that moves a request waits this long.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// More requests than this do not wait for one pool.
const MOST_WAITING: usize = 1024;

/// `P` is what the connections come from.
#[derive(Clone)]
pub(crate) struct Connections<P> {
    pub(crate) pool: P,
    /// How long a request waits while nobody gets a connection.
    pub(crate) patience: Duration,
    queue: Arc<Queue>,
}

struct Queue {
    waiting: AtomicUsize,
    /// When somebody last got a connection.
    moved: Mutex<Instant>,
    /// Somebody has waited in vain since.
    stands: AtomicBool,
}

/// A place in the queue.
struct Place<'a>(&'a Queue);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl Queue {
    fn enter(&self) -> Option<Place<'_>> {
        let before = self.waiting.fetch_add(1, Relaxed);
        let place = Place(self);
        let most = if self.stands.load(Relaxed) { 1 } else { MOST_WAITING };
        (before < most).then_some(place)
    }

    fn moves(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.stands.store(false, Relaxed);
    }

    fn moved(&self) -> Instant {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Connections<P> {
    pub(crate) fn new(pool: P, patience: Duration) -> Self {
        let queue = Queue {
            waiting: AtomicUsize::new(0),
            moved: Mutex::new(Instant::now()),
            stands: AtomicBool::new(false),
        };
        Self { pool, patience, queue: Arc::new(queue) }
    }

    /// Waits for what needs a connection of the pool, in the pool's order.
    ///
    /// # Errors
    /// Those of `taken`; [`Error::PoolTimedOut`] when the queue is too long or stands still.
    pub(crate) async fn waited<T>(
        &self,
        taken: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let _place = self.queue.enter().ok_or(Error::PoolTimedOut)?;
        let mut taken = pin!(taken);
        let mut until = Instant::now() + self.patience;
        while until > Instant::now() {
            if let Ok(result) = timeout_at(until, &mut taken).await {
                if result.is_ok() {
                    self.queue.moves();
                }
                return result;
            }
            until = self.queue.moved() + self.patience;
        }
        self.queue.stands.store(true, Relaxed);
        Err(Error::PoolTimedOut)
    }
}

#[cfg(test)]
mod tests;
