//! Rules of metering labels, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::world::{Session, refusal, refused};

fn label(table: &mut Session) -> MeteringLabelId {
    table.create::<MeteringLabel>(json!({"name": "web"})).unwrap().id
}

fn rule(
    table: &mut Session,
    label: MeteringLabelId,
    more: Value,
) -> Result<MeteringLabelRule, Refusal> {
    let mut body = json!({ "metering_label_id": label, "direction": "ingress" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    table.create(body)
}

#[test]
fn a_label_counts_no_packet_twice() {
    let mut table = Session::new();
    let label_1 = label(&mut table);
    rule(&mut table, label_1, json!({"remote_ip_prefix": "10.0.0.0/16"})).unwrap();
    let overlaps = refused(409, "MeteringLabelRuleOverlaps");
    for prefix in ["10.0.0.0/16", "10.0.7.0/24", "0.0.0.0/0"] {
        let more = json!({ "remote_ip_prefix": prefix, "excluded": true });
        assert_eq!(refusal(rule(&mut table, label_1, more)), overlaps, "{prefix}");
    }
    for apart in [
        json!({"remote_ip_prefix": "10.1.0.0/16"}),
        json!({"remote_ip_prefix": "2001:db8::/32"}),
        json!({"remote_ip_prefix": "10.0.0.0/16", "direction": "egress"}),
        json!({"source_ip_prefix": "10.0.0.0/16", "destination_ip_prefix": "192.0.2.0/24"}),
        json!({"source_ip_prefix": "10.0.0.0/16", "destination_ip_prefix": "198.51.100.0/24"}),
    ] {
        rule(&mut table, label_1, apart).unwrap();
    }
    let any_target = json!({"source_ip_prefix": "10.0.7.0/24"});
    assert_eq!(refusal(rule(&mut table, label_1, any_target)), overlaps);
    let label_2 = label(&mut table);
    rule(&mut table, label_2, json!({"remote_ip_prefix": "10.0.0.0/16"})).unwrap();
}

#[test]
fn a_rule_has_a_far_end_or_two_ends_and_its_labels_owner() {
    let mut table = Session::new();
    let label = label(&mut table);
    for wrong in [
        json!({}),
        json!({"remote_ip_prefix": "10.0.0.0/8", "source_ip_prefix": "10.0.0.0/8"}),
    ] {
        assert_eq!(refusal(rule(&mut table, label, wrong)), refused(400, "BadRequest"));
    }
    table.as_project("p");
    let more = json!({"remote_ip_prefix": "10.0.0.0/8"});
    assert_eq!(refusal(rule(&mut table, label, more)), refused(404, "MeteringLabelNotFound"));
}
