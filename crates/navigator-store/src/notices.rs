//! What servers say to each other through the database: PostgreSQL's LISTEN and NOTIFY.
//!
//! In and out: short texts, of which nothing is kept: whoever does not listen does not hear. Never
//! part of a transaction that changes anything: NOTIFY makes commits wait for each other.

use std::io::ErrorKind;

use sqlx::{
    Error,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgListener},
};

use crate::{backend::Backend, error::StoreError, sql::Sql};

const CHANNEL: &str = "navigator";

/// PostgreSQL takes less than 8,000 bytes.
pub const LONGEST_NOTICE: usize = 7_999;

/// One server's ear, with a connection of its own.
#[derive(Debug)]
pub struct Notices(PgListener);

impl Notices {
    pub(crate) async fn listen(backend: &Backend) -> Result<Option<Self>, StoreError> {
        let Backend::Postgres(connections) = backend else {
            return Ok(None);
        };
        let listener = Self::listener(connections.pool.options()).await;
        listener.map(|listener| Some(Self(listener))).map_err(|e| StoreError::of("LISTEN", e))
    }

    async fn listener(options: &PgConnectOptions) -> Result<PgListener, Error> {
        let own = PoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone());
        let mut listener = PgListener::connect_with(&own.await?).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// The next one. May be given up while it waits, without losing any.
    ///
    /// # Errors
    /// The connection is lost, and with it perhaps some: listen anew.
    pub async fn next(&mut self) -> Result<String, StoreError> {
        match self.0.try_recv().await {
            Ok(Some(notice)) => Ok(notice.payload().to_owned()),
            Ok(None) => Err(StoreError::Unavailable(Error::Io(ErrorKind::UnexpectedEof.into()))),
            Err(error) => Err(StoreError::of("LISTEN", error)),
        }
    }
}

/// A transaction of its own, for whose place on the disk nobody waits.
pub(crate) async fn notify(backend: &Backend, text: &str) -> Result<(), StoreError> {
    let notify = Sql::with(
        "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)",
        [CHANNEL.into(), text.into()],
    );
    backend.fetch(notify, &[]).await.map(drop)
}
