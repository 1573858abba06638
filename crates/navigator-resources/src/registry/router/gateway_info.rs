//! `external_gateway_info`: how requests say it, how it is stored and shown.

use navigator_model::{NetworkId, snapshot::FixedIp};
use serde_json::{Value, json};

use crate::{
    AttributeValue, SqlType, SqlValue,
    attribute::JsonValue,
    registry::{port::FixedIpRequest, qos_policy::QosPolicyId},
    route_attribute::{member, object, required},
};

const KEYS: &[&str] = &["network_id", "enable_snat", "external_fixed_ips", "qos_policy_id"];

/// The gateway as stored and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayInfo {
    pub network_id: NetworkId,
    pub enable_snat: bool,
    /// In the order of the gateway port's addresses.
    pub external_fixed_ips: Vec<FixedIp>,
    pub qos_policy_id: Option<QosPolicyId>,
}

impl AttributeValue for GatewayInfo {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let map = object(value, KEYS)?;
        Ok(Self {
            network_id: required(map, "network_id")?,
            enable_snat: required(map, "enable_snat")?,
            external_fixed_ips: member(map, "external_fixed_ips")?.unwrap_or_default(),
            qos_policy_id: member(map, "qos_policy_id")?,
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "network_id": self.network_id,
            "enable_snat": self.enable_snat,
            "external_fixed_ips": AttributeValue::to_json(&self.external_fixed_ips),
            "qos_policy_id": self.qos_policy_id,
        })
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().to_string())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => {
                let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
                Self::from_json(&value)
            }
            other => Err(format!("unexpected stored value {other:?}")),
        }
    }
}

/// What a request says: `null` and `{}` clear the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum GatewayRequest {
    Clear,
    Set {
        network_id: NetworkId,
        enable_snat: Option<bool>,
        external_fixed_ips: Option<Vec<FixedIpRequest>>,
        /// Outer `None`: not said; the gateway keeps what it has.
        qos_policy_id: Option<Option<QosPolicyId>>,
    },
}

impl AttributeValue for GatewayRequest {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        if value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Self::Clear);
        }
        let map = object(value, KEYS)?;
        let fixed_ips = map.get("external_fixed_ips").filter(|ips| !ips.is_null());
        let fixed_ips = fixed_ips.map(Vec::<FixedIpRequest>::from_json).transpose()?;
        Ok(Self::Set {
            network_id: required(map, "network_id")?,
            enable_snat: member(map, "enable_snat")?,
            external_fixed_ips: fixed_ips,
            qos_policy_id: map.get("qos_policy_id").map(AttributeValue::from_json).transpose()?,
        })
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Clear => Value::Null,
            Self::Set { network_id, enable_snat, external_fixed_ips, qos_policy_id } => json!({
                "network_id": network_id,
                "enable_snat": enable_snat,
                "external_fixed_ips":
                    external_fixed_ips.iter().flatten().map(JsonValue::show).collect::<Vec<_>>(),
                "qos_policy_id": qos_policy_id.flatten(),
            }),
        }
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().to_string())
    }

    /// Requests are not stored.
    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        Err(format!("a request is not stored: {value:?}"))
    }
}
