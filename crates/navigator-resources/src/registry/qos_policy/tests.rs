//! Policies and their rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    FloatingIp, Network, Port, QosBandwidthLimitRule, QosDscpMarkingRule, QosMinimumBandwidthRule,
    QosMinimumPacketRateRule, QosPacketRateLimitRule, Router,
    qos::QosRule,
    world::{Site, TENANT, World, admin, member, refusal, refused},
};

fn policy(world: &mut World, body: Value) -> QosPolicy {
    world.create(&member(TENANT), None, body).unwrap()
}

fn rule<R: QosRule>(world: &mut World, policy: &QosPolicy, body: Value) -> Result<R, Refusal> {
    let mut body = body;
    body["project_id"] = json!(TENANT);
    world.create(&member(TENANT), Some(policy.id.to_string()), body)
}

#[test]
fn a_policy_has_one_rule_of_a_kind_and_direction() {
    let mut world = World::default();
    let policy = policy(&mut world, json!({"name": "p"}));
    let limit = |world: &mut World, body: Value| {
        rule::<QosBandwidthLimitRule>(world, &policy, body).map(|_| ())
    };
    let conflict = refused(409, "QoSRulesConflict");
    assert_eq!(limit(&mut world, json!({"max_kbps": 100})), Ok(()));
    assert_eq!(refusal(limit(&mut world, json!({"max_kbps": 200}))), conflict);
    assert_eq!(limit(&mut world, json!({"max_kbps": 200, "direction": "ingress"})), Ok(()));
    rule::<QosDscpMarkingRule>(&mut world, &policy, json!({"dscp_mark": 26})).unwrap();
    let second = rule::<QosDscpMarkingRule>(&mut world, &policy, json!({"dscp_mark": 28}));
    assert_eq!(refusal(second), conflict);
    let rate = json!({"min_kpps": 1, "direction": "any"});
    rule::<QosMinimumPacketRateRule>(&mut world, &policy, rate).unwrap();
    // It speaks of both directions.
    let egress = rule::<QosMinimumPacketRateRule>(&mut world, &policy, json!({"min_kpps": 1}));
    assert_eq!(refusal(egress), conflict);

    let ingress = world.all::<QosBandwidthLimitRule>(Select::eq("direction", "ingress"));
    let turned = world.update::<QosBandwidthLimitRule>(
        &member(TENANT),
        ingress[0].id,
        json!({"direction": "egress"}),
    );
    assert_eq!(refusal(turned), conflict);
}

#[test]
fn nothing_is_guaranteed_beyond_its_limit() {
    let mut world = World::default();
    let policy = policy(&mut world, json!({}));
    let conflict = refused(409, "QoSRuleParameterConflict");
    rule::<QosBandwidthLimitRule>(&mut world, &policy, json!({"max_kbps": 100})).unwrap();
    let floor = rule::<QosMinimumBandwidthRule>(&mut world, &policy, json!({"min_kbps": 101}));
    assert_eq!(refusal(floor), conflict);
    let other_way = json!({"min_kbps": 101, "direction": "ingress"});
    rule::<QosMinimumBandwidthRule>(&mut world, &policy, other_way).unwrap();
    let floor: QosMinimumBandwidthRule =
        rule(&mut world, &policy, json!({"min_kbps": 100})).unwrap();
    let limits: Vec<QosBandwidthLimitRule> = world.all(Select::all());
    let lowered = world.update::<QosBandwidthLimitRule>(
        &member(TENANT),
        limits[0].id,
        json!({"max_kbps": 99}),
    );
    assert_eq!(refusal(lowered), conflict);
    rule::<QosPacketRateLimitRule>(&mut world, &policy, json!({"max_kpps": 5})).unwrap();
    let rate = rule::<QosMinimumPacketRateRule>(&mut world, &policy, json!({"min_kpps": 6}));
    assert_eq!(refusal(rate), conflict);
    world.delete::<QosMinimumBandwidthRule>(&member(TENANT), floor.id).unwrap();
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut world = World::default();
    let policy = policy(&mut world, json!({"name": "p"}));
    let limit: QosBandwidthLimitRule = rule(&mut world, &policy, json!({"max_kbps": 1})).unwrap();
    for (name, written) in [("p", 0), ("q", 1)] {
        world.update::<QosPolicy>(&member(TENANT), policy.id, json!({"name": name})).unwrap();
        assert_eq!(world.written, written);
    }
    for (max_kbps, written) in [(1, 0), (2, 2)] {
        let body = json!({"max_kbps": max_kbps});
        world.update::<QosBandwidthLimitRule>(&member(TENANT), limit.id, body).unwrap();
        assert_eq!(world.written, written);
    }
}

#[test]
fn a_project_has_one_default_that_its_new_networks_get() {
    let mut world = World::default();
    let first = policy(&mut world, json!({"is_default": true}));
    let second = policy(&mut world, json!({}));
    let exists = refused(409, "QoSPolicyDefaultAlreadyExists");
    let default = json!({"is_default": true});
    let third = world.create::<QosPolicy>(&member(TENANT), None, default.clone());
    assert_eq!(refusal(third), exists);
    assert_eq!(
        refusal(world.update::<QosPolicy>(&member(TENANT), second.id, default.clone())),
        exists
    );
    world.update::<QosPolicy>(&member(TENANT), first.id, default).unwrap();
    for (caller, body, policy_id) in [
        (member(TENANT), json!({}), Some(first.id)),
        (member(TENANT), json!({"qos_policy_id": null}), None),
        (member(TENANT), json!({"qos_policy_id": second.id}), Some(second.id)),
        (member("other"), json!({}), None),
    ] {
        let network: Network = world.create(&caller, None, body).unwrap();
        assert_eq!(network.qos_policy_id, policy_id);
    }
}

#[test]
fn only_a_policy_that_is_seen_can_be_used() {
    let mut site = Site::new();
    let foreign: QosPolicy =
        site.world.create(&member("other"), None, json!({"name": "theirs"})).unwrap();
    let missing = refused(404, "QosPolicyNotFound");
    let body = json!({"qos_policy_id": foreign.id});
    let tenant = member(TENANT);
    let gateway = json!({"external_gateway_info":
        {"network_id": site.external, "qos_policy_id": foreign.id}});
    let (network, instance, router) = (site.network, site.instance, site.router);
    let world = &mut site.world;
    assert_eq!(refusal(world.create::<Network>(&tenant, None, body.clone())), missing);
    assert_eq!(refusal(world.update::<Network>(&tenant, network, body.clone())), missing);
    let port = json!({"network_id": network, "qos_policy_id": foreign.id});
    assert_eq!(refusal(world.create::<Port>(&tenant, None, port)), missing);
    assert_eq!(refusal(world.update::<Port>(&tenant, instance, body.clone())), missing);
    assert_eq!(refusal(world.update::<Router>(&tenant, router, gateway.clone())), missing);
    assert_eq!(refusal(site.floating_ip(body.clone())), missing);
    site.world.update::<QosPolicy>(&admin(), foreign.id, json!({"shared": true})).unwrap();
    let world = &mut site.world;
    world.update::<Network>(&tenant, network, body.clone()).unwrap();
    world.update::<Port>(&tenant, instance, body.clone()).unwrap();
    world.update::<Router>(&tenant, router, gateway).unwrap();
    let unshared = world.update::<QosPolicy>(&admin(), foreign.id, json!({"shared": false}));
    assert_eq!(refusal(unshared), refused(409, "RbacPolicyInUse"));
    site.floating_ip(body).unwrap();
}

#[test]
fn a_policy_in_use_stays_and_the_last_one_gone_lets_it_go_with_its_rules() {
    let mut site = Site::new();
    let policy = policy(&mut site.world, json!({}));
    rule::<QosDscpMarkingRule>(&mut site.world, &policy, json!({"dscp_mark": 0})).unwrap();
    let tenant = member(TENANT);
    let (set, cleared) = (json!({"qos_policy_id": policy.id}), json!({"qos_policy_id": null}));
    let in_use = refused(409, "QosPolicyInUse");
    let (network, instance, router) = (site.network, site.instance, site.router);
    let floating_ip = site.floating_ip(set.clone()).unwrap();
    let world = &mut site.world;
    assert_eq!(refusal(world.delete::<QosPolicy>(&tenant, policy.id)), in_use);
    world.update::<FloatingIp>(&tenant, floating_ip.id, cleared.clone()).unwrap();
    world.update::<Network>(&tenant, network, set.clone()).unwrap();
    assert_eq!(refusal(world.delete::<QosPolicy>(&tenant, policy.id)), in_use);
    world.update::<Network>(&tenant, network, cleared.clone()).unwrap();
    world.update::<Port>(&tenant, instance, set).unwrap();
    assert_eq!(refusal(world.delete::<QosPolicy>(&tenant, policy.id)), in_use);
    world.update::<Port>(&tenant, instance, cleared).unwrap();
    let gateway = |policy_id: Value| {
        json!({"external_gateway_info":
            {"network_id": site.external, "qos_policy_id": policy_id}})
    };
    world.update::<Router>(&tenant, router, gateway(json!(policy.id))).unwrap();
    // Not said, it stays.
    let same = json!({"external_gateway_info": {"network_id": site.external}});
    let kept: Router = world.update(&tenant, router, same).unwrap();
    assert_eq!(kept.to_json()["external_gateway_info"]["qos_policy_id"], json!(policy.id));
    assert_eq!(refusal(world.delete::<QosPolicy>(&tenant, policy.id)), in_use);
    world.update::<Router>(&tenant, router, gateway(Value::Null)).unwrap();
    world.delete::<QosPolicy>(&tenant, policy.id).unwrap();
    assert!(world.all::<QosDscpMarkingRule>(Select::all()).is_empty());
}

#[test]
fn a_rule_that_a_ports_device_cannot_keep_is_refused_from_both_sides() {
    let mut site = Site::new();
    let unsupported = refused(409, "QosRuleNotSupported");
    let limits = policy(&mut site.world, json!({}));
    rule::<QosBandwidthLimitRule>(&mut site.world, &limits, json!({"max_kbps": 1})).unwrap();
    let marks = policy(&mut site.world, json!({}));
    rule::<QosDscpMarkingRule>(&mut site.world, &marks, json!({"dscp_mark": 0})).unwrap();
    let tenant = member(TENANT);
    let direct = |policy: &QosPolicy| {
        json!({"network_id": site.network, "qos_policy_id": policy.id, "binding:vnic_type": "direct"})
    };
    let world = &mut site.world;
    assert_eq!(refusal(world.create::<Port>(&tenant, None, direct(&marks))), unsupported);
    let port: Port = world.create(&tenant, None, direct(&limits)).unwrap();
    let marked = json!({"qos_policy_id": marks.id});
    assert_eq!(refusal(world.update::<Port>(&tenant, port.id, marked)), unsupported);
    let mark = rule::<QosDscpMarkingRule>(world, &limits, json!({"dscp_mark": 0}));
    assert_eq!(refusal(mark), unsupported);

    let of_network = json!({"qos_policy_id": marks.id});
    world.update::<Network>(&tenant, site.network, of_network).unwrap();
    let bare = json!({"network_id": site.network, "binding:vnic_type": "macvtap"});
    assert_eq!(refusal(world.create::<Port>(&tenant, None, bare)), unsupported);
}
