//! Rules of security groups, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    registry::security_group::tests::{group, table},
    world::{Session, refusal, refused},
};

/// A rule with these attributes for a new group.
fn made(more: Value) -> Result<SecurityGroupRule, Refusal> {
    let mut table = table();
    let group = group(&mut table, "web");
    rule(&mut table, group.id, more)
}

fn rule(
    table: &mut Session,
    group: SecurityGroupId,
    more: Value,
) -> Result<SecurityGroupRule, Refusal> {
    let mut body = json!({ "security_group_id": group, "direction": "ingress" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    table.create(body)
}

#[test]
fn what_a_rule_says_is_stored_in_one_form() {
    for (given, shown) in [
        (json!({}), json!({"ethertype": "IPv4", "protocol": null, "normalized_cidr": null})),
        (json!({"ethertype": "ipv6"}), json!({"ethertype": "IPv6"})),
        (json!({"protocol": "TCP"}), json!({"protocol": "tcp"})),
        (json!({"protocol": 6}), json!({"protocol": "6"})),
        (json!({"protocol": "any"}), json!({"protocol": null})),
        (json!({"protocol": "vrrp"}), json!({"protocol": "vrrp"})),
        (
            json!({"protocol": "udp", "port_range_min": "53", "port_range_max": 53}),
            json!({"port_range_min": 53, "port_range_max": 53}),
        ),
        (
            json!({"protocol": "icmp", "port_range_min": 0}),
            json!({"port_range_min": 0, "port_range_max": null}),
        ),
        (
            json!({"remote_ip_prefix": "10.0.0.1"}),
            json!({"remote_ip_prefix": "10.0.0.1/32", "normalized_cidr": "10.0.0.1/32"}),
        ),
        (
            json!({"remote_ip_prefix": "10.0.0.1/24"}),
            json!({"remote_ip_prefix": "10.0.0.1/24", "normalized_cidr": "10.0.0.0/24"}),
        ),
        (
            json!({"ethertype": "IPv6", "remote_ip_prefix": "2001:DB8::1/32"}),
            json!({"remote_ip_prefix": "2001:db8::1/32", "normalized_cidr": "2001:db8::/32"}),
        ),
    ] {
        let rule = made(given.clone()).unwrap().to_json();
        for (name, value) in shown.as_object().unwrap() {
            assert_eq!(rule[name], *value, "{given}: {name}");
        }
        assert_eq!(rule["belongs_to_default_sg"], false);
    }
}

#[test]
fn what_cannot_be_programmed_is_refused() {
    let conflict = "SecurityGroupRuleParameterConflict";
    let range = "SecurityGroupInvalidPortRange";
    let port = "SecurityGroupInvalidPortValue";
    let icmp = "SecurityGroupInvalidIcmpValue";
    let protocol = "SecurityGroupRuleInvalidProtocol";
    let version = "SecurityGroupEthertypeConflictWithProtocol";
    let group = "00000000-0000-0000-0000-000000000001";
    for (more, name) in [
        (json!({"protocol": "no-such"}), protocol),
        (json!({"protocol": "256"}), protocol),
        (json!({"protocol": -1}), protocol),
        (json!({"protocol": "ipv6-icmp"}), version),
        (json!({"protocol": "icmpv6"}), version),
        (json!({"protocol": 58}), version),
        (json!({"protocol": "ipv6-route"}), version),
        (json!({"port_range_min": 1, "port_range_max": 2}), "SecurityGroupProtocolRequiredWithPorts"),
        (json!({"protocol": "any", "port_range_min": 1}), "SecurityGroupProtocolRequiredWithPorts"),
        (json!({"protocol": "tcp", "port_range_min": 1}), range),
        (json!({"protocol": "tcp", "port_range_max": 1}), range),
        (json!({"protocol": "17", "port_range_min": 2, "port_range_max": 1}), range),
        (json!({"protocol": "tcp", "port_range_min": 0, "port_range_max": 9}), port),
        (json!({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}), port),
        (json!({"protocol": "tcp", "port_range_min": -1, "port_range_max": 9}), port),
        (json!({"protocol": "tcp", "port_range_min": "ssh", "port_range_max": 9}), port),
        (json!({"protocol": "icmp", "port_range_min": 256}), icmp),
        (json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 256}), icmp),
        (json!({"protocol": "icmp", "port_range_max": 0}), "SecurityGroupMissingIcmpType"),
        (json!({"protocol": "vrrp", "port_range_min": 1, "port_range_max": 2}),
            "SecurityGroupInvalidProtocolForPort"),
        (json!({"remote_ip_prefix": "2001:db8::/32"}), conflict),
        (json!({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}), conflict),
        (json!({"remote_ip_prefix": "nowhere"}), "InvalidCIDR"),
        (json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": group}),
            "SecurityGroupMultipleRemoteEntites"),
        (json!({"remote_address_group_id": group, "remote_group_id": group}),
            "SecurityGroupMultipleRemoteEntites"),
    ] {
        assert_eq!(refusal(made(more.clone())), refused(400, name), "{more}");
    }
    let nobody = |name: &str| json!({ name: group });
    for (name, error) in [
        ("remote_group_id", "SecurityGroupNotFound"),
        ("remote_address_group_id", "AddressGroupNotFound"),
        ("security_group_id", "SecurityGroupNotFound"),
    ] {
        assert_eq!(refusal(made(nobody(name))), refused(404, error), "{name}");
    }
    // What is no id is one of no group.
    let wrong = made(json!({"remote_group_id": "bad_group_id"}));
    assert_eq!(refusal(wrong), refused(404, "SecurityGroupNotFound"));
    // Clients look for these texts.
    for (more, text) in [
        (
            json!({"protocol": "tcp", "port_range_min": 2, "port_range_max": 1}),
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            json!({"remote_ip_prefix": "2001:db8::/32"}),
            "Conflicting value ethertype IPv4 for CIDR 2001:db8::/32",
        ),
    ] {
        assert_eq!(made(more).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_second_rule_for_the_same_packets_names_the_first() {
    let mut table = table();
    let web = group(&mut table, "web").id;
    for (first, second) in [
        (json!({"protocol": "tcp"}), json!({"protocol": "6"})),
        (json!({"remote_ip_prefix": "10.0.0.1/8"}), json!({"remote_ip_prefix": "10.0.0.0/8"})),
        (json!({}), json!({"remote_ip_prefix": "0.0.0.0/0"})),
        (
            json!({"ethertype": "IPv6", "protocol": "icmp"}),
            json!({"ethertype": "IPv6", "protocol": "ipv6-icmp"}),
        ),
    ] {
        let made = rule(&mut table, web, first).unwrap();
        let again = rule(&mut table, web, second.clone()).unwrap_err();
        assert_eq!((again.status(), again.type_name().as_str()), (409, "SecurityGroupRuleExists"));
        let message = format!("Security group rule already exists. Rule id is {}.", made.id);
        assert_eq!(again.to_string(), message, "{second}");
    }
    let other = json!({"protocol": "tcp", "direction": "egress"});
    rule(&mut table, web, other).unwrap();
    let db = group(&mut table, "db").id;
    rule(&mut table, db, json!({"protocol": "tcp"})).unwrap();
}

#[test]
fn a_rule_changes_its_group_and_is_its_owners() {
    let mut table = table();
    let web = group(&mut table, "web");
    table.as_admin();
    let made = rule(&mut table, web.id, json!({})).unwrap();
    assert_eq!(made.standard.project_id, "p".into());
    assert_eq!(table.written, 2, "the group's revision is raised");
    table.delete::<SecurityGroupRule>(made.id).unwrap();
    assert_eq!(table.written, 2);
    table.as_project("q");
    assert_eq!(
        refusal(rule(&mut table, web.id, json!({}))),
        refused(404, "SecurityGroupNotFound")
    );
}

#[test]
fn rules_of_one_post_are_of_one_group_and_all_different() {
    let input = |group: u128, port: u16| SecurityGroupRuleCreate {
        security_group_id: SecurityGroupId(uuid::Uuid::from_u128(group)),
        direction: Direction::Ingress,
        ethertype: Ethertype::IPv4,
        protocol: Some(Raw("tcp".to_owned())),
        port_range_min: Some(Raw(port.to_string())),
        port_range_max: Some(Raw(port.to_string())),
        remote_ip_prefix: None,
        remote_group_id: None,
        remote_address_group_id: None,
        standard: crate::standard::StandardCreate {
            project_id: "p".into(),
            description: crate::attribute::Text::default(),
        },
    };
    let check = SecurityGroupRule::check_bulk;
    check(&[input(1, 1), input(1, 2)]).unwrap();
    assert_eq!(
        refusal(check(&[input(1, 1), input(2, 1)])),
        refused(400, "SecurityGroupNotSingleGroupRules")
    );
    assert_eq!(
        refusal(check(&[input(1, 1), input(1, 1)])),
        refused(409, "DuplicateSecurityGroupRuleInPost")
    );
}

/// A prefix that a packet filter cannot read never gets into the database.
#[test]
fn sec_cve_2014_0187() {
    for prefix in ["0.0.0.0/99", "::/-1", "10.0.0.1/0x8", "10.0.0.1/", "/8", "10.0.0.1/8/8", ""] {
        for ethertype in ["IPv4", "IPv6"] {
            let more = json!({"remote_ip_prefix": prefix, "ethertype": ethertype});
            assert_eq!(refusal(made(more)), refused(400, "InvalidCIDR"), "{prefix}");
        }
    }
    let mixed = json!({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"});
    assert_eq!(refusal(made(mixed)), refused(400, "SecurityGroupRuleParameterConflict"));
}

/// Ports are taken only with a protocol that has them: a filter refuses the others.
#[test]
fn sec_cve_2019_9735() {
    let with_ports = [6, 17, 33, 132, 136];
    let with_types = [1, 58];
    for protocol in 0..=255_u16 {
        for ethertype in ["IPv4", "IPv6"] {
            let more = json!({
                "protocol": protocol, "ethertype": ethertype,
                "port_range_min": 80, "port_range_max": 80});
            let outcome = made(more);
            let ipv6_only = [41, 43, 44, 58, 59, 60].contains(&protocol) && ethertype == "IPv4";
            let fits = with_ports.contains(&protocol) || with_types.contains(&protocol);
            assert_eq!(outcome.is_ok(), fits && !ipv6_only, "{protocol} {ethertype}");
            if let Err(refusal) = outcome {
                assert_eq!(refusal.status(), 400);
            }
        }
    }
}

/// Ranges that overlap are rules of their own, each as it was given.
#[test]
fn sec_cve_2019_10876() {
    let mut table = table();
    let (web, all) = (group(&mut table, "web").id, group(&mut table, "all").id);
    let range = |min: i64, max: i64| {
        json!({"protocol": "tcp", "port_range_min": min, "port_range_max": max})
    };
    rule(&mut table, all, range(1, 65535)).unwrap();
    rule(&mut table, web, range(80, 443)).unwrap();
    rule(&mut table, web, range(1, 65535)).unwrap();
    rule(&mut table, web, range(443, 443)).unwrap();
    // Pseudo-random pairs, each in both groups.
    let mut expected = 0;
    for step in 0..250_i64 {
        let min = 1 + step * 7919 % 65_000;
        let max = min + step * 104_729 % (65_535 - min);
        for group in [web, all] {
            expected += i64::from(rule(&mut table, group, range(min, max)).is_ok());
        }
    }
    assert!(expected > 400, "{expected}");
    let rules: Vec<SecurityGroupRule> = table.list();
    let ranges = rules.iter().filter(|rule| rule.port_range_min <= rule.port_range_max);
    assert_eq!(ranges.filter(|rule| rule.protocol.is_some()).count() as i64, 4 + expected);
}
