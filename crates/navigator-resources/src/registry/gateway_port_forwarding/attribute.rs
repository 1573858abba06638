//! Attributes that only gateway port forwardings have.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use navigator_model::snapshot::{FixedIp, SourceNat};
use serde_json::Value;

use crate::{AttributeValue, SqlType, SqlValue, attribute::quoted};

/// Each prefix costs the router a comparison per new connection.
const MOST_CIDRS: usize = 50;

/// The prefixes that may use a forwarding; empty means any source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedCidrs(pub Vec<Ipv4Net>);

impl AttributeValue for AllowedCidrs {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let mut cidrs = Vec::<Ipv4Net>::from_json(value)?;
        if cidrs.len() > MOST_CIDRS {
            return Err(format!("{} prefixes are more than {MOST_CIDRS}", cidrs.len()));
        }
        cidrs.sort_unstable();
        cidrs.dedup();
        Ok(Self(cidrs))
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.to_sql()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        Vec::from_sql(value).map(Self)
    }
}

/// The gateway port's first IPv4 address, read from that port's `fixed_ips`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayAddress(pub Option<Ipv4Addr>);

impl GatewayAddress {
    /// Of a gateway port with these addresses.
    pub fn of(fixed_ips: &[FixedIp]) -> Self {
        Self(fixed_ips.iter().find_map(|fixed| match fixed.ip_address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }))
    }
}

impl AttributeValue for GatewayAddress {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        Option::from_json(value).map(Self)
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.to_sql()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        Vec::<FixedIp>::from_sql(value).map(|fixed_ips| Self::of(&fixed_ips))
    }
}

impl AttributeValue for SourceNat {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some("auto") => Ok(Self::Auto),
            Some("never") => Ok(Self::Never),
            Some("always") => Ok(Self::Always),
            _ => Err(format!("'{}' is not in ['auto', 'never', 'always']", quoted(value))),
        }
    }

    fn to_json(&self) -> Value {
        Value::from(match self {
            Self::Auto => "auto",
            Self::Never => "never",
            Self::Always => "always",
        })
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().as_str().unwrap_or_default().to_owned())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => Self::from_json(&Value::from(text.as_str())),
            other => Err(format!("unexpected stored value {other:?}")),
        }
    }
}
