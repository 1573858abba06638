//! How long the prefixes of a pool's subnets may be.

use serde_json::{Value, json};

use super::SubnetPool;
use crate::{AttributeValue, Refusal, SqlType, SqlValue, registry::subnet::IpVersion};

/// A number of bits. Neutron's clients know it as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixLength(pub u32);

impl PrefixLength {
    pub fn default_min(version: IpVersion) -> Self {
        match version {
            IpVersion::V4 => Self(8),
            IpVersion::V6 => Self(64),
        }
    }

    pub fn max(version: IpVersion) -> Self {
        match version {
            IpVersion::V4 => Self(32),
            IpVersion::V6 => Self(128),
        }
    }
}

impl AttributeValue for PrefixLength {
    const SQL: SqlType = SqlType::Int;

    fn from_json(value: &Value) -> Result<Self, String> {
        u32::from_json(value).map(Self)
    }

    fn to_json(&self) -> Value {
        Value::from(self.0.to_string())
    }

    fn to_sql(&self) -> SqlValue {
        self.0.to_sql()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        u32::from_sql(value).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string"})
    }
}

impl SubnetPool {
    /// Shortest, default and longest prefix are in this order.
    pub(super) fn check_bounds(&self) -> Result<(), Refusal> {
        let min = ("min_prefixlen", self.min_prefixlen);
        let max = ("max_prefixlen", self.max_prefixlen);
        let default = ("default_prefixlen", self.default_prefixlen);
        let longest = ("ip_version_max", PrefixLength::max(self.ip_version));
        in_order(min, max, min)?;
        in_order(max, longest, max)?;
        in_order(min, default, default)?;
        in_order(default, max, default)
    }
}

type Bound = (&'static str, PrefixLength);

/// `blamed` is the one of the two that the refusal is about.
fn in_order(low: Bound, high: Bound, blamed: Bound) -> Result<(), Refusal> {
    if low.1 <= high.1 {
        return Ok(());
    }
    let base = if blamed == low { high } else { low };
    Err(Refusal::IllegalSubnetPoolPrefixBounds {
        prefix_type: blamed.0.to_owned(),
        prefixlen: blamed.1.0.to_string(),
        base_prefix_type: base.0.to_owned(),
        base_prefixlen: base.1.0.to_string(),
    })
}
