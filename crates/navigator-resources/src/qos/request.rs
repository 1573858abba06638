//! `resource_request` of a port: what its policy guarantees, in the words of the placement service,
//! so that an instance is only started where there is that much.

use navigator_model::PortId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{AttributeValue, SqlType, SqlValue};

/// The policy of a port's network. Most networks have none: a list looks once which have one, and not
/// for every port.
pub(crate) const NETWORK_POLICY: &str = "(CASE WHEN EXISTS (\
    SELECT 1 FROM networks n WHERE n.id = ports.network_id AND n.qos_policy_id IS NOT NULL) \
    THEN (SELECT n.qos_policy_id FROM networks n WHERE n.id = ports.network_id) END)";

/// `<port id> <vnic type>;<unit> <direction> <amount>,…;<physical network>`; null without guarantees.
pub(crate) const GUARANTEES: &str = "(CASE WHEN ports.qos_policy_id IS NOT NULL OR EXISTS (\
    SELECT 1 FROM networks n WHERE n.id = ports.network_id AND n.qos_policy_id IS NOT NULL) THEN (SELECT ports.id || ' ' || ports.vnic_type || ';' || string_agg(q.rule, ',') || ';' || COALESCE((SELECT n.physical_network FROM networks n WHERE n.id = ports.network_id), '') FROM (\
    SELECT 'kbps ' || r.direction || ' ' || r.min_kbps AS rule FROM qos_minimum_bandwidth_rules r \
    WHERE r.qos_policy_id = COALESCE(ports.qos_policy_id, (SELECT n.qos_policy_id FROM networks n WHERE n.id = ports.network_id)) \
    UNION ALL SELECT 'kpps ' || r.direction || ' ' || r.min_kpps FROM qos_minimum_packet_rate_rules r \
    WHERE r.qos_policy_id = COALESCE(ports.qos_policy_id, (SELECT n.qos_policy_id FROM networks n WHERE n.id = ports.network_id))) q) END)";

/// Groups of resources that one host has to provide together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceRequest(Option<Value>);

impl AttributeValue for ResourceRequest {
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
        match value {
            SqlValue::Text(text) => request(text).map(|request| Self(Some(request))),
            _ => Ok(Self(None)),
        }
    }
}

fn request(text: &str) -> Result<Value, String> {
    let wrong = || format!("'{text}' is no list of guarantees");
    let mut parts = text.splitn(3, ';');
    let mut part = || parts.next().ok_or_else(wrong);
    let (port, rules, physical_network) = (part()?, part()?, part()?);
    let (port_id, vnic_type) = port.split_once(' ').ok_or_else(wrong)?;
    let port_id: PortId = port_id.parse().map_err(|_| wrong())?;
    let (mut bandwidth, mut packets) = (Map::new(), Map::new());
    for rule in rules.split(',') {
        let words: Vec<&str> = rule.split(' ').collect();
        let [unit, direction, amount] = words[..] else { return Err(wrong()) };
        let amount: i64 = amount.parse().map_err(|_| wrong())?;
        let into = if unit == "kbps" { &mut bandwidth } else { &mut packets };
        into.insert(resource_class(unit, direction).to_owned(), amount.into());
    }
    let vnic = format!("CUSTOM_VNIC_TYPE_{}", trait_name(vnic_type));
    let physical = if physical_network.is_empty() {
        "CUSTOM_NETWORK_TUNNEL_PROVIDER".to_owned()
    } else {
        format!("CUSTOM_PHYSNET_{}", trait_name(physical_network))
    };
    let groups: Vec<Value> = [
        (port_id, "bandwidth", vec![physical, vnic.clone()], bandwidth),
        (port_id, "packet rate", vec![vnic], packets),
    ]
    .into_iter()
    .filter(|(.., resources)| !resources.is_empty())
    .map(|(port_id, name, required, resources)| {
        let id = Uuid::new_v5(&port_id.0, name.as_bytes());
        json!({"id": id, "required": required, "resources": resources})
    })
    .collect();
    let same_subtree: Vec<Value> = groups.iter().map(|group| group["id"].clone()).collect();
    Ok(json!({"request_groups": groups, "same_subtree": same_subtree}))
}

/// As the placement service names what a host has.
fn resource_class(unit: &str, direction: &str) -> &'static str {
    match (unit, direction) {
        ("kbps", "ingress") => "NET_BW_IGR_KILOBIT_PER_SEC",
        ("kbps", _) => "NET_BW_EGR_KILOBIT_PER_SEC",
        (_, "ingress") => "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
        (_, "egress") => "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
        _ => "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    }
}

/// Letters, digits and underscores only.
fn trait_name(text: &str) -> String {
    let upper = text.to_uppercase();
    upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
