//! Statements on a PostgreSQL connection: values in, rows out.

use navigator_resources::{Row, SqlType, SqlValue};
use sqlx::{
    AssertSqlSafe, Column as _, PgConnection, Postgres, Row as _, TypeInfo as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::decode_all;
use crate::{
    error::StoreError,
    sql::{Param, Sql},
};

/// The text is built from declarations and constants only; see `sql.rs`.
fn query(text: &str, params: Vec<Param>) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(text));
    params.into_iter().fold(query, |query, param| match param {
        Param::Null(SqlType::Bool) => query.bind(None::<bool>),
        Param::Null(SqlType::Int) => query.bind(None::<i64>),
        Param::Null(SqlType::Text) => query.bind(None::<String>),
        Param::Bool(truth) => query.bind(truth),
        Param::Int(number) => query.bind(number),
        Param::Text(text) => query.bind(text),
    })
}

pub(crate) async fn fetch(
    connection: &mut PgConnection,
    sql: Sql,
    columns: &[(&'static str, SqlType)],
) -> Result<Vec<Row>, StoreError> {
    let query = query(&sql.text, sql.params).persistent(!sql.plan_for_values);
    let fetched = query.fetch_all(connection).await;
    let rows = fetched.map_err(|error| StoreError::of(&sql.text, error))?;
    let decoded = decode_all(&rows, |row| decode(row, columns)).await;
    decoded.map_err(|error| StoreError::of(&sql.text, error))
}

pub(crate) async fn execute(connection: &mut PgConnection, sql: Sql) -> Result<u64, StoreError> {
    let executed = query(&sql.text, sql.params).execute(connection).await;
    executed.map(|result| result.rows_affected()).map_err(|error| StoreError::of(&sql.text, error))
}

fn decode(row: &PgRow, columns: &[(&'static str, SqlType)]) -> Result<Row, sqlx::Error> {
    let mut decoded = Row::with_capacity(columns.len());
    for (index, (name, sql)) in columns.iter().enumerate() {
        let value = match sql {
            SqlType::Bool => row.try_get::<Option<bool>, _>(index)?.map(SqlValue::Bool),
            SqlType::Int => integer(row, index)?.map(SqlValue::Int),
            SqlType::Text => row.try_get::<Option<String>, _>(index)?.map(SqlValue::Text),
        };
        decoded.push(name, value.unwrap_or(SqlValue::Null));
    }
    Ok(decoded)
}

/// Columns are BIGINT, but an expression with small constants is INTEGER.
fn integer(row: &PgRow, index: usize) -> Result<Option<i64>, sqlx::Error> {
    if row.try_column(index)?.type_info().name() == "INT4" {
        return Ok(row.try_get::<Option<i32>, _>(index)?.map(i64::from));
    }
    row.try_get(index)
}
