//! `trunk_details` of a parent port: the trunk and its sub-ports with their MAC addresses, computed
//! with the port, so that a list of ports is still one statement.

use serde_json::{Map, Value, json};

use crate::{AttributeValue, SqlType, SqlValue};

/// `<trunk id> <port id>=<MAC>,… <sub_ports as stored>`; null of a port that is no parent. Most are none: a
/// list looks once which are.
pub(crate) const DETAILS: &str = "(CASE WHEN EXISTS (\
    SELECT 1 FROM trunks t WHERE t.port_id = ports.id) THEN (SELECT t.id || ' ' || COALESCE((\
    SELECT string_agg(p.id || '=' || p.mac_address, ',') FROM trunk_sub_ports s \
    JOIN ports p ON p.id = s.port_id WHERE s.trunk_id = t.id), '') || ' ' || t.sub_ports \
    FROM trunks t WHERE t.port_id = ports.id) END)";

/// Shown of parent ports only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrunkDetails(Option<Value>);

impl TrunkDetails {
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl AttributeValue for TrunkDetails {
    const SQL: SqlType = SqlType::Text;

    fn from_json(_: &Value) -> Result<Self, String> {
        Err("it is computed".to_owned())
    }

    fn to_json(&self) -> Value {
        self.0.clone().unwrap_or_default()
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Null
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let SqlValue::Text(text) = value else { return Ok(Self(None)) };
        let mut parts = text.splitn(3, ' ');
        let (Some(trunk_id), Some(macs), Some(sub_ports)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("'{text}' has not three parts"));
        };
        let macs: Map<String, Value> = macs
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(port_id, mac)| (port_id.to_owned(), mac.into()))
            .collect();
        let mut sub_ports: Vec<Value> =
            serde_json::from_str(sub_ports).map_err(|error| error.to_string())?;
        for sub_port in &mut sub_ports {
            let mac = sub_port["port_id"].as_str().and_then(|id| macs.get(id)).cloned();
            sub_port["mac_address"] = mac.unwrap_or_default();
        }
        Ok(Self(Some(json!({"trunk_id": trunk_id, "sub_ports": sub_ports}))))
    }
}
