//! Names of the DNS, as attributes: lower case, or empty for none. They get into a DNS server's
//! configuration, so they are letters, digits, hyphens and dots, and nothing else.

use serde_json::{Value, json};

use super::{AttributeValue, Text, quoted};
use crate::row::{SqlType, SqlValue};

/// Characters in a name, dots included.
const LONGEST: usize = 255;
const LONGEST_LABEL: usize = 63;

/// A host's name: `web`, `web.rack7`, or complete with its final dot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsName(pub String);

/// A domain, complete with its final dot: `example.org.`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsDomain(pub String);

/// Why it is no name.
fn fault(name: &str) -> Option<String> {
    let complete = name.ends_with('.');
    let labels: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    for label in &labels {
        if label.is_empty() {
            return Some("Encountered an empty component".to_owned());
        }
        if label.len() > LONGEST_LABEL {
            return Some(format!("a component is longer than {LONGEST_LABEL} characters"));
        }
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !label.chars().all(known) || label.starts_with('-') || label.ends_with('-') {
            return Some(
                "a component consists of letters, digits and hyphens, and no hyphen at its ends"
                    .to_owned(),
            );
        }
    }
    let top = labels.last().copied().unwrap_or_default();
    let number = top.chars().all(|c| c.is_ascii_digit());
    (number && (complete || labels.len() > 1))
        .then(|| format!("TLD '{top}' must not be all numeric"))
}

fn read(value: &Value) -> Result<String, String> {
    let Text(text) = Text::<LONGEST>::from_json(value)?;
    let name = text.to_ascii_lowercase();
    if name.is_empty() {
        return Ok(name);
    }
    match fault(&name) {
        None => Ok(name),
        Some(reason) => {
            Err(format!("'{}' not a valid PQDN or FQDN. Reason: {reason}", quoted(value)))
        }
    }
}

macro_rules! name_attribute {
    ($type:ty, $check:expr) => {
        impl AttributeValue for $type {
            const SQL: SqlType = SqlType::Text;

            fn from_json(value: &Value) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                let name = read(value)?;
                check(&name)?;
                Ok(Self(name))
            }

            fn to_json(&self) -> Value {
                Value::String(self.0.clone())
            }

            fn to_sql(&self) -> SqlValue {
                SqlValue::Text(self.0.clone())
            }

            fn from_sql(value: &SqlValue) -> Result<Self, String> {
                String::from_sql(value).map(Self)
            }

            fn show(value: &SqlValue, out: &mut Vec<u8>) -> Result<(), String> {
                String::show(value, out)
            }

            fn schema() -> Value {
                json!({"type": "string", "maxLength": LONGEST})
            }
        }
    };
}

name_attribute!(DnsName, |_| Ok(()));
name_attribute!(DnsDomain, |name| {
    if name.is_empty() || name.ends_with('.') {
        Ok(())
    } else {
        Err(format!("'{name}' is not a FQDN"))
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_domains_are_complete() {
        let name = |text: &str| DnsName::from_json(&text.into()).map(|name| name.0);
        for text in ["", "web", "web-1.rack7", "Web.Example.ORG.", "7", &"a".repeat(63)] {
            assert_eq!(name(text).as_deref(), Ok(text.to_ascii_lowercase().as_str()));
        }
        assert!(DnsDomain::from_json(&"example.org.".into()).is_ok());
        assert!(DnsDomain::from_json(&"".into()).is_ok());
        let short = DnsDomain::from_json(&"example.org".into());
        assert_eq!(short, Err("'example.org' is not a FQDN".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_refused_whatever_its_length() {
        let long = [vec!["a"; 200].join("."), "a".repeat(64), "a".repeat(1 << 16)];
        for text in [".", "a..b", "-a", "a-", "a_b", "a b", "a\nb", "a,b", "a.7", "7.", "ä", "a#"]
            .into_iter()
            .chain(long.iter().map(String::as_str))
        {
            assert!(DnsName::from_json(&text.into()).is_err(), "{text}");
        }
        for value in [json!(1), json!(null), json!(["a"])] {
            assert!(DnsName::from_json(&value).is_err(), "{value}");
        }
    }
}
