//! How a network says and shows its segments: by `provider:` attributes while it has one, by a list
//! when it has more.

use serde_json::{Value, json};

use crate::{
    AttributeValue, Changes, Network, SqlType, SqlValue,
    attribute::{JsonValue, Text},
    route_attribute::{member, object},
};

/// A line per segment: type, id, physical network, between tabs. Only of networks with several.
pub(crate) const SEGMENTS: &str = "(SELECT CASE WHEN COUNT(*) > 1 THEN string_agg(\
    g.network_type || '\t' || COALESCE(CAST(g.segmentation_id AS TEXT), '') || '\t' || COALESCE(g.physical_network, ''), '\n') \
    END FROM segments g WHERE g.network_id = networks.id)";

/// False of a network whose subnets are each on one segment: two hosts need not share a wire.
pub(crate) const L2_ADJACENCY: &str = "NOT EXISTS (SELECT 1 FROM subnets s \
    WHERE s.network_id = networks.id AND s.segment_id IS NOT NULL)";

const TYPE: &str = "provider:network_type";
const PHYSICAL_NETWORK: &str = "provider:physical_network";
const SEGMENTATION_ID: &str = "provider:segmentation_id";
const KEYS: &[&str] = &[TYPE, PHYSICAL_NETWORK, SEGMENTATION_ID];

/// One of the segments that a new network shall have.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentRequest {
    pub network_type: Option<Text<32>>,
    pub physical_network: Option<Text<64>>,
    pub segmentation_id: Option<u32>,
}

impl JsonValue for SegmentRequest {
    fn check(value: &Value) -> Result<Self, String> {
        let map = object(value, KEYS)?;
        Ok(Self {
            network_type: member(map, TYPE)?,
            physical_network: member(map, PHYSICAL_NETWORK)?,
            segmentation_id: member(map, SEGMENTATION_ID)?,
        })
    }

    fn show(&self) -> Value {
        json!({
            TYPE: self.network_type.to_json(),
            PHYSICAL_NETWORK: self.physical_network.to_json(),
            SEGMENTATION_ID: self.segmentation_id,
        })
    }
}

/// All segments of a network that has several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShownSegments(Vec<Value>);

impl AttributeValue for ShownSegments {
    const SQL: SqlType = SqlType::Text;

    fn from_json(_: &Value) -> Result<Self, String> {
        Err("it is computed".to_owned())
    }

    fn to_json(&self) -> Value {
        Value::Array(self.0.clone())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Null
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let SqlValue::Text(text) = value else { return Ok(Self::default()) };
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let shown = |line: &str| {
            let words: Vec<&str> = line.split('\t').collect();
            let [network_type, segmentation_id, physical_network] = words[..] else {
                return Err(format!("'{line}' has not three parts"));
            };
            let physical = Some(physical_network).filter(|name| !name.is_empty());
            Ok(json!({
                TYPE: network_type,
                PHYSICAL_NETWORK: physical,
                SEGMENTATION_ID: segmentation_id.parse::<u32>().ok(),
            }))
        };
        lines.into_iter().map(shown).collect::<Result<_, _>>().map(Self)
    }
}

/// Either the list or the attributes of the only one.
pub(crate) fn present(network: &Network) -> Changes {
    if network.segments == ShownSegments::default() {
        return vec![("segments", None)];
    }
    KEYS.iter().map(|key| (*key, None)).collect()
}
