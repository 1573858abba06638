//! Truth values and numbers, with the words and forms that Neutron also takes for them.

use navigator_model::L4Port;
use serde_json::Value;

use super::{AttributeValue, quoted, unexpected};
use crate::row::{SqlType, SqlValue};

impl AttributeValue for bool {
    const SQL: SqlType = SqlType::Bool;

    /// The words and numbers that Neutron takes for truth values.
    fn from_json(value: &Value) -> Result<Self, String> {
        let word = match value {
            Value::Bool(truth) => return Ok(*truth),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.to_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("'{}' cannot be converted to boolean", quoted(value))),
        }
    }

    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Bool(*self)
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Bool(truth) => Ok(*truth),
            SqlValue::Int(number) => Ok(*number != 0),
            other => unexpected(other),
        }
    }
}

impl AttributeValue for i64 {
    const SQL: SqlType = SqlType::Int;

    /// Neutron also takes a number in quotes.
    fn from_json(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| format!("'{}' is not an integer", quoted(value)))
    }

    fn to_json(&self) -> Value {
        Value::from(*self)
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Int(*self)
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Int(number) => Ok(*number),
            other => unexpected(other),
        }
    }
}

impl AttributeValue for u32 {
    const SQL: SqlType = SqlType::Int;

    fn from_json(value: &Value) -> Result<Self, String> {
        let number = i64::from_json(value)?;
        Self::try_from(number).map_err(|_| match number {
            i64::MIN..=-1 => format!("'{number}' should be non-negative"),
            _ => format!("'{number}' is too large - must be no larger than '{}'", u32::MAX),
        })
    }

    fn to_json(&self) -> Value {
        Value::from(*self)
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Int(i64::from(*self))
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        i64::from_sql(value)?.try_into().map_err(|_| "out of range".to_owned())
    }
}

impl AttributeValue for L4Port {
    const SQL: SqlType = SqlType::Int;

    fn from_json(value: &Value) -> Result<Self, String> {
        let number = i64::from_json(value)?;
        u16::try_from(number)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("'{number}' is not a port: 1 to 65535"))
    }

    fn to_json(&self) -> Value {
        Value::from(self.get())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Int(i64::from(self.get()))
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let number = i64::from_sql(value)?;
        u16::try_from(number).ok().and_then(Self::new).ok_or_else(|| format!("{number}: no port"))
    }
}
