//! What a floating IP shows of other objects: the port that it leads to, and its port forwardings.
//! Both are computed by the database as words between spaces, which no id or address contains, and
//! read apart here: one text for every SQL dialect, without its JSON functions.

use navigator_model::L4PortRange;
use serde_json::{Value, json};

use super::FloatingIp;
use crate::{AttributeValue, Changes, Port, SqlType, SqlValue, attribute::show_json};

fn not_said<T>() -> Result<T, String> {
    Err("it is computed".to_owned())
}

/// The machine-written part of `port_details`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details(Option<Value>);

impl Details {
    fn of(port: &Port) -> Self {
        Self(Some(json!({
            "id": port.id,
            "network_id": port.network_id,
            "mac_address": port.mac_address,
            "admin_state_up": port.admin_state_up,
            "status": AttributeValue::to_json(&port.status),
        })))
    }
}

impl AttributeValue for Details {
    const SQL: SqlType = SqlType::Text;

    fn from_json(_: &Value) -> Result<Self, String> {
        not_said()
    }

    fn to_json(&self) -> Value {
        self.0.clone().unwrap_or_default()
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Null
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let SqlValue::Text(text) = value else { return Ok(Self(None)) };
        let words: Vec<&str> = text.split(' ').collect();
        let [id, network_id, mac_address, admin_state_up, status] = words[..] else {
            return Err(format!("'{text}' has not five words"));
        };
        Ok(Self(Some(json!({
            "id": id,
            "network_id": network_id,
            "mac_address": mac_address,
            "admin_state_up": admin_state_up == "true",
            "status": status,
        }))))
    }
}

/// `port_forwardings`, as the database computes them for answers: a floating IP can have thousands, and
/// a decision about one of them must not read the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForwardingItems(String);

impl ForwardingItems {
    fn items(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(|item| !item.is_empty())
    }

    /// By id, which each begins with.
    fn shown(&self) -> Result<Value, String> {
        let mut items: Vec<&str> = self.items().collect();
        items.sort_unstable();
        items.into_iter().map(item).collect()
    }
}

impl AttributeValue for ForwardingItems {
    const SQL: SqlType = SqlType::Text;

    fn from_json(_: &Value) -> Result<Self, String> {
        not_said()
    }

    fn to_json(&self) -> Value {
        self.shown().unwrap_or_default()
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Null
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let SqlValue::Text(text) = value else { return Ok(Self::default()) };
        Ok(Self(text.clone()))
    }

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        show_json(&Self::from_sql(value)?.shown()?, out)
    }
}

fn item(text: &str) -> Result<Value, String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [id, protocol, address, port_id, external, internal] = words[..] else {
        return Err(format!("'{text}' has not six words"));
    };
    let range = |text: &str| text.parse::<L4PortRange>().map_err(|error| error.to_string());
    let (external, internal) = (range(external)?, range(internal)?);
    let single = |range: L4PortRange| AttributeValue::to_json(&range.as_single());
    Ok(json!({
        "id": id,
        "protocol": protocol,
        "internal_ip_address": address,
        "internal_port_id": port_id,
        "external_port": single(external),
        "internal_port": single(internal),
        "external_port_range": external.to_string(),
        "internal_port_range": internal.to_string(),
    }))
}

impl FloatingIp {
    /// What reading it again would show of the port.
    pub(super) fn describe(&mut self, port: &Port) {
        self.port_details = Details::of(port);
        self.port_name = Some(port.name.to_string());
        self.port_device_id = Some(port.device_id.to_string());
        self.port_device_owner = Some(port.device_owner.to_string());
    }
}

/// Joins the two parts of `port_details`: `null` while it leads nowhere.
pub(super) fn present(floating_ip: &FloatingIp) -> Changes {
    let Value::Object(mut details) = floating_ip.port_details.to_json() else { return Vec::new() };
    details.remove("id");
    let texts = [
        ("name", &floating_ip.port_name),
        ("device_id", &floating_ip.port_device_id),
        ("device_owner", &floating_ip.port_device_owner),
    ];
    for (key, text) in texts {
        details.insert(key.to_owned(), Value::from(text.as_deref().unwrap_or_default()));
    }
    vec![("port_details", Some(Value::Object(details)))]
}
