//! Routes as a list attribute, and how the keys of structured attributes are read. Shared by subnets
//! and routers; never looks at other objects.

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::snapshot::StaticRoute;
use serde_json::{Map, Value, json};

use crate::{
    AttributeValue,
    attribute::{JsonValue, quoted},
};

/// The object behind `value` if it has no other keys than `keys`.
pub fn object<'a>(value: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let Some(map) = value.as_object() else {
        return Err(format!("'{}' is not a dictionary", quoted(value)));
    };
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("'{}' is not a valid key", quoted(&Value::from(key.as_str())))),
        None => Ok(map),
    }
}

/// One key of such an object; absent and `null` read as `None`.
pub fn member<T: AttributeValue>(map: &Map<String, Value>, key: &str) -> Result<Option<T>, String> {
    map.get(key).map_or(Ok(None), Option::<T>::from_json)
}

/// As `member`, of a key that must be there.
pub fn required<T: AttributeValue>(map: &Map<String, Value>, key: &str) -> Result<T, String> {
    member(map, key)?.ok_or_else(|| format!("'{key}' is required"))
}

/// Neutron takes only prefixes without host bits here, and says which one it would take.
impl JsonValue for StaticRoute {
    fn check(value: &Value) -> Result<Self, String> {
        let map = object(value, &["destination", "nexthop"])?;
        let text = map.get("destination").and_then(Value::as_str).unwrap_or_default();
        let destination: IpNet = required(map, "destination")?;
        if text.parse::<IpNet>().is_ok_and(|given| given != destination) {
            return Err(format!(
                "'{}' isn't a recognized IP subnet cidr, '{destination}' is recommended",
                quoted(&Value::from(text))
            ));
        }
        let nexthop: IpAddr = required(map, "nexthop")?;
        Ok(Self { destination, nexthop })
    }

    fn show(&self) -> Value {
        json!({ "destination": self.destination, "nexthop": self.nexthop })
    }
}
