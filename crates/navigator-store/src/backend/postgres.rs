//! Statements on PostgreSQL connections: values in, rows out. Never decides what to do about an error,
//! except that a read is asked again where its connection was broken.

use futures::TryStreamExt as _;
use navigator_resources::{Row, SqlType, SqlValue};
use sqlx::{
    AssertSqlSafe, Column as _, Error, PgConnection, Postgres, Row as _, Type, TypeInfo as _,
    postgres::{PgArguments, PgRow, PgTypeInfo},
    query::Query,
};

use super::{SLICE, decode_all};
use crate::{
    pool::Connections,
    sql::{Param, Sql},
};
use pool::{Pool, Wanted, is_broken};

mod latch;
mod message;
pub(crate) mod pool;
mod transaction;

pub(crate) use transaction::{Answered, Transaction};

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
        fetched = fetch_rows(taken.connection(), sql, columns) => fetched,
        () = connections.pool.gone(connections.patience) => return Err(Error::PoolTimedOut),
    };
    taken.give_back_after(&fetched);
    fetched
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

/// Each row is decoded when it comes: meanwhile PostgreSQL makes the next ones.
async fn fetch_rows(
    connection: &mut PgConnection,
    sql: &Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, Error> {
    let mut fetched = query(sql).fetch(connection);
    let mut rows = Vec::new();
    while let Some(row) = fetched.try_next().await? {
        if rows.is_empty() {
            check(&row, columns)?;
        } else if rows.len().is_multiple_of(SLICE) {
            tokio::task::yield_now().await;
        }
        rows.push(decode(&row, columns)?);
    }
    Ok(rows)
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
