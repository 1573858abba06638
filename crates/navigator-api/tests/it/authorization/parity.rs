//! T31, the whole list: each published rule, asked by every kind of caller about every kind of
//! object, is decided by `navigator-policy` as the published words have it.

use std::collections::BTreeSet;

use navigator_api::Policy;
use navigator_policy::{Credentials, Outcome, Target, Value};

use super::published::{Rule, Table, allows};

/// What holds, in the words of `published.txt`.
#[derive(Clone, Default)]
struct Case {
    roles: BTreeSet<&'static str>,
    facts: BTreeSet<&'static str>,
    /// Objects that are nobody's, of no network and in no group.
    bare: bool,
}

const ROLES: [(&str, &str); 7] = [
    ("admin", "admin"),
    ("manager", "manager"),
    ("member", "member"),
    ("reader", "reader"),
    ("service", "service"),
    ("advsvc", "advsvc"),
    ("integrator", "data_plane_integrator"),
];

impl Case {
    fn holds(&self, word: &str) -> bool {
        self.roles.contains(word) || self.facts.contains(word)
    }
}

impl Credentials for Case {
    fn has_role(&self, role: &str) -> bool {
        ROLES.iter().any(|(word, name)| *name == role && self.roles.contains(word))
    }

    fn is(&self, name: &str, text: &str) -> bool {
        match name {
            "project_id" => text == "mine",
            "service_roles" => text == "service" && self.roles.contains("vouched"),
            _ => false,
        }
    }
}

impl Target for Case {
    fn value(&self, name: &str) -> Value<'_> {
        let project = |word: &str| match (self.facts.contains(word), self.bare) {
            (true, _) => Value::Text("mine".into()),
            (false, true) => Value::Null,
            (false, false) => Value::Text("theirs".into()),
        };
        match name {
            "project_id" => project("own"),
            "network:project_id" => project("network"),
            "ext_parent:project_id" => project("parent"),
            "security_group:project_id" => project("group"),
            "shared" => Value::Bool(self.facts.contains("shared")),
            "router:external" => Value::Bool(self.facts.contains("external")),
            "belongs_to_default_sg" => Value::Bool(self.facts.contains("of-default-group")),
            "device_owner" => {
                let device = self.facts.iter().find_map(|word| word.strip_prefix("device-"));
                Value::Text(device.map(|device| format!("{device}:x")).unwrap_or_default().into())
            }
            "target_tenant" | "target_project" => {
                let all = self.facts.contains("to-all");
                Value::Text(if all { "*" } else { "theirs" }.into())
            }
            _ => Value::Absent,
        }
    }
}

fn callers() -> Vec<BTreeSet<&'static str>> {
    let ladder = ["reader", "member", "manager", "admin"];
    let mut callers: Vec<BTreeSet<_>> =
        (0..=ladder.len()).map(|upto| ladder[..upto].iter().copied().collect()).collect();
    callers.extend(ROLES.iter().map(|(word, _)| BTreeSet::from([*word])));
    callers.push(BTreeSet::from(["service", "reader", "member"]));
    let vouched: Vec<_> =
        callers.iter().map(|roles| roles | &BTreeSet::from(["vouched"])).collect();
    callers.extend(vouched);
    callers
}

/// Of what few rules ask.
const OTHERS: [Option<&str>; 7] = [
    None,
    Some("of-default-group"),
    Some("to-all"),
    Some("device-network"),
    Some("device-compute"),
    Some("device-baremetal"),
    Some("device-manila"),
];

/// Every object that the rule tells apart. What it does not mention varies too, but not with
/// everything else.
fn objects(rule: &Rule) -> Vec<Case> {
    let owned = ["own", "network", "parent", "group", "shared", "external"];
    let mentioned = |word: &str| rule.iter().flatten().any(|(known, _)| *known == word);
    let mut objects = Vec::new();
    for bits in 0..(1_u32 << owned.len()) {
        let of = |(index, word): (usize, &&'static str)| (bits >> index & 1 == 1).then_some(*word);
        let facts: BTreeSet<_> = owned.iter().enumerate().filter_map(of).collect();
        let wanted = |(index, other): (usize, &Option<&'static str>)| {
            let here = index == bits as usize % OTHERS.len();
            (here || other.is_none_or(mentioned)).then_some(*other)
        };
        for other in OTHERS.iter().enumerate().filter_map(wanted) {
            let facts = facts.iter().copied().chain(other).collect();
            let case = Case { facts, ..Case::default() };
            objects.extend([case.clone(), Case { bare: true, ..case }]);
        }
    }
    objects
}

#[test]
fn every_published_rule_is_decided_as_it_is_published() {
    let policy = Policy::new(None).unwrap();
    let (published, own, whole) = (Table::published(), Table::own(), Table::whole());
    let mut decisions = 0_u64;
    let mut wrong = BTreeSet::new();
    let mut different = BTreeSet::new();
    let mut absent = Vec::new();
    for (name, rule) in &whole.0 {
        if policy.rules().get(name).is_none() {
            absent.push(name.as_str());
            continue;
        }
        let objects = objects(rule);
        for roles in callers() {
            for object in &objects {
                let case = Case { roles: roles.clone(), ..object.clone() };
                let expected = allows(rule, &|word| case.holds(word));
                decisions += 1;
                if (policy.rules().decide(name, &case, &case) == Outcome::Allow) != expected {
                    wrong.insert(name.clone());
                }
                let published = published.0.get(name);
                if published.is_some_and(|rule| allows(rule, &|w| case.holds(w)) != expected) {
                    different.insert(name.clone());
                }
            }
        }
    }
    println!(
        "T31: {} rules, {decisions} decisions, {} rules decided otherwise",
        whole.0.len() - absent.len(),
        wrong.len()
    );
    assert_eq!(wrong, BTreeSet::new());
    assert_eq!(absent, ABSENT);
    // What is said to differ does, and nothing else.
    assert_eq!(different, own.0.into_keys().collect());
    let known = policy.rules().iter().map(|(name, _)| name);
    let unknown: Vec<_> = known.filter(|name| !whole.0.contains_key(*name)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "rules that no table has");
}

/// Published rules of what Navigator does not have: a rule that does not exist denies.
const ABSENT: &[&str] = &[
    "create_network:pvlan",
    "create_port:hints",
    "create_port:pvlan_community",
    "create_port:pvlan_type",
    "create_router:evpn_vni",
    "get_network:pvlan",
    "get_port:hints",
    "get_port:pvlan_community",
    "get_port:pvlan_type",
    "get_router:evpn_vni",
    "update_network:pvlan",
    "update_port:hints",
    "update_port:pvlan_community",
    "update_port:pvlan_type",
];
