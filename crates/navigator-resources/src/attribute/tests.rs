//! What is written from stored values is what the typed values say.

use std::fmt::Debug;

use navigator_model::{L4Port, SecurityGroupId};
use serde_json::Value;

use super::*;
use crate::registry::port::{FixedIp, VnicType};

fn shown<T: AttributeValue>(stored: &SqlValue) -> Result<String, String> {
    let mut out = Vec::new();
    T::show(stored, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// Both ways from what is stored.
fn same<T: AttributeValue>(stored: impl Into<SqlValue> + Clone + Debug) {
    let value = stored.clone().into();
    let typed = T::from_sql(&value).unwrap().to_json();
    assert_eq!(shown::<T>(&value), Ok(typed.to_string()), "{stored:?}");
}

#[test]
fn texts_are_quoted_whatever_is_in_them() {
    for text in ["", "web", "a\"b", "back\\slash", "\u{1f}\n\t\u{0}", "网络 é", "\u{7f}</"] {
        same::<String>(text);
        same::<Text<255>>(text);
        same::<Option<Name>>(text);
        same::<DnsName>(text);
    }
    same::<Option<String>>(SqlValue::Null);
    assert!(shown::<String>(&SqlValue::Null).is_err(), "a text that is never NULL");
    assert!(shown::<String>(&SqlValue::Int(1)).is_err());
}

#[test]
fn numbers_truths_and_words_are_as_they_are() {
    same::<bool>(true);
    same::<bool>(1);
    same::<i64>(-7);
    same::<Option<u32>>(SqlValue::Null);
    same::<Option<L4Port>>(443);
    same::<VnicType>("smart-nic");
}

#[test]
fn lists_come_from_json_and_from_what_the_database_joins() {
    let id = "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11";
    let fixed_ip = format!("{{\"ip_address\":\"10.0.0.7\",\"subnet_id\":\"{id}\"}}");
    for stored in ["[]".to_owned(), format!("[{fixed_ip}]"), format!("[{fixed_ip},{fixed_ip}]")] {
        same::<Vec<FixedIp>>(stored);
    }
    for stored in [String::new(), id.to_owned(), format!("{id},{id}"), "[]".to_owned()] {
        same::<Vec<SecurityGroupId>>(stored);
    }
    same::<Vec<SecurityGroupId>>(SqlValue::Null);
    same::<Vec<String>>(format!("[\"a\\\"b\",\"{id}\"]"));
    same::<Dict>("{\"a\":[1,{\"b\":null}]}");
    for stored in [SqlValue::Null, "".into(), "b\u{1f}a, b\u{1f}\"c".into()] {
        same::<Tags>(stored);
    }
    let parsed: Value = serde_json::from_str(&shown::<Tags>(&"x".into()).unwrap()).unwrap();
    assert_eq!(parsed, serde_json::json!(["x"]));
}
