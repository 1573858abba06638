//! Reads typed values from rows that the store itself assembles, such as snapshots.

use std::str::FromStr;

use navigator_resources::{DecodeError, Row, SqlValue};
use serde::de::DeserializeOwned;

/// A row with the table to blame.
pub(crate) struct Reader<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a Row,
}

impl Reader<'_> {
    pub(crate) fn error(&self, column: &'static str, reason: impl ToString) -> DecodeError {
        DecodeError { table: self.table, column, reason: reason.to_string() }
    }

    pub(crate) fn text(&self, column: &str) -> &str {
        self.row.text(column)
    }

    pub(crate) fn flag(&self, column: &str) -> bool {
        *self.row.get(column) == SqlValue::Bool(true)
    }

    /// Text of a type of its own.
    pub(crate) fn parse<T>(&self, column: &'static str) -> Result<T, DecodeError>
    where
        T: FromStr<Err: ToString>,
    {
        self.text(column).parse().map_err(|error: T::Err| self.error(column, error.to_string()))
    }

    /// The same; NULL and the empty text are `None`.
    pub(crate) fn optional<T>(&self, column: &'static str) -> Result<Option<T>, DecodeError>
    where
        T: FromStr<Err: ToString>,
    {
        if self.text(column).is_empty() { Ok(None) } else { self.parse(column).map(Some) }
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, DecodeError> {
        match self.row.get(column) {
            SqlValue::Int(number) => {
                T::try_from(*number).map_err(|_| self.error(column, "out of range"))
            }
            other => Err(self.error(column, format!("unexpected stored value {other:?}"))),
        }
    }

    /// JSON; NULL and the empty text are the default.
    pub(crate) fn json<T: DeserializeOwned + Default>(
        &self,
        column: &'static str,
    ) -> Result<T, DecodeError> {
        match self.text(column) {
            "" => Ok(T::default()),
            text => serde_json::from_str(text).map_err(|error| self.error(column, error)),
        }
    }
}
