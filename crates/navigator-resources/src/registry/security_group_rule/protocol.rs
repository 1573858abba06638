//! The words of a rule: direction, ethertype, and IP protocols by name or number.

use std::fmt;

use navigator_model::SecurityGroupId;
use serde_json::Value;

use crate::{AttributeValue, Refusal, SecurityGroup, SqlType, SqlValue, attribute::quoted};

crate::word_attribute! {
    /// Seen from the port.
    pub enum Direction {
        Ingress => "ingress",
        Egress => "egress",
    }
}

/// The version of IP that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ethertype {
    IPv4,
    IPv6,
}

impl Ethertype {
    fn word(self) -> &'static str {
        match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::IPv4, Self::IPv6].into_iter().find(|e| e.word().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Ethertype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// In any case, as Neutron reads it.
impl AttributeValue for Ethertype {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let found = value.as_str().and_then(Self::of);
        found.ok_or_else(|| format!("'{}' is not in ['IPv4', 'IPv6']", quoted(value)))
    }

    fn to_json(&self) -> Value {
        Value::from(self.word())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::from(self.word())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => {
                Self::of(text).ok_or_else(|| format!("unknown ethertype '{text}'"))
            }
            other => Err(format!("unexpected stored value {other:?}")),
        }
    }
}

/// A word or a number as the request wrote it. What is wrong with it has an error type of its own,
/// so the rules read it and not the generic validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(pub String);

impl AttributeValue for Raw {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(number) => Ok(Self(number.to_string())),
            other => String::from_json(other).map(Self),
        }
    }

    fn to_json(&self) -> Value {
        Value::from(self.0.as_str())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::from(self.0.as_str())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        String::from_sql(value).map(Self)
    }
}

/// A group as a request names it: what is no id is one of no group, as in Neutron.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    pub(super) fn id(&self) -> Result<SecurityGroupId, Refusal> {
        let unknown = |_| Refusal::not_found::<SecurityGroup>(&self.0);
        self.0.parse().map_err(unknown)
    }
}

impl AttributeValue for GroupName {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        String::from_json(value).map(Self)
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.to_sql()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        String::from_sql(value).map(Self)
    }

    fn schema() -> Value {
        SecurityGroupId::schema()
    }
}

/// Names that clients may use, and their IP protocol numbers.
const PROTOCOLS: &[(&str, u8)] = &[
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("icmpv6", 58),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// Protocols that exist in IPv6 only.
const IPV6_ONLY: &[u8] = &[41, 43, 44, 58, 59, 60];

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// How a protocol uses `port_range_min` and `port_range_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    Ports,
    TypeAndCode,
    None,
}

pub(super) fn numbers(protocol: u8) -> Numbers {
    match protocol {
        6 | 17 | 33 | 132 | 136 => Numbers::Ports,
        ICMP | ICMPV6 => Numbers::TypeAndCode,
        _ => Numbers::None,
    }
}

/// Name or number as it is stored and shown: `None` for every protocol.
pub(super) fn canonical(given: Option<&Raw>) -> Result<Option<String>, Refusal> {
    let Some(Raw(given)) = given else { return Ok(None) };
    let word = given.to_ascii_lowercase();
    if word == "any" {
        return Ok(None);
    }
    if let Ok(number) = word.parse::<u8>() {
        return Ok(Some(number.to_string()));
    }
    if PROTOCOLS.iter().any(|(name, _)| *name == word) {
        return Ok(Some(word));
    }
    let names: Vec<&str> = PROTOCOLS.iter().map(|(name, _)| *name).collect();
    Err(Refusal::SecurityGroupRuleInvalidProtocol {
        protocol: quoted(&Value::from(given.as_str())),
        values: names.join(", "),
    })
}

/// The number of a stored protocol. ICMP on IPv6 is ICMPv6 by whichever name.
pub(super) fn number(protocol: &str, ethertype: Ethertype) -> Option<u8> {
    let named = PROTOCOLS.iter().find(|(name, _)| *name == protocol).map(|(_, number)| *number);
    let number = named.or_else(|| protocol.parse().ok())?;
    Some(if number == ICMP && ethertype == Ethertype::IPv6 { ICMPV6 } else { number })
}

pub(super) fn is_ipv6_only(protocol: u8) -> bool {
    IPV6_ONLY.contains(&protocol)
}
