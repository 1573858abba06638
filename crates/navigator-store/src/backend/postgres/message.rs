//! Several statements as one message, which is one round trip: goes in a list of statements, comes out what
//! each of them answers. Each sees what was committed before it begins, as if it had been sent alone. The
//! first that fails is the last.
//!
//! A message of several statements takes no parameters. So each statement is prepared once on its
//! connection, by its text, and the message says EXECUTE with the values as literals. Only text of a few
//! harmless characters is written as it is, which ids and addresses are; all other text is written in
//! hexadecimal digits.

use std::{collections::HashMap, fmt::Write as _};

use futures::TryStreamExt as _;
use navigator_resources::SqlType;
use sqlx::{AssertSqlSafe, Either, Error, PgConnection, SqlSafeStr as _, postgres::PgRow, raw_sql};

use crate::sql::{Param, Sql};

/// More than these are not prepared on one connection: it keeps what it has, and others go alone.
const MOST_PREPARED: usize = 256;

/// The statements that a connection has prepared for messages, by text and types, with the number in
/// their name.
#[derive(Default)]
pub(crate) struct Prepared {
    numbers: HashMap<String, u32>,
    /// A name is used once, so that one of which nobody knows whether it was prepared is in nobody's way.
    next: u32,
}

/// What a statement answered.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<PgRow>,
    pub(super) affected: u64,
}

/// What the message's statements are, in their order.
enum Part {
    Other,
    Prepares(String, u32),
    Executes,
}

/// Statements, after one that begins a transaction and before one that ends it where these are there.
pub(super) struct Message<'a> {
    pub(super) begin: Option<&'static str>,
    pub(super) statements: &'a [&'a Sql],
    pub(super) end: Option<&'static str>,
}

/// A message as it is said.
#[derive(Default)]
struct Said {
    text: String,
    parts: Vec<Part>,
}

/// Whether the text between two quotes is itself, whatever the database's settings.
fn is_harmless(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.:/ {}[]\",".contains(&c))
}

impl Message<'_> {
    /// Sends it and takes in what its statements answer. `None`: they cannot be a message, and nothing was
    /// sent.
    pub(super) async fn send(
        &self,
        connection: &mut PgConnection,
        prepared: &mut Prepared,
    ) -> Option<Result<Vec<Answer>, Error>> {
        if !self.is_sayable(prepared) {
            return None;
        }
        let said = self.said(prepared);
        Some(exchange(connection, prepared, said, self.statements.len()).await)
    }

    /// Whether all of its statements are prepared, or may be.
    fn is_sayable(&self, prepared: &Prepared) -> bool {
        let fits = self.statements.len() + prepared.numbers.len() <= MOST_PREPARED
            || self.statements.iter().all(|sql| prepared.numbers.contains_key(&key(sql)));
        fits && !self.statements.iter().any(|sql| sql.plan_for_values)
    }

    fn said(&self, prepared: &mut Prepared) -> Said {
        let mut said = Said { text: String::with_capacity(512), parts: Vec::new() };
        if let Some(begin) = self.begin {
            said.push(begin, Part::Other);
        }
        for sql in self.statements {
            said.push_statement(sql, prepared);
        }
        if let Some(end) = self.end {
            said.push(end, Part::Other);
        }
        said
    }
}

async fn exchange(
    connection: &mut PgConnection,
    prepared: &mut Prepared,
    said: Said,
    statements: usize,
) -> Result<Vec<Answer>, Error> {
    let text = AssertSqlSafe(said.text).into_sql_str();
    let mut answers = Vec::with_capacity(statements);
    let mut current = Answer::default();
    let mut parts = said.parts.into_iter();
    let mut stream = raw_sql(text).fetch_many(connection);
    while let Some(answer) = stream.try_next().await? {
        match answer {
            Either::Right(row) => current.rows.push(row),
            // The end of a statement.
            Either::Left(result) => match parts.next() {
                Some(Part::Executes) => {
                    current.affected = result.rows_affected();
                    answers.push(std::mem::take(&mut current));
                }
                Some(Part::Prepares(key, number)) => {
                    prepared.numbers.insert(key, number);
                }
                Some(Part::Other) | None => {}
            },
        }
    }
    if answers.len() != statements {
        return Err(Error::Protocol("a statement of a message has no answer".to_owned()));
    }
    Ok(answers)
}

impl Said {
    fn push(&mut self, text: &str, part: Part) {
        if !self.parts.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(text);
        self.parts.push(part);
    }

    fn push_statement(&mut self, sql: &Sql, prepared: &mut Prepared) {
        let key = key(sql);
        // Perhaps by an earlier part of this message.
        let earlier = || {
            self.parts.iter().find_map(|part| match part {
                Part::Prepares(known, number) if *known == key => Some(*number),
                _ => None,
            })
        };
        let number = prepared.numbers.get(&key).copied().or_else(earlier).unwrap_or_else(|| {
            prepared.next += 1;
            let number = prepared.next;
            self.push(&format!("PREPARE navigator_{number}{key}"), Part::Prepares(key, number));
            number
        });
        let mut text = format!("EXECUTE navigator_{number}");
        for (index, param) in sql.params.iter().enumerate() {
            text.push_str(if index == 0 { " (" } else { ", " });
            push_literal(&mut text, param);
        }
        if !sql.params.is_empty() {
            text.push(')');
        }
        self.push(&text, Part::Executes);
    }
}

/// The types of the values and the text, as they follow the name in PREPARE.
fn key(sql: &Sql) -> String {
    let mut key = String::with_capacity(sql.text.len() + 8 * sql.params.len() + 8);
    for (index, param) in sql.params.iter().enumerate() {
        key.push_str(if index == 0 { " (" } else { ", " });
        key.push_str(match param {
            Param::Null(SqlType::Bool) | Param::Bool(_) => "boolean",
            Param::Null(SqlType::Int) | Param::Int(_) => "bigint",
            Param::Null(SqlType::Text) | Param::Text(_) => "text",
        });
    }
    key.push_str(if sql.params.is_empty() { " AS " } else { ") AS " });
    key.push_str(&sql.text);
    key
}

fn push_literal(text: &mut String, param: &Param) {
    match param {
        Param::Null(_) => text.push_str("NULL"),
        Param::Bool(true) => text.push_str("TRUE"),
        Param::Bool(false) => text.push_str("FALSE"),
        Param::Int(number) => {
            // Writing to a string does not fail.
            let _ = write!(text, "{number}");
        }
        Param::Text(said) if is_harmless(said) => {
            text.push('\'');
            text.push_str(said);
            text.push('\'');
        }
        Param::Text(said) => {
            text.push_str("convert_from(decode('");
            for byte in said.bytes() {
                let _ = write!(text, "{byte:02x}");
            }
            text.push_str("', 'hex'), 'UTF8')");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_text_is_written_as_it_is() {
        let literal = |value: &str| {
            let mut text = String::new();
            push_literal(&mut text, &value.into());
            text
        };
        let json = "{\"a\": [\"10.0.0.1\", 1]}";
        for harmless in ["", "a5f4b178-9e58-46e6-b97a", "fe80::1", "router/1", "10:20", json] {
            assert_eq!(literal(harmless), format!("'{harmless}'"));
        }
        for other in ["'", "\\", "a'; DROP TABLE ports; --", "a\0", "é", "$1", "a;b", "\n"] {
            let digits: String = other.bytes().map(|byte| format!("{byte:02x}")).collect();
            let expected = format!("convert_from(decode('{digits}', 'hex'), 'UTF8')");
            assert_eq!(literal(other), expected, "{other}");
        }
    }

    #[test]
    fn what_is_planned_for_its_values_goes_alone() {
        let mut sql = Sql::with("SELECT $1", ["a".into()]);
        for plan_for_values in [false, true] {
            sql.plan_for_values = plan_for_values;
            let message = Message { begin: None, statements: &[&sql], end: None };
            assert_eq!(message.is_sayable(&Prepared::default()), !plan_for_values);
        }
    }

    #[test]
    fn a_statement_is_prepared_once_and_executed_with_its_values() {
        let statement = |id: &str, number: i64| {
            let params = [id.into(), number.into(), Param::Null(SqlType::Bool)];
            Sql::with("SELECT $1, $2, $3", params)
        };
        let statements = [&statement("a", -1), &statement("b", 2), &Sql::new("SELECT 1")];
        let message =
            Message { begin: Some("BEGIN"), statements: &statements, end: Some("COMMIT") };
        let mut prepared = Prepared::default();
        assert_eq!(
            message.said(&mut prepared).text,
            "BEGIN; PREPARE navigator_1 (text, bigint, boolean) AS SELECT $1, $2, $3; \
             EXECUTE navigator_1 ('a', -1, NULL); EXECUTE navigator_1 ('b', 2, NULL); \
             PREPARE navigator_2 AS SELECT 1; EXECUTE navigator_2; COMMIT"
        );
    }
}
