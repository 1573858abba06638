//! Statements on an SQLite connection: values in, rows out.

use navigator_resources::{Row, SqlType, SqlValue};
use sqlx::{
    AssertSqlSafe, Row as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    error::StoreError,
    sql::{Param, Sql},
};

/// The text is built from declarations and constants only; see `sql.rs`.
fn query(text: &str, params: Vec<Param>) -> Query<'static, Sqlite, SqliteArguments> {
    let query = sqlx::query(AssertSqlSafe(text));
    params.into_iter().fold(query, |query, param| match param {
        Param::Null(_) => query.bind(None::<i64>),
        Param::Bool(truth) => query.bind(truth),
        Param::Int(number) => query.bind(number),
        Param::Text(text) => query.bind(text),
    })
}

pub(crate) async fn fetch(
    connection: &mut SqliteConnection,
    sql: Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, StoreError> {
    let fetched = query(&sql.text, sql.params).fetch_all(connection).await;
    let rows = fetched.map_err(|error| StoreError::of(&sql.text, error))?;
    let decoded: Result<_, _> = rows.iter().map(|row| decode(row, columns)).collect();
    decoded.map_err(|error| StoreError::of(&sql.text, error))
}

pub(crate) async fn execute(
    connection: &mut SqliteConnection,
    sql: Sql,
) -> Result<u64, StoreError> {
    let executed = query(&sql.text, sql.params).execute(connection).await;
    executed.map(|result| result.rows_affected()).map_err(|error| StoreError::of(&sql.text, error))
}

/// Without sqlx's check of declared types: expressions have none, and booleans are numbers here.
fn decode(row: &SqliteRow, columns: &[(&'static str, SqlType)]) -> Result<Row, sqlx::Error> {
    let mut decoded = Row::with_capacity(columns.len());
    for (index, (name, sql)) in columns.iter().enumerate() {
        let value = match sql {
            SqlType::Bool => row
                .try_get_unchecked::<Option<i64>, _>(index)?
                .map(|number| SqlValue::Bool(number != 0)),
            SqlType::Int => row.try_get_unchecked::<Option<i64>, _>(index)?.map(SqlValue::Int),
            SqlType::Text => row.try_get_unchecked::<Option<String>, _>(index)?.map(SqlValue::Text),
        };
        decoded.push(name, value.unwrap_or(SqlValue::Null));
    }
    Ok(decoded)
}
