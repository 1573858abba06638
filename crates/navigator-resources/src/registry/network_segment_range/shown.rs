//! What a range shows of the networks that have its ids.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{AttributeValue, SqlType, SqlValue};

/// A line per network: id and project, between tabs.
pub(super) const USED: &str = "(SELECT string_agg(a.segmentation_id || '\t' || n.project_id, '\n') \
    FROM segment_allocations a JOIN networks n ON n.id = a.network_id \
    WHERE a.network_type = network_segment_ranges.network_type \
    AND a.physical_network = COALESCE(network_segment_ranges.physical_network, '') \
    AND a.segmentation_id BETWEEN network_segment_ranges.minimum AND network_segment_ranges.maximum)";

/// JSON schema of the free ids.
pub(super) fn available() -> Value {
    json!({"type": "array", "items": {"type": "integer"}})
}

/// JSON schema of whose range it is: nobody's where it is everybody's.
pub(super) fn owner() -> Value {
    json!({"type": ["string", "null"]})
}

/// Ids in use, each with the project whose network has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Used(BTreeMap<u32, String>);

impl Used {
    /// At most so many free ids are listed: a range of tunnels may have millions.
    const MOST: usize = 10_000;

    /// The first free ids.
    pub(super) fn left(&self, minimum: u32, maximum: u32) -> Value {
        let free = (minimum..=maximum).filter(|id| !self.0.contains_key(id));
        free.take(Self::MOST).map(Value::from).collect()
    }

    /// Whether all that are in use lie within these; `None`: whether none is in use.
    pub(super) fn all_within(&self, kept: Option<(u32, u32)>) -> bool {
        let inside = |id: &u32| kept.is_some_and(|(first, last)| (first..=last).contains(id));
        self.0.keys().all(inside)
    }
}

impl AttributeValue for Used {
    const SQL: SqlType = SqlType::Text;

    fn from_json(_: &Value) -> Result<Self, String> {
        Err("it is computed".to_owned())
    }

    fn to_json(&self) -> Value {
        let shown = self.0.iter().map(|(id, project)| (id.to_string(), project.as_str().into()));
        Value::Object(shown.collect::<Map<_, _>>())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Null
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let SqlValue::Text(text) = value else { return Ok(Self::default()) };
        let line = |line: &str| {
            let (id, project) = line.split_once('\t').ok_or("no project")?;
            let id = id.parse().map_err(|_| format!("'{id}' is no id"))?;
            Ok((id, project.to_owned()))
        };
        text.lines().map(line).collect::<Result<_, String>>().map(Self)
    }
}
