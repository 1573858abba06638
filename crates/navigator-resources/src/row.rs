//! One row of a resource's table, as values that any SQL database holds.

use std::collections::BTreeMap;

/// How an attribute is stored. Everything that is not a truth value or a number is text; lists and
/// structs are JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlType {
    Bool,
    Int,
    Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SqlValue {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for SqlValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// Column name to value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Row(pub BTreeMap<&'static str, SqlValue>);

impl Row {
    pub fn get(&self, column: &str) -> &SqlValue {
        self.0.get(column).unwrap_or(&SqlValue::Null)
    }

    /// The text of a column that is always text, or the empty string.
    pub fn text(&self, column: &str) -> &str {
        match self.get(column) {
            SqlValue::Text(text) => text,
            _ => "",
        }
    }
}

/// A stored value that its attribute's type does not accept: a defect or a hand-edited database.
#[derive(Debug, thiserror::Error)]
#[error("{table}.{column}: {reason}")]
pub struct DecodeError {
    pub table: &'static str,
    pub column: &'static str,
    pub reason: String,
}
