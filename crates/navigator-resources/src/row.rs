//! One row of a resource's table, as values that any SQL database holds.

use std::ptr;

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

/// Columns with their values, each once, in the order in which a statement or a declaration lists
/// them. Flat, because a list is thousands of them: rows are made once and read front to back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(Vec<(&'static str, SqlValue)>);

impl Row {
    pub fn with_capacity(columns: usize) -> Self {
        Self(Vec::with_capacity(columns))
    }

    /// Appends a column that the row does not have.
    pub fn push(&mut self, column: &'static str, value: SqlValue) {
        self.0.push((column, value));
    }

    /// Replaces the column's value, or appends it.
    pub fn set(&mut self, column: &'static str, value: SqlValue) {
        match self.0.iter_mut().find(|(known, _)| *known == column) {
            Some((_, old)) => *old = value,
            None => self.push(column, value),
        }
    }

    pub fn remove(&mut self, column: &str) {
        self.0.retain(|(known, _)| *known != column);
    }

    /// The column's value, if the row has the column.
    pub fn find(&self, column: &str) -> Option<&SqlValue> {
        self.0.iter().find(|(known, _)| *known == column).map(|(_, value)| value)
    }

    /// NULL also for a column that the row does not have.
    pub fn get(&self, column: &str) -> &SqlValue {
        self.find(column).unwrap_or(&SqlValue::Null)
    }

    /// The same as [`Self::get`], found at once where the column is in this place.
    pub fn at(&self, place: usize, column: &str) -> &SqlValue {
        match self.0.get(place) {
            // Nearly always the same text, not only an equal one.
            Some((known, value)) if ptr::eq(*known, column) || *known == column => value,
            _ => self.get(column),
        }
    }

    /// The text of a column that is always text, or the empty string.
    pub fn text(&self, column: &str) -> &str {
        match self.get(column) {
            SqlValue::Text(text) => text,
            _ => "",
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &SqlValue)> {
        self.0.iter().map(|(column, value)| (*column, value))
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
