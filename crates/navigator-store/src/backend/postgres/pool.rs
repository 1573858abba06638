//! Open connections to PostgreSQL. A connection is given back where its last statement ended, by whoever
//! ran it, and is taken without a question: a test before and after each use would be two of a read's three
//! round trips. So a connection may be found broken by its next statement. Whoever takes one begins with
//! something that may be done again on a new one, and does that.
//!
//! Never given back: a connection in a transaction, or with an answer on its way.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions as _, Connection as _, Error, PgConnection, postgres::PgConnectOptions};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::context::TokioContext;

use super::{
    latch::{Latch, Latches},
    message::Prepared,
};
use crate::error::{Fault, fault};

/// Between attempts to reach a server that is not there yet, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A connection that nobody needed for so long is closed.
const LONGEST_IDLE: Duration = Duration::from_mins(10);
/// A server's process keeps what it ever planned and looked up.
const LONGEST_LIFE: Duration = Duration::from_mins(30);

#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    /// Hears what comes on the connections, whoever opened them: its threads give way to nobody.
    runtime: Handle,
    most: u32,
    places: Arc<Semaphore>,
    /// The one that was used last is the last, and the next to be taken.
    idle: Mutex<Vec<Idle>>,
    open: Arc<AtomicU32>,
    closed: AtomicBool,
    latches: Latches,
}

struct Idle {
    opened: Opened,
    since: Instant,
}

struct Opened {
    connection: PgConnection,
    prepared: Prepared,
    at: Instant,
    _counted: Counted,
}

/// One of the open ones as long as it lives.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn new(open: &Arc<AtomicU32>) -> Self {
        open.fetch_add(1, Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A connection in use, which is closed if it is dropped instead of given back.
pub(crate) struct Taken {
    opened: Opened,
    pool: Pool,
    place: OwnedSemaphorePermit,
}

/// Which connections will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    /// One that nobody has used, since another one was found broken.
    New,
}

impl Pool {
    /// Of the runtime that it is made in.
    pub(crate) fn new(options: PgConnectOptions, most: u32) -> Self {
        Self(Arc::new(Inner {
            options,
            runtime: Handle::current(),
            most,
            places: Arc::new(Semaphore::new(most as usize)),
            idle: Mutex::default(),
            open: Arc::default(),
            closed: AtomicBool::new(false),
            latches: Latches::default(),
        }))
    }

    /// See `latch.rs`.
    pub(super) async fn latch(&self, table: &'static str, id: &str) -> Latch {
        self.0.latches.take(table, id).await
    }

    /// For a connection that is not one of these.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    /// Waits for a place, and where there is no server for one.
    pub(crate) async fn take(&self, wanted: Wanted) -> Result<Taken, Error> {
        let place = Arc::clone(&self.0.places).acquire_owned().await;
        let place = place.map_err(|_| Error::PoolClosed)?;
        if self.0.closed.load(Relaxed) {
            return Err(Error::PoolClosed);
        }
        let idle = match wanted {
            Wanted::Any => self.idle().pop().map(|idle| idle.opened),
            // Those that wait beside a broken one are most likely broken too.
            Wanted::New => {
                self.idle().clear();
                None
            }
        };
        let opened = match idle {
            Some(opened) => opened,
            None => self.open().await?,
        };
        Ok(Taken { opened, pool: self.clone(), place })
    }

    async fn open(&self) -> Result<Opened, Error> {
        let mut pause = FIRST_PAUSE;
        let connection = loop {
            let connect = TokioContext::new(self.0.options.connect(), self.0.runtime.clone());
            match connect.await {
                Ok(connection) => break connection,
                Err(error) if is_starting(&error) => {}
                Err(error) => return Err(error),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        let _counted = Counted::new(&self.0.open);
        Ok(Opened { connection, prepared: Prepared::default(), at: Instant::now(), _counted })
    }

    /// Returns when a server that owes an answer does not take a new connection either. While it does,
    /// the answer takes its time.
    pub(crate) async fn gone(&self, patience: Duration) {
        loop {
            sleep(patience).await;
            match timeout(patience, self.0.options.connect()).await {
                // Full, for example: somebody is there who says so.
                Ok(Err(Error::Database(_))) => {}
                Ok(Ok(connection)) => {
                    let _ = connection.close().await;
                }
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// When those who have a connection have given it back.
    pub(crate) async fn close(&self) {
        self.0.closed.store(true, Relaxed);
        let _all = self.0.places.acquire_many(self.0.most).await;
        let idle = std::mem::take(&mut *self.idle());
        for Idle { opened, .. } in idle {
            // It is closed either way.
            let _ = opened.connection.close().await;
        }
        self.0.places.close();
    }

    pub(crate) fn open_count(&self) -> u32 {
        self.0.open.load(Relaxed)
    }

    pub(crate) fn idle_count(&self) -> usize {
        self.idle().len()
    }

    pub(crate) fn most(&self) -> u32 {
        self.0.most
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, opened: Opened) {
        let now = Instant::now();
        let mut old = Vec::new();
        if now.duration_since(opened.at) < LONGEST_LIFE {
            let mut idle = self.idle();
            idle.push(Idle { opened, since: now });
            let unused = idle.partition_point(|one| now.duration_since(one.since) >= LONGEST_IDLE);
            old.extend(idle.drain(..unused).map(|one| one.opened));
        } else {
            old.push(opened);
        }
        for Opened { connection, .. } in old {
            tokio::spawn(connection.close());
        }
    }
}

impl Taken {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.opened.connection
    }

    /// With what it has prepared for messages.
    pub(super) fn parts(&mut self) -> (&mut PgConnection, &mut Prepared) {
        (&mut self.opened.connection, &mut self.opened.prepared)
    }

    /// Becomes the one that was given back last, if there is one: what was asked on it is most likely what is
    /// to be asked again, and its process has all of it at hand. Nothing has been asked on this one.
    pub(super) fn become_last_used(&mut self) {
        let last = self.pool.idle().pop();
        if let Some(last) = last {
            let unused = std::mem::replace(&mut self.opened, last.opened);
            self.pool.put(unused);
        }
    }

    /// Nothing is open on it: no transaction, no answer.
    pub(crate) fn give_back(self) {
        let Self { opened, pool, place } = self;
        pool.put(opened);
        // Whoever waits for it finds the connection.
        drop(place);
    }

    /// Unless the statement that ended so has shown it to be broken.
    pub(crate) fn give_back_after<T>(self, ended: &Result<T, Error>) {
        if ended.as_ref().err().is_none_or(|error| !is_broken(error)) {
            self.give_back();
        }
    }
}

/// Whether the connection, and not what was asked, is what failed.
pub(crate) fn is_broken(error: &Error) -> bool {
    match error {
        // What the server says before it ends a connection; whatever else it says, it goes on.
        Error::Database(database) => {
            fault(error) == Fault::Unavailable
                && database
                    .code()
                    .is_some_and(|code| code.starts_with("57") || code.starts_with("08"))
        }
        Error::ColumnDecode { .. } | Error::ColumnNotFound(_) | Error::Decode(_) => false,
        _ => true,
    }
}

/// Whether a server that is about to start would say so.
fn is_starting(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}
