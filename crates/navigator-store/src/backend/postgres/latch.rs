//! Rows that a transaction of this server is about to lock, or has locked. The next one that wants the same
//! row waits for it in the database, which goes on with it at the commit without another word from here. All
//! others wait here, in the order in which they came: in the database they would be woken in any order, look
//! for the row's newest version again each time, and keep a process each.
//!
//! Only the first lock of a transaction is waited for here, while it holds nothing: so nobody waits in a
//! circle. The database's own locks decide, between servers too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who has the row, and who waits for it in the database.
const IN_THE_DATABASE: usize = 2;

/// Table and id.
type Key = (&'static str, String);

#[derive(Clone, Default)]
pub(crate) struct Latches(Arc<Mutex<HashMap<Key, Arc<Semaphore>>>>);

/// A row that only one other of this server has, or waits for in the database.
pub(crate) struct Latch {
    latches: Latches,
    key: Key,
    row: Arc<Semaphore>,
    /// `None` while it waits: nobody closes a row's semaphore.
    turn: Option<OwnedSemaphorePermit>,
}

impl Latches {
    pub(crate) async fn take(&self, table: &'static str, id: &str) -> Latch {
        let key = (table, id.to_owned());
        let row = Arc::clone(
            self.rows()
                .entry(key.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(IN_THE_DATABASE))),
        );
        let mut latch = Latch { latches: self.clone(), key, row, turn: None };
        latch.turn = Arc::clone(&latch.row).acquire_owned().await.ok();
        latch
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Key, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut rows = self.latches.rows();
        self.turn = None;
        // The map's and this one: rows that nobody wants leave nothing behind.
        if Arc::strong_count(&self.row) == 2 {
            rows.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_goes_from_one_to_the_next_in_their_order_and_is_then_forgotten() {
        let latches = Latches::default();
        let first = [latches.take("ports", "a").await, latches.take("ports", "a").await];
        let other = latches.take("ports", "b").await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..8 {
            let (latches, order) = (latches.clone(), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _latch = latches.take("ports", "a").await;
                order.lock().unwrap().push(number);
                tokio::task::yield_now().await;
            }));
            tokio::task::yield_now().await;
        }
        // One that gives up is in nobody's way.
        waiting.remove(3).abort();
        assert!(order.lock().unwrap().is_empty());
        drop(first);
        for waiting in waiting {
            waiting.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 4, 5, 6, 7]);
        assert_eq!(latches.rows().len(), 1);
        drop(other);
        assert!(latches.rows().is_empty());
    }
}
