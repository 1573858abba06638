//! Attributes whose JSON and stored form is one text: ids, addresses, prefixes, names.

use std::{fmt, net::IpAddr, net::Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{
    AddressGroupId, AgentId, FloatingIpId, GatewayPortForwardingId, HostName, L4PortRange,
    MacAddress, NetworkId, PortForwardingId, PortId, ProjectId, Protocol, RouterId,
    SecurityGroupId, SecurityGroupRuleId, SubnetId,
};
use serde_json::{Value, json};

use super::{AttributeValue, quoted, unexpected};
use crate::row::{SqlType, SqlValue};

/// Implements the trait for a type whose JSON and stored form is one text. Requests may be read
/// otherwise than the database.
macro_rules! text_attribute {
    ($type:ty => $what:literal, read $read:expr) => {
        impl $crate::attribute::AttributeValue for $type {
            const SQL: $crate::SqlType = $crate::SqlType::Text;

            fn from_json(value: &::serde_json::Value) -> Result<Self, String> {
                let read: fn(&str) -> Option<Self> = $read;
                value.as_str().and_then(read).ok_or_else(|| {
                    format!("'{}' is not a valid {}", $crate::attribute::quoted(value), $what)
                })
            }

            fn to_json(&self) -> ::serde_json::Value {
                ::serde_json::Value::String(self.to_string())
            }

            fn to_sql(&self) -> $crate::SqlValue {
                $crate::SqlValue::Text(self.to_string())
            }

            fn from_sql(value: &$crate::SqlValue) -> Result<Self, String> {
                match value {
                    $crate::SqlValue::Text(text) => {
                        <$type as ::std::str::FromStr>::from_str(text).map_err(|error| format!("{text}: {error}"))
                    }
                    other => $crate::attribute::unexpected(other),
                }
            }

            fn show(
                value: &$crate::SqlValue,
                out: &mut ::std::vec::Vec<u8>,
            ) -> Result<(), String> {
                $crate::attribute::show_text(value, out)
            }

            fn schema() -> ::serde_json::Value {
                $crate::attribute::text_schema($what)
            }
        }
    };
    ($($type:ty => $what:literal),* $(,)?) => {$(
        $crate::attribute::text_attribute! {
            $type => $what, read |text| <$type as ::std::str::FromStr>::from_str(text).ok()
        }
    )*};
}

/// Declares the ids of resources in the resources' own files; a request writes them as UUIDs.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        ::navigator_model::ids! { $($(#[$doc])* $name),* }
        $crate::attribute::text_attribute! { $($name => "UUID"),* }
    };
}

pub(crate) use {ids, text_attribute};

/// Of a text that is this: with the format that JSON schema knows it by, if it does.
pub(crate) fn text_schema(what: &str) -> Value {
    let mut schema = json!({"type": "string", "description": what});
    match what {
        "UUID" => schema["format"] = "uuid".into(),
        "IPv4 address" => schema["format"] = "ipv4".into(),
        _ => {}
    }
    schema
}

/// A stored text as JSON.
pub(crate) fn show_text(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
    let SqlValue::Text(text) = value else { return unexpected(value) };
    push_text(text, out)
}

/// Appends a text as JSON.
pub(crate) fn push_text(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // Without a branch per byte: the compiler looks at many at once.
    if text.bytes().fold(false, |any, byte| any | escaped(byte)) {
        return serde_json::to_writer(out, text).map_err(|error| error.to_string());
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
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
    SecurityGroupId => "UUID",
    SecurityGroupRuleId => "UUID",
    AddressGroupId => "UUID",
    MacAddress => "MAC address",
    IpAddr => "IP address",
    Ipv4Addr => "IPv4 address",
    L4PortRange => "port range",
    Protocol => "protocol: tcp, udp, sctp or dccp",
}

// A prefix in canonical form: host bits are dropped, as Neutron does.
text_attribute! {
    IpNet => "IP subnet",
    read |text| text.parse::<IpNet>().ok().filter(|_| text.contains('/')).map(|net| net.trunc())
}

// A bare address is a /32.
text_attribute! {
    Ipv4Net => "IPv4 prefix",
    read |text| {
        let address = || text.parse::<Ipv4Addr>().map(Ipv4Net::from);
        text.parse::<Ipv4Net>().or_else(|_| address()).ok().map(|net| net.trunc())
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

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        show_text(value, out)
    }

    fn from_filter(text: &str) -> Option<SqlValue> {
        Some(SqlValue::from(text))
    }

    fn schema() -> Value {
        json!({"type": "string", "maxLength": MAX})
    }
}

/// A name of at most 255 characters that is not blank.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub String);

impl AttributeValue for Name {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = Text::<255>::from_json(value)?;
        if text.0.trim().is_empty() {
            return Err(format!("'{}' Blank strings are not permitted", quoted(value)));
        }
        Ok(Self(text.0))
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

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        show_text(value, out)
    }

    fn schema() -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": 255})
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

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        show_text(value, out)
    }

    fn from_filter(text: &str) -> Option<SqlValue> {
        Some(SqlValue::from(text))
    }

    fn schema() -> Value {
        json!({"type": "string"})
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

            fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
                show_text(value, out)
            }

            fn schema() -> Value {
                Text::<255>::schema()
            }
        }
    )*};
}

named_text!(ProjectId, HostName);
