//! The two databases behind one face: a transaction that takes one SQL text and answers rows.
//!
//! SQLite has one writer (a pool of one connection, every transaction `BEGIN IMMEDIATE`, so that a
//! transaction never finds out late that another one wrote) and a few readers that never wait for
//! it. PostgreSQL has one pool; decisions run at READ COMMITTED with row locks, reads of several
//! statements at REPEATABLE READ.

use std::{str::FromStr, time::Duration};

use navigator_resources::{Row, SqlType};
use sqlx::{
    Pool, Sqlite, Transaction,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::time::timeout;

use crate::{
    error::StoreError,
    pool::{Connections, LONGEST_WAIT},
    sql::Sql,
};

pub(crate) mod postgres;
mod sqlite;

use postgres::pool::Wanted;

/// Lists of filters make many statements; each is a few kilobytes.
const STATEMENT_CACHE: usize = 256;
/// Rows that a statement's thread may be ahead of whoever takes them: a long list is two switches
/// between threads and not two per fifty rows.
const SQLITE_ROWS: usize = 1024;
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

/// Rows that are decoded without letting other requests go on: some tenths of a millisecond.
const SLICE: usize = 64;

async fn decode_all<R>(
    rows: &[R],
    decode: impl Fn(&R) -> Result<Row, sqlx::Error>,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut decoded = Vec::with_capacity(rows.len());
    for slice in rows.chunks(SLICE) {
        if !decoded.is_empty() {
            tokio::task::yield_now().await;
        }
        for row in slice {
            decoded.push(decode(row)?);
        }
    }
    Ok(decoded)
}

pub(crate) enum Backend {
    Sqlite { writer: Connections<Pool<Sqlite>>, readers: Connections<Pool<Sqlite>> },
    Postgres(Connections<postgres::pool::Pool>),
}

/// A statement of a transaction, and the columns that its rows are read by. Without any, its rows are not
/// looked at.
pub(crate) struct Step<'a> {
    pub(crate) sql: Sql,
    pub(crate) columns: &'a [(&'static str, SqlType)],
}

pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(postgres::Transaction),
}

impl Backend {
    pub(crate) async fn connect(url: &str, patience: Duration) -> Result<Self, StoreError> {
        let connected = match url.split(':').next() {
            Some("sqlite") => Self::connect_sqlite(url).await,
            Some("postgres" | "postgresql") => Self::connect_postgres(url, patience).await,
            _ => return Err(StoreError::Setup("the URL is sqlite:… or postgres://…".to_owned())),
        };
        connected.map_err(|error| match error {
            sqlx::Error::Configuration(reason) => StoreError::Setup(reason.to_string()),
            other => StoreError::of("connect", other),
        })
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// What stands around a SELECT of ids that a column has to be one of. PostgreSQL combines the
    /// indexes of an OR only if it has the values before it looks; SQLite has no other form.
    pub(crate) fn brackets_of_ids(&self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite { .. } => (" IN (", ")"),
            Self::Postgres(_) => (" = ANY (ARRAY (", "))"),
        }
    }

    /// A file is not away: whoever waits for it waits for somebody's transaction.
    async fn connect_sqlite(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .row_buffer_size(SQLITE_ROWS)
            .statement_cache_capacity(STATEMENT_CACHE);
        let pool = || {
            PoolOptions::new()
                .acquire_timeout(LONGEST_WAIT)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        if url.contains(":memory:") {
            // One connection only: the database lives as long as it does.
            let writer = pool().max_connections(1).connect_with(options).await?;
            let writer = Connections::new(writer, LONGEST_WAIT);
            return Ok(Self::Sqlite { readers: writer.clone(), writer });
        }
        // A commit is on disk when it has been acknowledged.
        let options =
            options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        let readers = pool().max_connections(SQLITE_READERS).connect_with(options).await?;
        let [writer, readers] = [writer, readers].map(|pool| Connections::new(pool, LONGEST_WAIT));
        Ok(Self::Sqlite { writer, readers })
    }

    async fn connect_postgres(url: &str, patience: Duration) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("navigator")
            // A list's cost is estimated far above what it is, since its sub-selects are counted for
            // every row: compiling it takes longer than running it.
            .options([("jit", "off")])
            .statement_cache_capacity(STATEMENT_CACHE);
        let pool = postgres::pool::Pool::new(options, POSTGRES_CONNECTIONS);
        let first = timeout(LONGEST_WAIT, pool.take(Wanted::Any)).await;
        first.map_err(|_| sqlx::Error::PoolTimedOut)??.give_back();
        Ok(Self::Postgres(Connections::new(pool, patience)))
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.pool.close().await;
                writer.pool.close().await;
            }
            Self::Postgres(connections) => connections.pool.close().await,
        }
    }

    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        let begun = match self {
            Self::Sqlite { writer, .. } => {
                let begun = writer.pool.begin_with("BEGIN IMMEDIATE");
                writer.waited(begun).await.map(Tx::Sqlite)
            }
            Self::Postgres(connections) => {
                postgres::Transaction::begin(connections, "BEGIN").await.map(Tx::Postgres)
            }
        };
        begun.map_err(|error| StoreError::of("BEGIN", error))
    }

    /// A transaction whose statements all see the same state.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        const CONSISTENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let begun = match self {
            Self::Sqlite { readers, .. } => {
                readers.waited(readers.pool.begin()).await.map(Tx::Sqlite)
            }
            Self::Postgres(connections) => {
                postgres::Transaction::begin(connections, CONSISTENT).await.map(Tx::Postgres)
            }
        };
        begun.map_err(|error| StoreError::of("BEGIN", error))
    }

    /// One statement outside of any transaction.
    pub(crate) async fn fetch(
        &self,
        sql: Sql,
        columns: &[(&'static str, SqlType)],
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite { readers, .. } => {
                let connection = readers.waited(readers.pool.acquire()).await;
                let mut connection = connection.map_err(|e| StoreError::of("acquire", e))?;
                sqlite::fetch(&mut connection, sql, columns).await
            }
            Self::Postgres(connections) => {
                let read = postgres::read(connections, &sql, columns).await;
                read.map_err(|error| StoreError::of(&sql.text, error))
            }
        }
    }
}

impl Tx {
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Before a row is locked. SQLite has no two transactions at once.
    pub(crate) async fn latch(&mut self, table: &'static str, id: &str) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(tx) => tx.latch(table, id).await,
        }
    }

    /// Rows with the named columns, which are the statement's in this order.
    pub(crate) async fn fetch(
        &mut self,
        sql: Sql,
        columns: &[(&'static str, SqlType)],
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(tx) => sqlite::fetch(tx, sql, columns).await,
            Self::Postgres(tx) => Ok(run(tx, Step { sql, columns }).await?.rows),
        }
    }

    /// Number of rows affected.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(tx) => sqlite::execute(tx, sql).await,
            Self::Postgres(tx) => Ok(run(tx, Step { sql, columns: &[] }).await?.affected),
        }
    }

    /// One after the other, each seeing what was committed before it began; on PostgreSQL they wait for
    /// each other there. The rows of each.
    pub(crate) async fn run(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Vec<Row>>, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                let mut found = Vec::with_capacity(steps.len());
                for Step { sql, columns } in steps {
                    found.push(match columns.is_empty() {
                        true => sqlite::execute(tx, sql).await.map(|_| Vec::new())?,
                        false => sqlite::fetch(tx, sql, columns).await?,
                    });
                }
                Ok(found)
            }
            Self::Postgres(tx) => {
                let answered = tx.run_all(&steps).await;
                let answered = answered.map_err(|error| StoreError::of(&texts(&steps), error))?;
                Ok(answered.into_iter().map(|answered| answered.rows).collect())
            }
        }
    }

    /// Commits after some more statements, on PostgreSQL in the same message; rolls back if one of them
    /// fails. The rows of each.
    pub(crate) async fn commit_after(
        mut self,
        steps: Vec<Step<'_>>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        match self {
            Self::Postgres(tx) if !steps.is_empty() => {
                let ended = tx.commit_after(&steps).await;
                ended.map_err(|error| StoreError::of(&texts(&steps), error))
            }
            _ => {
                let rows = self.run(steps).await?;
                self.commit().await.map(|()| rows)
            }
        }
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let ended = match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.end("COMMIT").await,
        };
        ended.map_err(|error| StoreError::of("COMMIT", error))
    }

    pub(crate) async fn rollback(self) -> Result<(), StoreError> {
        let ended = match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.end("ROLLBACK").await,
        };
        ended.map_err(|error| StoreError::of("ROLLBACK", error))
    }
}

fn texts(steps: &[Step<'_>]) -> String {
    let texts: Vec<_> = steps.iter().map(|step| step.sql.text.as_str()).collect();
    texts.join("; ")
}

async fn run(
    tx: &mut postgres::Transaction,
    step: Step<'_>,
) -> Result<postgres::Answered, StoreError> {
    tx.run(&step).await.map_err(|error| StoreError::of(&step.sql.text, error))
}
