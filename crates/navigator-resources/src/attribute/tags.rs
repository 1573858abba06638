//! Tags: words that clients put on objects to find them again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{AttributeValue, quoted, show_json, unexpected};
use crate::row::{SqlType, SqlValue};

/// Between tags where the database joins them. No tag has it, as none has any control character.
const SEPARATOR: char = '\u{1f}';
const LONGEST: usize = 255;
const MOST: usize = 50;

/// In alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub BTreeSet<String>);

impl Tags {
    /// What is wrong with this as a tag.
    pub fn check_one(tag: &str) -> Result<(), String> {
        if tag.is_empty() {
            return Err("a tag is not empty".to_owned());
        }
        if tag.chars().count() > LONGEST {
            let tag = quoted(&Value::from(tag));
            return Err(format!("'{tag}' exceeds maximum length of {LONGEST}"));
        }
        if tag.chars().any(char::is_control) {
            return Err("a tag has no control characters".to_owned());
        }
        Ok(())
    }

    /// Whether these are too many for one object.
    pub fn check_count(&self) -> Result<(), String> {
        if self.0.len() <= MOST {
            return Ok(());
        }
        Err(format!("an object has at most {MOST} tags"))
    }
}

impl AttributeValue for Tags {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let Value::Array(items) = value else {
            return Err(format!("'{}' is not a list", quoted(value)));
        };
        let mut tags = Self::default();
        for item in items {
            let tag =
                item.as_str().ok_or_else(|| format!("'{}' is not a valid string", quoted(item)))?;
            Self::check_one(tag)?;
            if !tags.0.insert(tag.to_owned()) {
                return Err(format!("'{}' is there twice", quoted(item)));
            }
        }
        tags.check_count()?;
        Ok(tags)
    }

    fn to_json(&self) -> Value {
        json!(self.0)
    }

    fn to_sql(&self) -> SqlValue {
        let tags: Vec<&str> = self.0.iter().map(String::as_str).collect();
        SqlValue::Text(tags.join(&SEPARATOR.to_string()))
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Null => Ok(Self::default()),
            SqlValue::Text(text) => {
                let tags = text.split(SEPARATOR).filter(|tag| !tag.is_empty());
                Ok(Self(tags.map(str::to_owned).collect()))
            }
            other => unexpected(other),
        }
    }

    fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
        if *value != SqlValue::Null {
            return show_json(&Self::from_sql(value)?.to_json(), out);
        }
        out.extend_from_slice(b"[]");
        Ok(())
    }

    fn schema() -> Value {
        let tag = json!({"type": "string", "minLength": 1, "maxLength": LONGEST});
        json!({"type": "array", "items": tag, "maxItems": MOST, "uniqueItems": true})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_joins_is_taken_apart() {
        let tags = Tags::from_json(&json!(["b", "a, b", "网络"])).unwrap();
        assert_eq!(tags.to_json(), json!(["a, b", "b", "网络"]));
        assert_eq!(Tags::from_sql(&tags.to_sql()), Ok(tags));
        assert_eq!(Tags::from_sql(&SqlValue::Null), Ok(Tags::default()));
    }

    #[test]
    fn tags_are_short_unique_and_few() {
        let long = "ü".repeat(256);
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        for wrong in [
            json!("a"),
            json!(["a", "a"]),
            json!(["a", 1]),
            json!([""]),
            json!(["a\u{1f}b"]),
            json!(["a\u{0}"]),
            json!([long]),
            json!(many),
            Value::Null,
        ] {
            assert!(Tags::from_json(&wrong).is_err(), "{wrong}");
        }
        assert!(Tags::from_json(&json!([&long[2..]])).is_ok());
        assert!(Tags::from_json(&json!(many[..50])).is_ok());
        assert!(Tags::from_json(&json!([])).is_ok());
    }
}
