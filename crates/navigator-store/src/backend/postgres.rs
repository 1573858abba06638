//! Statements on PostgreSQL connections: values in, rows out. Transactions by their statements, since a
//! connection that comes from `pool.rs` is not one of sqlx' pool.

use navigator_resources::{Row, SqlType, SqlValue};
use sqlx::{
    AssertSqlSafe, Column as _, Error, Executor as _, PgConnection, Postgres, Row as _, Type,
    TypeInfo as _,
    postgres::{PgArguments, PgRow, PgTypeInfo},
    query::Query,
};

use super::decode_all;
use crate::{
    pool::Connections,
    sql::{Param, Sql},
};
use pool::{Pool, Taken, Wanted, is_broken};

pub(crate) mod pool;

/// A transaction that has begun. Dropped before its end, it ends with its connection.
pub(crate) struct Transaction(Taken);

impl Transaction {
    pub(crate) async fn begin(
        connections: &Connections<Pool>,
        statement: &'static str,
    ) -> Result<Self, Error> {
        let begun = async |wanted| {
            let mut taken = connections.pool.take(wanted).await?;
            taken.connection().execute(statement).await?;
            Ok(Self(taken))
        };
        let taken = async {
            match begun(Wanted::Any).await {
                Err(error) if is_broken(&error) => begun(Wanted::New).await,
                begun => begun,
            }
        };
        connections.waited(taken).await
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.0.connection()
    }

    /// By COMMIT or ROLLBACK, which end it also where they fail.
    pub(crate) async fn end(mut self, statement: &'static str) -> Result<(), Error> {
        let ended = self.0.connection().execute(statement).await;
        self.0.give_back_after(&ended);
        ended.map(|_| ())
    }
}

/// One statement outside of any transaction, which only reads: if a connection turns out to be broken, it is
/// asked again on a new one.
pub(crate) async fn read(
    connections: &Connections<Pool>,
    sql: &Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, Error> {
    match read_once(connections, Wanted::Any, sql, columns).await {
        Err(error) if is_broken(&error) && !is_hopeless(&error) => {
            read_once(connections, Wanted::New, sql, columns).await
        }
        read => read,
    }
}

/// Whoever has waited in vain does not wait again.
fn is_hopeless(error: &Error) -> bool {
    matches!(error, Error::PoolTimedOut | Error::PoolClosed)
}

async fn read_once(
    connections: &Connections<Pool>,
    wanted: Wanted,
    sql: &Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, Error> {
    let mut taken = connections.waited(connections.pool.take(wanted)).await?;
    let fetched = tokio::select! {
        biased;
        fetched = fetch_rows(taken.connection(), sql) => fetched,
        () = connections.pool.gone(connections.patience) => return Err(Error::PoolTimedOut),
    };
    // Before its rows are decoded: somebody may wait for the connection.
    taken.give_back_after(&fetched);
    decoded(&fetched?, columns).await
}

/// The text is built from declarations and constants only; see `sql.rs`.
fn query(sql: &Sql) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.text.as_str()));
    let query = sql.params.iter().fold(query, |query, param| match param {
        Param::Null(SqlType::Bool) => query.bind(None::<bool>),
        Param::Null(SqlType::Int) => query.bind(None::<i64>),
        Param::Null(SqlType::Text) => query.bind(None::<String>),
        Param::Bool(truth) => query.bind(*truth),
        Param::Int(number) => query.bind(*number),
        Param::Text(text) => query.bind(text.as_str()),
    });
    query.persistent(!sql.plan_for_values)
}

async fn fetch_rows(connection: &mut PgConnection, sql: &Sql) -> Result<Vec<PgRow>, Error> {
    query(sql).fetch_all(connection).await
}

pub(crate) async fn fetch(
    connection: &mut PgConnection,
    sql: &Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, Error> {
    let rows = fetch_rows(connection, sql).await?;
    decoded(&rows, columns).await
}

pub(crate) async fn execute(connection: &mut PgConnection, sql: &Sql) -> Result<u64, Error> {
    Ok(query(sql).execute(connection).await?.rows_affected())
}

async fn decoded(rows: &[PgRow], columns: &[(&'static str, SqlType)]) -> Result<Vec<Row>, Error> {
    if let Some(first) = rows.first() {
        check(first, columns)?;
    }
    decode_all(rows, |row| decode(row, columns)).await
}

/// The columns of a row are of the types that they are read as. All rows of an answer have the same, and
/// finding out takes longer than reading a value.
fn check(row: &PgRow, columns: &[(&'static str, SqlType)]) -> Result<(), Error> {
    for (index, (name, sql)) in columns.iter().enumerate() {
        let found = row.try_column(index)?.type_info();
        let fits = match sql {
            SqlType::Bool => *found == type_of::<bool>(),
            // Columns are BIGINT, but an expression with small constants is INTEGER.
            SqlType::Int => *found == type_of::<i64>() || *found == type_of::<i32>(),
            SqlType::Text => *found == type_of::<String>(),
        };
        if !fits {
            let source = format!("is {} and not {sql:?}", found.name()).into();
            return Err(Error::ColumnDecode { index: (*name).to_owned(), source });
        }
    }
    Ok(())
}

fn type_of<T: Type<Postgres>>() -> PgTypeInfo {
    T::type_info()
}

/// After [`check`].
fn decode(row: &PgRow, columns: &[(&'static str, SqlType)]) -> Result<Row, Error> {
    let mut decoded = Row::with_capacity(columns.len());
    for (index, (name, sql)) in columns.iter().enumerate() {
        let value = match sql {
            SqlType::Bool => row.try_get_unchecked::<Option<bool>, _>(index)?.map(SqlValue::Bool),
            SqlType::Int => row.try_get_unchecked::<Option<i64>, _>(index)?.map(SqlValue::Int),
            SqlType::Text => row.try_get_unchecked::<Option<String>, _>(index)?.map(SqlValue::Text),
        };
        decoded.push(name, value.unwrap_or(SqlValue::Null));
    }
    Ok(decoded)
}
