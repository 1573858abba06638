//! What a policy shows of other objects: its rules, and whether anything points at it. Computed by
//! the database as words between spaces and read apart here, as one text for every SQL dialect.

use serde_json::{Map, Value, json};

use super::QosPolicy;
use crate::{AttributeValue, Changes, SqlType, SqlValue};

/// One text per rule: kind, id, and `name=value` of each of its attributes.
pub(super) const RULES: &str = "(SELECT string_agg(q.rule, ',') FROM (\
    SELECT 'bandwidth_limit ' || r.id || ' max_kbps=' || r.max_kbps || ' max_burst_kbps=' || r.max_burst_kbps || ' direction=' || r.direction AS rule \
    FROM qos_bandwidth_limit_rules r WHERE r.qos_policy_id = qos_policies.id UNION ALL \
    SELECT 'dscp_marking ' || r.id || ' dscp_mark=' || r.dscp_mark \
    FROM qos_dscp_marking_rules r WHERE r.qos_policy_id = qos_policies.id UNION ALL \
    SELECT 'minimum_bandwidth ' || r.id || ' min_kbps=' || r.min_kbps || ' direction=' || r.direction \
    FROM qos_minimum_bandwidth_rules r WHERE r.qos_policy_id = qos_policies.id UNION ALL \
    SELECT 'minimum_packet_rate ' || r.id || ' min_kpps=' || r.min_kpps || ' direction=' || r.direction \
    FROM qos_minimum_packet_rate_rules r WHERE r.qos_policy_id = qos_policies.id UNION ALL \
    SELECT 'packet_rate_limit ' || r.id || ' max_kpps=' || r.max_kpps || ' max_burst_kpps=' || r.max_burst_kpps || ' direction=' || r.direction \
    FROM qos_packet_rate_limit_rules r WHERE r.qos_policy_id = qos_policies.id) q)";

/// Of each kind one is enough.
pub(super) const USER: &str = "COALESCE(\
    (SELECT 'network ' || n.id FROM networks n WHERE n.qos_policy_id = qos_policies.id LIMIT 1), \
    (SELECT 'port ' || p.id FROM ports p WHERE p.qos_policy_id = qos_policies.id LIMIT 1), \
    (SELECT 'floatingip ' || f.id FROM floatingips f WHERE f.qos_policy_id = qos_policies.id LIMIT 1), \
    (SELECT 'router ' || r.id FROM routers r WHERE r.gateway_qos_policy_id = qos_policies.id LIMIT 1))";

/// A policy's rules of all kinds, ordered by kind and id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShownRules(Vec<Map<String, Value>>);

/// Each rule says which policy it is of, as clients expect.
pub(super) fn present(policy: &QosPolicy) -> Changes {
    let mut rules = policy.rules.to_json();
    for rule in rules.as_array_mut().into_iter().flatten() {
        rule["qos_policy_id"] = json!(policy.id);
    }
    vec![("rules", Some(rules))]
}

impl AttributeValue for ShownRules {
    const SQL: SqlType = SqlType::Text;

    fn from_json(_: &Value) -> Result<Self, String> {
        Err("it is computed".to_owned())
    }

    fn to_json(&self) -> Value {
        self.0.iter().cloned().map(Value::Object).collect()
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Null
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        let SqlValue::Text(text) = value else { return Ok(Self::default()) };
        let mut texts: Vec<&str> = text.split(',').filter(|rule| !rule.is_empty()).collect();
        texts.sort_unstable();
        texts.into_iter().map(rule).collect::<Result<_, _>>().map(Self)
    }
}

fn rule(text: &str) -> Result<Map<String, Value>, String> {
    let mut words = text.split(' ');
    let (Some(kind), Some(id)) = (words.next(), words.next()) else {
        return Err(format!("'{text}' has not two words"));
    };
    let mut rule = Map::new();
    rule.insert("type".to_owned(), kind.into());
    rule.insert("id".to_owned(), id.into());
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("no value: '{word}'"))?;
        let value = value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number));
        rule.insert(name.to_owned(), value);
    }
    Ok(rule)
}
