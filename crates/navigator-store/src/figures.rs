//! What a store has done since it was opened, in numbers for the server's metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sqlx::{Pool, Sqlite};

use crate::backend::Backend;

/// Counted since the store was opened; connections as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Decisions that were committed.
    pub committed: u64,
    /// Decisions that a rule refused.
    pub refused: u64,
    /// Decisions that ended without an answer: the database was away, or too contended for all
    /// attempts.
    pub failed: u64,
    /// Attempts that met a deadlock, a serialization failure or a unique key that was taken
    /// meanwhile.
    pub conflicts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Open connections to the database.
    pub connections: u64,
    /// Of these, waiting for work.
    pub idle_connections: u64,
    /// The most that are ever opened.
    pub most_connections: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) committed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) retries: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    pub(crate) fn figures(&self, backend: &Backend) -> Figures {
        let mut figures = Figures {
            committed: self.committed.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            retries: self.retries.load(Relaxed),
            ..Figures::default()
        };
        match backend {
            Backend::Sqlite { writer, readers } => {
                figures.add(&writer.pool);
                figures.add(&readers.pool);
            }
            Backend::Postgres(connections) => {
                let pool = &connections.pool;
                figures.connections = u64::from(pool.open_count());
                figures.idle_connections = pool.idle_count() as u64;
                figures.most_connections = u64::from(pool.most());
            }
        }
        figures
    }
}

impl Figures {
    fn add(&mut self, pool: &Pool<Sqlite>) {
        self.connections += u64::from(pool.size());
        self.idle_connections += pool.num_idle() as u64;
        self.most_connections += u64::from(pool.options().get_max_connections());
    }
}
