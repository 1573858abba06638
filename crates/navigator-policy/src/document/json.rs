//! `{"name": "check", …}`. A name that comes twice is seen, which a JSON map would hide.

use std::fmt;

use serde::{
    Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::{DocumentError, Entry, Written};

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of rules")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

pub(super) fn entries(text: &str) -> Result<Vec<Entry>, DocumentError> {
    let wrong =
        |error: serde_json::Error| DocumentError { line: error.line(), reason: error.to_string() };
    let mut reader = serde_json::Deserializer::from_str(text);
    let pairs = reader.deserialize_map(Pairs).map_err(wrong)?;
    reader.end().map_err(wrong)?;
    pairs.into_iter().map(|(name, value)| entry(text, name, value)).collect()
}

fn entry(text: &str, name: String, value: Value) -> Result<Entry, DocumentError> {
    // Where the name stands first: good enough to find it.
    let quoted = Value::String(name.clone()).to_string();
    let line = text.find(&quoted).map_or(1, |at| text[..at].matches('\n').count() + 1);
    let written = match value {
        Value::String(text) => Written::Text(text),
        Value::Array(_) => Written::Lists(value),
        other => {
            return super::fail(
                line,
                format!("'{name}' is {other}, not a text: \"\" allows everybody"),
            );
        }
    };
    Ok(Entry { name, line, written })
}
