//! What the API takes, keeps and shows though nothing acts on it yet. A server says so when it
//! starts: an operator must not believe in a rule that no packet meets.

use crate::Rules;
use crate::registry::{Visitor, visit_all};

/// A resource by its declaration's name, and what is not done about it. Remove the line of what
/// becomes enforced.
const RECORDED_ONLY: &[(&str, &str)] = &[
    ("security_group", "security groups (no packet is filtered by them)"),
    ("policy", "QoS policies (no rate is limited, no packet is marked)"),
    ("trunk", "trunks (subports carry no tagged traffic)"),
    ("metering_label", "metering labels (nothing is counted)"),
    ("log", "logs (nothing is written)"),
    ("conntrack_helper", "conntrack helpers (routers run none)"),
    ("router", "that a router is distributed or highly available (one node serves it)"),
];

/// Of the resources that this build has.
pub fn recorded_only() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl Visitor for Names {
        fn visit<R: Rules>(&mut self) {
            self.0.push(R::declaration().name);
        }
    }
    let mut names = Names(Vec::new());
    visit_all(&mut names);
    let present = |(name, _): &&(&str, &str)| names.0.contains(name);
    RECORDED_ONLY.iter().filter(present).map(|(_, what)| *what).collect()
}
