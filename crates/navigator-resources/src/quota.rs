//! How many objects of each kind a project may have. Every declared resource that projects own is
//! counted; the name of its quota is its declaration's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    AttributeValue as _, Declaration, Refusal, Rules,
    registry::{Visitor, visit_all},
};

/// No limit.
pub const UNLIMITED: i64 = -1;

/// The limits of projects for which the administrator set none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// By the quota's name.
    pub limits: BTreeMap<String, i64>,
    /// Of quotas that `limits` does not name.
    pub default: i64,
}

impl Default for Quotas {
    /// Neutron's.
    fn default() -> Self {
        let limits = [
            ("network", 100),
            ("subnet", 100),
            ("port", 500),
            ("router", 10),
            ("floatingip", 50),
            ("security_group", 10),
            ("security_group_rule", 100),
            ("rbac_policy", 10),
        ];
        let limits = limits.map(|(name, limit)| (name.to_owned(), limit));
        Self { limits: limits.into(), default: UNLIMITED }
    }
}

impl Quotas {
    pub fn limit(&self, quota: &str) -> i64 {
        self.limits.get(quota).copied().unwrap_or(self.default)
    }
}

/// The declarations whose objects are counted, in the registry's order.
pub fn counted() -> Vec<&'static Declaration> {
    struct Counted(Vec<&'static Declaration>);
    impl Visitor for Counted {
        fn visit<R: Rules>(&mut self) {
            if R::declaration().is_counted() {
                self.0.push(R::declaration());
            }
        }
    }
    let mut counted = Counted(Vec::new());
    visit_all(&mut counted);
    counted.0
}

/// How many static routes each of a project's routers may have. Nothing is counted per project.
pub const ROUTER_ROUTE: &str = "router_route";

/// Every quota that there is.
pub fn names() -> impl Iterator<Item = &'static str> {
    counted().into_iter().map(|declaration| declaration.quota).chain([ROUTER_ROUTE])
}

/// What an administrator's PUT says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QuotaUpdate {
    pub limits: BTreeMap<&'static str, i64>,
    /// A limit may be lower than what is in use.
    pub force: bool,
}

impl QuotaUpdate {
    /// Reads the attributes of the body's `quota`.
    pub fn from_json(attributes: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut update = Self::default();
        let mut unknown = Vec::new();
        for (name, value) in attributes {
            let invalid = |reason| Refusal::invalid(name, reason);
            match names().find(|quota| quota == name) {
                Some(quota) => {
                    update.limits.insert(quota, limit(value).map_err(invalid)?);
                }
                None if name == "force" => {
                    update.force = bool::from_json(value).map_err(invalid)?;
                }
                // Once it had to be asked for.
                None if name == "check_limit" => {
                    bool::from_json(value).map_err(invalid)?;
                }
                None => unknown.push(name.as_str()),
            }
        }
        if unknown.is_empty() {
            return Ok(update);
        }
        let reason = format!("Unrecognized attribute(s) '{}'", unknown.join(", "));
        Err(Refusal::HTTPBadRequest { reason })
    }
}

fn limit(value: &Value) -> Result<i64, String> {
    const HIGHEST: i64 = i32::MAX as i64;
    let limit = i64::from_json(value)?;
    match limit {
        ..UNLIMITED => Err(format!("'{limit}' is too small - must be at least '{UNLIMITED}'")),
        UNLIMITED..=HIGHEST => Ok(limit),
        _ => Err(format!("'{limit}' is too large - must be no larger than '{HIGHEST}'")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<QuotaUpdate, Refusal> {
        QuotaUpdate::from_json(body.as_object().unwrap())
    }

    #[test]
    fn every_counted_resource_has_a_quota_of_its_own() {
        let mut names: Vec<_> = counted().iter().map(|declaration| declaration.quota).collect();
        for name in ["network", "port", "router_gateway_port_forwarding"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.contains(&"agent"));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn limits_are_numbers_from_minus_one() {
        let update = read(json!({"port": "7", "network": -1, "force": true})).unwrap();
        assert_eq!(update.limits, BTreeMap::from([("port", 7), ("network", -1)]));
        assert!(update.force);
        assert!(!read(json!({"port": 7, "check_limit": false})).unwrap().force);
        assert_eq!(read(json!({"router_route": 7})).unwrap().limits[ROUTER_ROUTE], 7);
        for wrong in [json!(-2), json!("x"), json!(1.5), json!(null), json!(1_i64 << 31)] {
            let refusal = read(json!({ "port": wrong })).unwrap_err();
            assert_eq!(refusal.status(), 400, "{refusal}");
        }
        let refusal = read(json!({"port": 1, "ports": 2, "agent": 1})).unwrap_err();
        assert_eq!(refusal.to_string(), "Unrecognized attribute(s) 'agent, ports'");
    }

    #[test]
    fn what_is_not_named_has_the_default() {
        let quotas = Quotas::default();
        assert_eq!((quotas.limit("port"), quotas.limit("something")), (500, UNLIMITED));
    }
}
