//! Lists and structures: JSON in the API and JSON text in the database; and attributes that are one
//! of a few words.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{HostName, MacAddress, NetworkId, PortId, SecurityGroupId, SubnetId};
use serde_json::{Value, json};

use super::{AttributeValue, quoted, text::push_text, unexpected};
use crate::row::{SqlType, SqlValue};

/// An element of a list attribute, or a structured attribute: JSON in the API and in the database.
/// Implement it with `json_attribute!`.
pub trait JsonValue: Sized {
    fn check(value: &Value) -> Result<Self, String>;
    fn show(&self) -> Value;
}

/// A list; `null` reads as the empty list.
impl<T: JsonValue> AttributeValue for Vec<T> {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items.iter().map(T::check).collect(),
            other => Err(format!("'{}' is not a list", quoted(other))),
        }
    }

    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(T::show).collect())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().to_string())
    }

    /// JSON, or what `string_agg(column, ',')` computes.
    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let items: Vec<Value> = match value {
            SqlValue::Null => return Ok(Vec::new()),
            SqlValue::Text(text) if text.starts_with('[') => {
                serde_json::from_str(text).map_err(|error| error.to_string())?
            }
            SqlValue::Text(text) => {
                text.split(',').filter(|t| !t.is_empty()).map(Value::from).collect()
            }
            other => return unexpected(other),
        };
        items.iter().map(T::check).collect()
    }

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        let text = match value {
            SqlValue::Null => "[]",
            SqlValue::Text(text) => text,
            other => return unexpected(other),
        };
        if text.starts_with('[') {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        out.push(b'[');
        for (index, item) in text.split(',').filter(|item| !item.is_empty()).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_text(item, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn schema() -> Value {
        json!({"type": "array"})
    }

    /// A list kept in a link table is found by each of its items.
    fn from_filter(text: &str) -> Option<SqlValue> {
        let item = T::check(&Value::from(text)).ok()?;
        item.show().as_str().map(SqlValue::from)
    }
}

macro_rules! json_items {
    ($($type:ty),*) => {$(
        impl JsonValue for $type {
            fn check(value: &Value) -> Result<Self, String> {
                <Self as AttributeValue>::from_json(value)
            }

            fn show(&self) -> Value {
                AttributeValue::to_json(self)
            }
        }
    )*};
}

json_items!(
    String,
    NetworkId,
    SubnetId,
    PortId,
    SecurityGroupId,
    IpAddr,
    Ipv4Addr,
    IpNet,
    HostName,
    MacAddress,
    Ipv4Net
);

/// Free-form JSON object, such as `binding:profile`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict(pub serde_json::Map<String, Value>);

impl AttributeValue for Dict {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::Object(map) => Ok(Self(map.clone())),
            other => Err(format!("'{}' is not a dictionary", quoted(other))),
        }
    }

    fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().to_string())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => {
                serde_json::from_str(text).map(Self).map_err(|error| error.to_string())
            }
            other => unexpected(other),
        }
    }

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        show_stored_json(value, out)
    }

    fn schema() -> Value {
        json!({"type": "object"})
    }
}

/// JSON is stored as answers show it: what changes its form needs a migration.
pub(crate) fn show_stored_json(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
    let SqlValue::Text(text) = value else { return unexpected(value) };
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// An attribute that is one of a few words: `word_attribute! { /// Doc. pub enum Name { Variant => "word" } }`.
#[macro_export]
macro_rules! word_attribute {
    ($(#[$doc:meta])* pub enum $name:ident { $($variant:ident => $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::AttributeValue for $name {
            const SQL: $crate::SqlType = $crate::SqlType::Text;

            fn from_json(value: &::serde_json::Value) -> Result<Self, String> {
                value.as_str().and_then(Self::of).ok_or_else(|| {
                    let words: Vec<&str> = Self::ALL.iter().map(|known| known.word()).collect();
                    let words = words.join("', '");
                    format!("'{}' is not in ['{words}']", $crate::attribute::quoted(value))
                })
            }

            fn to_json(&self) -> ::serde_json::Value {
                ::serde_json::Value::from(self.word())
            }

            fn schema() -> ::serde_json::Value {
                let words: Vec<&str> = Self::ALL.iter().map(|known| known.word()).collect();
                ::serde_json::json!({"type": "string", "enum": words})
            }

            fn to_sql(&self) -> $crate::SqlValue {
                $crate::SqlValue::from(self.word())
            }

            fn from_sql(value: &$crate::SqlValue) -> Result<Self, String> {
                match value {
                    $crate::SqlValue::Text(text) => {
                        Self::of(text).ok_or_else(|| format!("unknown word '{text}'"))
                    }
                    other => Err(format!("unexpected stored value {other:?}")),
                }
            }

            fn show(
                value: &$crate::SqlValue,
                out: &mut ::std::vec::Vec<u8>,
            ) -> Result<(), String> {
                $crate::attribute::show_text(value, out)
            }
        }
    };
}

/// A structured attribute (one JSON object with known keys) through serde: `deny_unknown_fields`
/// structs make good reasons by themselves.
#[macro_export]
macro_rules! json_attribute {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::attribute::JsonValue for $type {
            fn check(value: &::serde_json::Value) -> Result<Self, String> {
                <Self as ::serde::Deserialize>::deserialize(value).map_err(|error| {
                    format!("'{}' is not valid: {error}", $crate::attribute::quoted(value))
                })
            }

            fn show(&self) -> ::serde_json::Value {
                ::serde_json::to_value(self).unwrap_or_default()
            }
        }

        impl $crate::AttributeValue for $type {
            const SQL: $crate::SqlType = $crate::SqlType::Text;

            fn from_json(value: &::serde_json::Value) -> Result<Self, String> {
                $crate::attribute::JsonValue::check(value)
            }

            fn to_json(&self) -> ::serde_json::Value {
                $crate::attribute::JsonValue::show(self)
            }

            fn to_sql(&self) -> $crate::SqlValue {
                $crate::SqlValue::Text(self.to_json().to_string())
            }

            fn from_sql(value: &$crate::SqlValue) -> Result<Self, String> {
                match value {
                    $crate::SqlValue::Text(text) => {
                        ::serde_json::from_str(text).map_err(|error| error.to_string())
                    }
                    other => Err(format!("unexpected stored value {other:?}")),
                }
            }

            fn show(
                value: &$crate::SqlValue,
                out: &mut ::std::vec::Vec<u8>,
            ) -> Result<(), String> {
                $crate::attribute::show_stored_json(value, out)
            }
        }
    )*};
}
