//! How each type of value is read from JSON, written to JSON, stored, and filtered by. The types do
//! the validation; the reasons are Neutron's texts.

use std::{fmt, net::IpAddr, net::Ipv4Addr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{
    AgentId, FloatingIpId, GatewayPortForwardingId, HostName, L4Port, L4PortRange, MacAddress,
    NetworkId, PortForwardingId, PortId, ProjectId, Protocol, RouterId, SubnetId,
};
use serde_json::Value;

use crate::row::{SqlType, SqlValue};

pub trait AttributeValue: Sized {
    const SQL: SqlType;
    /// The reason is a sentence without its full stop.
    fn from_json(value: &Value) -> Result<Self, String>;
    fn to_json(&self) -> Value;
    fn to_sql(&self) -> SqlValue;
    fn from_sql(value: &SqlValue) -> Result<Self, String>;
    /// The stored form of a filter's text.
    fn from_filter(text: &str) -> Option<SqlValue> {
        Self::from_json(&Value::from(text)).ok().map(|value| value.to_sql())
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

fn unexpected<T>(value: &SqlValue) -> Result<T, String> {
    Err(format!("unexpected stored value {value:?}"))
}

/// Implements the trait for a type whose JSON and stored form is one text.
macro_rules! text_attribute {
    ($($type:ty => $what:literal),* $(,)?) => {$(
        impl AttributeValue for $type {
            const SQL: SqlType = SqlType::Text;

            fn from_json(value: &Value) -> Result<Self, String> {
                value
                    .as_str()
                    .and_then(|text| <$type>::from_str(text).ok())
                    .ok_or_else(|| format!("'{}' is not a valid {}", quoted(value), $what))
            }

            fn to_json(&self) -> Value {
                Value::String(self.to_string())
            }

            fn to_sql(&self) -> SqlValue {
                SqlValue::Text(self.to_string())
            }

            fn from_sql(value: &SqlValue) -> Result<Self, String> {
                match value {
                    SqlValue::Text(text) => {
                        <$type>::from_str(text).map_err(|error| format!("{text}: {error}"))
                    }
                    other => unexpected(other),
                }
            }
        }
    )*};
}

text_attribute! {
    NetworkId => "UUID",
    SubnetId => "UUID",
    PortId => "UUID",
    RouterId => "UUID",
    FloatingIpId => "UUID",
    PortForwardingId => "UUID",
    GatewayPortForwardingId => "UUID",
    AgentId => "UUID",
    MacAddress => "MAC address",
    IpAddr => "IP address",
    Ipv4Addr => "IPv4 address",
    L4PortRange => "port range",
    Protocol => "protocol: tcp, udp, sctp or dccp",
}

/// A prefix in canonical form: host bits are dropped, as Neutron does.
impl AttributeValue for IpNet {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        value
            .as_str()
            .filter(|text| text.contains('/'))
            .and_then(|text| text.parse::<IpNet>().ok())
            .map(|net| net.trunc())
            .ok_or_else(|| format!("'{}' is not a valid IP subnet", quoted(value)))
    }

    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_string())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => text.parse().map_err(|error| format!("{text}: {error}")),
            other => unexpected(other),
        }
    }
}

/// Text of at most `MAX` characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(pub String);

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> From<&str> for Text<MAX> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<const MAX: usize> AttributeValue for Text<MAX> {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let Some(text) = value.as_str() else {
            return Err(format!("'{}' is not a valid string", quoted(value)));
        };
        if text.chars().count() > MAX {
            return Err(format!("'{}' exceeds maximum length of {MAX}", quoted(value)));
        }
        // PostgreSQL cannot hold it, and no name needs it.
        if text.contains('\0') {
            return Err("a NUL character is not allowed".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn to_json(&self) -> Value {
        Value::String(self.0.clone())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.0.clone())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        String::from_sql(value).map(Self)
    }

    fn from_filter(text: &str) -> Option<SqlValue> {
        Some(SqlValue::from(text))
    }
}

/// Text that the server itself writes (status, times): any length.
impl AttributeValue for String {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        Text::<255>::from_json(value).map(|text| text.0)
    }

    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.clone())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => Ok(text.clone()),
            other => unexpected(other),
        }
    }

    fn from_filter(text: &str) -> Option<SqlValue> {
        Some(SqlValue::from(text))
    }
}

/// Names that are text with a type of their own.
macro_rules! named_text {
    ($($type:ident),*) => {$(
        impl AttributeValue for $type {
            const SQL: SqlType = SqlType::Text;

            fn from_json(value: &Value) -> Result<Self, String> {
                Text::<255>::from_json(value).map(|text| Self(text.0))
            }

            fn to_json(&self) -> Value {
                Value::String(self.0.clone())
            }

            fn to_sql(&self) -> SqlValue {
                SqlValue::Text(self.0.clone())
            }

            fn from_sql(value: &SqlValue) -> Result<Self, String> {
                String::from_sql(value).map(Self)
            }
        }
    )*};
}

named_text!(ProjectId, HostName);

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

impl<T: AttributeValue> AttributeValue for Option<T> {
    const SQL: SqlType = T::SQL;

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

    fn from_filter(text: &str) -> Option<SqlValue> {
        // An empty filter value asks for objects where the attribute is empty.
        if text.is_empty() { Some(SqlValue::Null) } else { T::from_filter(text) }
    }
}

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
        }
    };
}

json_items!(
    String, NetworkId, SubnetId, PortId, IpAddr, Ipv4Addr, IpNet, HostName, MacAddress, Ipv4Net
);

/// An IPv4 prefix; a bare address is a /32.
impl AttributeValue for Ipv4Net {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default();
        let net = text.parse::<Ipv4Net>().or_else(|_| text.parse::<Ipv4Addr>().map(Ipv4Net::from));
        net.map(|net| net.trunc())
            .map_err(|_| format!("'{}' is not a valid IPv4 prefix", quoted(value)))
    }

    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_string())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => text.parse().map_err(|error| format!("{text}: {error}")),
            other => unexpected(other),
        }
    }
}

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
        }
    )*};
}
