//! Questions and their outcomes.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value as Json, json};

use super::*;
use crate::question::Unseen;

/// Roles, and credentials by name.
#[derive(Default)]
struct Who(Vec<&'static str>, BTreeMap<&'static str, &'static str>);

impl Credentials for Who {
    fn has_role(&self, role: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(role))
    }

    fn is(&self, name: &str, text: &str) -> bool {
        self.1.get(name) == Some(&text)
    }
}

struct Object(Json);

impl Target for Object {
    fn value(&self, name: &str) -> Value<'_> {
        match self.0.get(name) {
            None => Value::Absent,
            Some(Json::Null) => Value::Null,
            Some(Json::Bool(truth)) => Value::Bool(*truth),
            Some(Json::String(text)) if text == "?" => Value::Unknown,
            Some(Json::String(text)) => Value::Text(Cow::Borrowed(text)),
            Some(other) => Value::Text(Cow::Owned(other.to_string())),
        }
    }
}

fn alice() -> Who {
    Who(vec!["member", "reader"], BTreeMap::from([("project_id", "p1"), ("user_id", "u1")]))
}

#[track_caller]
fn decided(rule: &str, who: &Who, object: Json) -> Outcome {
    let mut rules = Rules::default();
    rules.register("admin", "role:admin").unwrap();
    rules.register("asked", rule).unwrap();
    rules.decide("asked", who, &Object(object))
}

#[test]
fn each_kind_of_check() {
    let object = || {
        json!({"project_id": "p1", "shared": true, "size": 7, "name": "admin", "nothing": null,
               "device_owner": "network:dhcp", "user": "u1", "wanted": "MEMBER"})
    };
    for (rule, allowed) in [
        ("", true),
        ("!", false),
        ("role:Member", true),
        ("role:%(wanted)s", true),
        ("role:%(missing)s", false),
        ("role:admin", false),
        ("rule:admin", false),
        ("not rule:admin", true),
        ("rule:missing", false),
        ("project_id:%(project_id)s", true),
        ("project_id:p1", true),
        ("project_id:%(user)s", false),
        ("user_id:%(user)s", true),
        ("project_id:%(missing)s", false),
        ("missing:%(project_id)s", false),
        ("field:networks:shared=True", true),
        ("field:networks:shared=true", true),
        ("field:networks:shared=False", false),
        ("field:networks:size=7", true),
        ("field:networks:missing=True", false),
        ("field:port:device_owner=~^network:", true),
        ("field:port:device_owner=~dhcp", false),
        ("field:port:device_owner=~.*dhcp", true),
        ("'admin':%(name)s", true),
        ("True:%(shared)s", true),
        ("7:%(size)s", true),
        ("None:%(nothing)s", true),
        ("None:%(missing)s", false),
    ] {
        assert_eq!(decided(rule, &alice(), object()), allowed.into(), "{rule}");
    }
}

#[test]
fn nobodys_object_belongs_to_nobody() {
    for project in ["", "None"] {
        let nobody = Who(vec!["member"], BTreeMap::from([("project_id", project)]));
        for object in [json!({"project_id": null}), json!({"project_id": ""}), json!({})] {
            let outcome = decided("project_id:%(project_id)s", &nobody, object.clone());
            assert_eq!(outcome, Outcome::Deny, "'{project}' {object}");
        }
    }
}

#[test]
fn an_outcome_depends_only_where_the_unknown_matters() {
    for (rule, object, outcome) in [
        ("role:member or project_id:%(project_id)s", json!({"project_id": "?"}), Outcome::Allow),
        ("role:admin and project_id:%(project_id)s", json!({"project_id": "?"}), Outcome::Deny),
        ("role:member and project_id:%(project_id)s", json!({"project_id": "?"}), Outcome::Depends),
        ("not project_id:%(project_id)s", json!({"project_id": "?"}), Outcome::Depends),
        ("project_id:%(a)s or project_id:%(b)s", json!({"a": "?", "b": "p1"}), Outcome::Allow),
        ("project_id:%(a)s and project_id:%(b)s", json!({"a": "?", "b": "p2"}), Outcome::Deny),
        ("field:networks:shared=True", json!({"shared": "?"}), Outcome::Depends),
    ] {
        assert_eq!(decided(rule, &alice(), object), outcome, "{rule}");
    }
    let rules = Rules::neutron().unwrap();
    let admin = Who(vec!["admin"], BTreeMap::new());
    assert_eq!(rules.decide("get_port", &admin, &Unseen), Outcome::Allow);
    assert_eq!(rules.decide("get_port", &alice(), &Unseen), Outcome::Depends);
    assert_eq!(rules.decide("get_agent", &alice(), &Unseen), Outcome::Deny);
    assert_eq!(rules.decide("no_such_rule", &admin, &Unseen), Outcome::Deny);
}

#[test]
fn an_explanation_shows_every_check_and_what_the_target_said() {
    let mut rules = Rules::default();
    rules.register("admin_only", "role:admin").unwrap();
    rules
        .register("asked", "rule:admin_only or role:member and project_id:%(project_id)s")
        .unwrap();
    let object = Object(json!({"project_id": "p2"}));
    let shown = rules.explain("asked", &alice(), &object).to_string();
    let expected = "\
rule:asked: no
  any of: no
    rule:admin_only: no
      role:admin: no
    all of: no
      role:member: yes
      project_id:%(project_id)s: no (project_id is 'p2')";
    assert_eq!(shown, expected);
    let missing = rules.explain("missing", &alice(), &object).to_string();
    assert_eq!(missing, "rule:missing: no (there is no such rule)");
}

#[test]
fn what_is_left_of_a_rule_for_a_caller_are_the_checks_on_the_target() {
    let mut rules = Rules::default();
    rules.register("own", "project_id:%(project_id)s").unwrap();
    rules
        .register("a", "role:admin or role:member and rule:own or field:networks:shared=True")
        .unwrap();
    rules.register("b", "role:member and not rule:own").unwrap();
    let left = |rule: &str, who: &Who| {
        rules.open_leaves(rule, who).map(|leaves| leaves.into_iter().collect::<Vec<_>>())
    };
    let both = ["field:networks:shared=True", "project_id:%(project_id)s"].map(str::to_owned);
    assert_eq!(left("a", &alice()), Some(both.to_vec()));
    assert_eq!(left("a", &Who::default()), Some(both[..1].to_vec()));
    assert_eq!(left("a", &Who(vec!["admin"], BTreeMap::new())), Some(vec![]));
    assert_eq!(left("b", &alice()), None);
    assert_eq!(left("b", &Who::default()), Some(vec![]));
}
