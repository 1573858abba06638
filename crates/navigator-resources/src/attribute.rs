//! How each type of value is read from JSON, written to JSON, stored, and filtered by. The types do
//! the validation; the reasons are Neutron's texts.

mod dns;
mod json;
mod number;
mod tags;
mod text;

pub(crate) use text::{ids, text_attribute};

pub(crate) use json::show_stored_json;
pub(crate) use text::{show_text, text_schema};

pub use dns::{DnsDomain, DnsName};
pub use json::{Dict, JsonValue};
pub use tags::Tags;
pub use text::{Name, Text};

use serde_json::{Value, json};

use crate::row::{SqlType, SqlValue};

pub trait AttributeValue: Sized {
    const SQL: SqlType;
    /// What is stored of it may be NULL.
    const NULLABLE: bool = false;
    /// The reason is a sentence without its full stop.
    fn from_json(value: &Value) -> Result<Self, String>;
    fn to_json(&self) -> Value;
    fn to_sql(&self) -> SqlValue;
    fn from_sql(value: &SqlValue) -> Result<Self, String>;
    /// Appends the JSON that answers show of a stored value: that of [`Self::to_json`], for lists of
    /// thousands without the typed value in between where the stored form says it already.
    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        show_json(&Self::from_sql(value)?.to_json(), out)
    }
    /// The stored form of a filter's text.
    fn from_filter(text: &str) -> Option<SqlValue> {
        Self::from_json(&Value::from(text)).ok().map(|value| value.to_sql())
    }
    /// JSON schema of its form in answers, as far as it can be said in one; requests may say it in
    /// more ways. The default knows numbers and truth values.
    fn schema() -> Value {
        match Self::SQL {
            SqlType::Bool => json!({"type": "boolean"}),
            SqlType::Int => json!({"type": "integer"}),
            SqlType::Text => json!({}),
        }
    }
}

/// JSON as Python shows it, which is how Neutron's messages quote values.
pub fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => shortened(text),
        other => shortened(&other.to_string()),
    }
}

/// Nobody needs a megabyte of their own input back.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("…".chars()).collect()
}

/// Appends JSON text.
pub fn show_json(value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    serde_json::to_writer(out, value).map_err(|error| error.to_string())
}

pub(crate) fn unexpected<T>(value: &SqlValue) -> Result<T, String> {
    Err(format!("unexpected stored value {value:?}"))
}

impl<T: AttributeValue> AttributeValue for Option<T> {
    const SQL: SqlType = T::SQL;
    const NULLABLE: bool = true;

    fn from_json(value: &Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }

    fn to_sql(&self) -> SqlValue {
        self.as_ref().map_or(SqlValue::Null, T::to_sql)
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        if *value == SqlValue::Null { Ok(None) } else { T::from_sql(value).map(Some) }
    }

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        if *value != SqlValue::Null {
            return T::show(value, out);
        }
        out.extend_from_slice(b"null");
        Ok(())
    }

    fn from_filter(text: &str) -> Option<SqlValue> {
        // An empty filter value asks for objects where the attribute is empty.
        if text.is_empty() { Some(SqlValue::Null) } else { T::from_filter(text) }
    }

    fn schema() -> Value {
        let schema = T::schema();
        // Without a type it allows null already.
        if schema.get("type").is_none() {
            return schema;
        }
        json!({"anyOf": [schema, {"type": "null"}]})
    }
}

#[cfg(test)]
mod tests;
