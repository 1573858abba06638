//! Statements on an SQLite connection: values in, rows out.

use std::num::ParseIntError;

use navigator_resources::{Row, SqlType, SqlValue};
use sqlx::{
    AssertSqlSafe, Row as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::decode_all;
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
    if !columns.is_empty() && sql.nullable.len() == columns.len() {
        return fetch_joined(connection, sql, columns).await;
    }
    let fetched = query(&sql.text, sql.params).fetch_all(connection).await;
    let rows = fetched.map_err(|error| StoreError::of(&sql.text, error))?;
    let decoded = decode_all(&rows, |row| decode(row, columns)).await;
    decoded.map_err(|error| StoreError::of(&sql.text, error))
}

/// sqlx copies every value of every row apart, which is most of what a long list costs. So here the
/// database joins a row's values into one text, with NUL between them, which no stored text contains.
/// A value that might not be there stands behind a mark.
async fn fetch_joined(
    connection: &mut SqliteConnection,
    sql: Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, StoreError> {
    let value = |((name, _), nullable): (&(&str, SqlType), &bool)| match nullable {
        true => format!("'=' || \"{name}\""),
        false => format!("\"{name}\""),
    };
    let values: Vec<String> = columns.iter().zip(&sql.nullable).map(value).collect();
    let text = format!("SELECT concat({}) FROM ({})", values.join(", char(0), "), sql.text);
    let fetched = query(&text, sql.params).fetch_all(connection).await;
    let rows = fetched.map_err(|error| StoreError::of(&sql.text, error))?;
    let decoded = decode_all(&rows, |row| split(row, columns, &sql.nullable)).await;
    decoded.map_err(|error| StoreError::of(&sql.text, error))
}

fn split(
    row: &SqliteRow,
    columns: &[(&'static str, SqlType)],
    nullable: &[bool],
) -> Result<Row, sqlx::Error> {
    let joined = row.try_get_unchecked::<&str, _>(0)?;
    let mut decoded = Row::with_capacity(columns.len());
    let mut values = joined.split('\0');
    for ((name, sql), nullable) in columns.iter().zip(nullable) {
        let value = values.next().ok_or_else(|| sqlx::Error::ColumnNotFound((*name).to_owned()))?;
        let value = match nullable {
            true => value.strip_prefix('='),
            false => Some(value),
        };
        let value = value.map_or(Ok(SqlValue::Null), |value| typed(value, *sql));
        decoded.push(name, value.map_err(|error| sqlx::Error::Decode(error.into()))?);
    }
    Ok(decoded)
}

fn typed(value: &str, sql: SqlType) -> Result<SqlValue, ParseIntError> {
    Ok(match sql {
        SqlType::Bool => SqlValue::Bool(value.parse::<i64>()? != 0),
        SqlType::Int => SqlValue::Int(value.parse()?),
        SqlType::Text => SqlValue::Text(value.to_owned()),
    })
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
