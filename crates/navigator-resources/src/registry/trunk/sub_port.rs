//! How requests name sub-ports, and how a trunk keeps them.

use navigator_model::PortId;
use serde_json::{Map, Value, json};

use crate::{
    AttributeValue, Refusal,
    attribute::JsonValue,
    route_attribute::{member, object, required},
};

crate::word_attribute! {
    /// How a sub-port's frames are told apart on the wire.
    pub enum SegmentationType {
        Vlan => "vlan",
    }
}

/// A port with its tag.
#[derive(Clone, Debug, PartialEq)]
pub struct SubPort {
    pub port_id: PortId,
    pub segmentation_type: SegmentationType,
    /// VLAN id, 1 to 4094.
    pub segmentation_id: u32,
}

const KEYS: &[&str] = &["port_id", "segmentation_type", "segmentation_id"];

impl JsonValue for SubPort {
    fn check(value: &Value) -> Result<Self, String> {
        let map = object(value, KEYS)?;
        Ok(Self {
            port_id: required(map, "port_id")?,
            segmentation_type: required(map, "segmentation_type")?,
            segmentation_id: required(map, "segmentation_id")?,
        })
    }

    fn show(&self) -> Value {
        json!({
            "port_id": self.port_id,
            "segmentation_type": self.segmentation_type.word(),
            "segmentation_id": self.segmentation_id,
        })
    }
}

/// Without tag, or with that of the port's network.
#[derive(Clone, Debug, PartialEq)]
pub struct SubPortRequest {
    pub port_id: PortId,
    /// `inherit`: type and id are the network's.
    pub segmentation_type: Option<String>,
    pub segmentation_id: Option<i64>,
}

impl JsonValue for SubPortRequest {
    fn check(value: &Value) -> Result<Self, String> {
        let map = object(value, KEYS)?;
        Ok(Self {
            port_id: required(map, "port_id")?,
            segmentation_type: member(map, "segmentation_type")?,
            segmentation_id: member(map, "segmentation_id")?,
        })
    }

    fn show(&self) -> Value {
        json!({
            "port_id": self.port_id,
            "segmentation_type": self.segmentation_type,
            "segmentation_id": self.segmentation_id,
        })
    }
}

/// What can be said of them without looking at a port: each has its tag, and none has another's.
pub(super) fn check_all(asked: &[SubPortRequest]) -> Result<(), Refusal> {
    let invalid = |error_message| Refusal::InvalidInput { error_message };
    for (index, request) in asked.iter().enumerate() {
        let tag = (request.segmentation_type.as_deref(), request.segmentation_id);
        let port_id = request.port_id;
        if !matches!(tag, (Some("inherit"), _) | (Some(_), Some(_))) {
            return Err(invalid(format!(
                "missing segmentation information for port {port_id}. Must specify both \
                 segmentation_id and segmentation_type"
            )));
        }
        let before = &asked[..index];
        if before.iter().any(|other| other.port_id == port_id) {
            return Err(invalid(format!("port {port_id} is there twice")));
        }
        let same = |other: &SubPortRequest| {
            (other.segmentation_type.as_deref(), other.segmentation_id) == tag
        };
        if tag.1.is_some() && before.iter().any(same) {
            return Err(invalid(format!("the segmentation id of port {port_id} is there twice")));
        }
    }
    Ok(())
}

/// A sub-port to be removed: only its port counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) port_id: PortId,
}

impl JsonValue for Named {
    fn check(value: &Value) -> Result<Self, String> {
        Ok(Self { port_id: required(object(value, KEYS)?, "port_id")? })
    }

    fn show(&self) -> Value {
        json!({ "port_id": self.port_id })
    }
}

/// `{"sub_ports": […]}`.
pub(super) fn asked<T: JsonValue>(body: &Map<String, Value>) -> Result<Vec<T>, Refusal> {
    let Some(value @ Value::Array(_)) = body.get("sub_ports") else {
        let error_message = "sub_ports is missing or no list".to_owned();
        return Err(Refusal::InvalidInput { error_message });
    };
    Vec::<T>::from_json(value).map_err(|reason| Refusal::invalid("sub_ports", reason))
}
