//! QoS policies at the API: rules below them, the same rules by their own ids, and who sees what.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_policy_that_one_does_not_see_is_not_ones_to_take_away,
    a_policy_shows_its_rules_of_all_kinds,
    a_rule_is_reached_through_its_own_policy_only,
    a_rule_has_an_alias_by_its_own_id,
    rule_types_say_what_rules_may_say,
    a_shared_policy_is_seen_and_used_but_not_changed_by_others,
    a_ports_guarantees_are_what_it_asks_of_its_host,
    two_defaults_or_two_equal_rules_never_both_win,
    objects_show_their_policy_and_their_networks,
}

const KINDS: &[(&str, &str)] = &[
    ("bandwidth_limit", r#"{"max_kbps": 100, "max_burst_kbps": 0, "direction": "egress"}"#),
    ("dscp_marking", r#"{"dscp_mark": 26}"#),
    ("minimum_bandwidth", r#"{"min_kbps": 10, "direction": "ingress"}"#),
    ("minimum_packet_rate", r#"{"min_kpps": 3, "direction": "any"}"#),
    ("packet_rate_limit", r#"{"max_kpps": 9, "max_burst_kpps": 1, "direction": "ingress"}"#),
];

async fn policy(cloud: &Cloud, user: &str, attributes: Value) -> (Value, String) {
    let policy = cloud.create(user, "qos/policies", "policy", attributes).await;
    let path = format!("/v2.0/qos/policies/{}", text(&policy["id"]));
    (policy, path)
}

/// A rule of each kind.
async fn rules(cloud: &Cloud, path: &str) -> Vec<Value> {
    let mut made = Vec::new();
    for (kind, attributes) in KINDS {
        let attributes: Value = serde_json::from_str(attributes).unwrap();
        let name = format!("{kind}_rule");
        let body = json!({ &name: attributes });
        let mut answer =
            cloud.post("alice", &format!("{path}/{kind}_rules"), &body).await.expect(201);
        made.push(answer[&name].take());
    }
    made
}

async fn a_policy_shows_its_rules_of_all_kinds(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (policy, path) = policy(&cloud, "alice", json!({"name": "gold"})).await;
    assert_eq!(policy["rules"], json!([]));
    assert_eq!((&policy["shared"], &policy["is_default"]), (&json!(false), &json!(false)));
    let made = rules(&cloud, &path).await;
    let shown = cloud.get("alice", &path).await.expect(200);
    let shown = shown["policy"]["rules"].as_array().unwrap();
    assert_eq!(shown.len(), KINDS.len());
    for ((made, shown), (kind, attributes)) in made.iter().zip(shown).zip(KINDS) {
        let mut expected: Value = serde_json::from_str(attributes).unwrap();
        expected["id"] = made["id"].clone();
        assert_eq!(*made, expected);
        expected["type"] = json!(kind);
        expected["qos_policy_id"] = policy["id"].clone();
        assert_eq!(*shown, expected);
    }
    let revision = cloud.get("alice", &path).await.expect(200)["policy"]["revision_number"].clone();
    assert_eq!(revision, json!(KINDS.len() + 1));
    cloud.delete("alice", &path).await.expect(204);
    cloud.get("alice", &path).await.refused(404, "QosPolicyNotFound");
}

async fn a_rule_is_reached_through_its_own_policy_only(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (_, path) = policy(&cloud, "alice", json!({})).await;
    let (_, other) = policy(&cloud, "alice", json!({})).await;
    for (made, (kind, _)) in rules(&cloud, &path).await.iter().zip(KINDS) {
        let id = text(&made["id"]);
        let wrong = format!("{other}/{kind}_rules/{id}");
        cloud.get("alice", &wrong).await.refused(404, "QosRuleNotFound");
        cloud.delete("alice", &wrong).await.refused(404, "QosRuleNotFound");
        let body = json!({ format!("{kind}_rule"): {} });
        cloud.put("alice", &wrong, &body).await.refused(404, "QosRuleNotFound");
        let right = format!("{path}/{kind}_rules/{id}");
        cloud.put("alice", &right, &body).await.expect(200);
        cloud.get("bob", &right).await.refused(404, "QosPolicyNotFound");
        cloud.delete("bob", &right).await.refused(404, "QosPolicyNotFound");
        cloud.delete("alice", &right).await.expect(204);
        cloud.get("alice", &right).await.refused(404, "QosRuleNotFound");
    }
}

async fn a_rule_has_an_alias_by_its_own_id(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (_, path) = policy(&cloud, "alice", json!({})).await;
    for (made, (kind, _)) in rules(&cloud, &path).await.iter().zip(KINDS) {
        let id = text(&made["id"]);
        let alias = format!("/v2.0/qos/alias_{kind}_rules/{id}");
        let name = format!("alias_{kind}_rule");
        let shown = cloud.get("alice", &alias).await.expect(200);
        assert_eq!(shown[&name], *made);
        let body = json!({ &name: {} });
        for (user, path) in [("bob", &alias), ("alice", &format!("{alias}0"))] {
            cloud.get(user, path).await.refused(404, "QosRuleNotFound");
            cloud.put(user, path, &body).await.refused(404, "QosRuleNotFound");
            cloud.delete(user, path).await.refused(404, "QosRuleNotFound");
        }
        cloud.put("alice", &alias, &body).await.expect(200);
        cloud.put("alice", &alias, &json!({"x": {}})).await.refused(400, "HTTPBadRequest");
        let plain = json!({ format!("{kind}_rule"): {} });
        cloud.put("alice", &alias, &plain).await.expect(200);
        cloud.delete("alice", &alias).await.expect(204);
        cloud.get("alice", &alias).await.refused(404, "QosRuleNotFound");
    }
}

async fn rule_types_say_what_rules_may_say(on: Backend) {
    let cloud = Cloud::on(on).await;
    let all = cloud.get("alice", "/v2.0/qos/rule_types").await.expect(200);
    let kinds: Vec<Value> = KINDS.iter().map(|(kind, _)| json!({"type": kind})).collect();
    assert_eq!(all["rule_types"], json!(kinds));
    let one = cloud.get("alice", "/v2.0/qos/rule_types?type=dscp_marking").await.expect(200);
    assert_eq!(one["rule_types"], json!([{"type": "dscp_marking"}]));
    let one = cloud.get("alice", "/v2.0/qos/rule_types/minimum_packet_rate").await.expect(200);
    assert_eq!(
        one["rule_type"]["drivers"][0]["supported_parameters"],
        json!([
            {"parameter_name": "min_kpps", "parameter_type": "range",
             "parameter_values": {"start": 0, "end": 2_147_483_647}},
            {"parameter_name": "direction", "parameter_type": "choices",
             "parameter_values": ["any", "egress", "ingress"]},
        ])
    );
    cloud.get("alice", "/v2.0/qos/rule_types/x").await.refused(404, "QosRuleTypeNotFound");
    assert_eq!(cloud.get("nobody", "/v2.0/qos/rule_types").await.status, 401);
    assert_eq!(cloud.post("admin", "/v2.0/qos/rule_types", &json!({})).await.status, 405);
}

async fn a_shared_policy_is_seen_and_used_but_not_changed_by_others(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (policy, path) = policy(&cloud, "alice", json!({})).await;
    let network = json!({"network": {"qos_policy_id": policy["id"]}});
    cloud.post("bob", "/v2.0/networks", &network).await.refused(404, "QosPolicyNotFound");
    let share = json!({"policy": {"shared": true}});
    cloud.put("alice", &path, &share).await.refused(403, "PolicyNotAuthorized");
    cloud.put("admin", &path, &share).await.expect(200);
    let rule = &rules(&cloud, &path).await[0];
    cloud.get("bob", &path).await.expect(200);
    let rule = format!("{path}/bandwidth_limit_rules/{}", text(&rule["id"]));
    cloud.delete("bob", &path).await.refused(403, "PolicyNotAuthorized");
    // Who only sees the policy sees its rules in it, but not by themselves.
    cloud.delete("bob", &rule).await.refused(404, "QosRuleNotFound");
    let made = cloud.post("bob", "/v2.0/networks", &network).await.expect(201);
    assert_eq!(made["network"]["qos_policy_id"], policy["id"]);
    let unshare = json!({"policy": {"shared": false}});
    assert_eq!(cloud.put("admin", &path, &unshare).await.status, 409);
    cloud.delete("alice", &path).await.refused(409, "QosPolicyInUse");
    let network = format!("/v2.0/networks/{}", text(&made["network"]["id"]));
    cloud.delete("bob", &network).await.expect(204);
    cloud.delete("alice", &path).await.expect(204);
}

async fn a_policy_that_one_does_not_see_is_not_ones_to_take_away(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (policy, _) = policy(&cloud, "admin", json!({})).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    let port = json!({"network_id": network["id"]});
    let port = cloud.create("alice", "ports", "port", port).await;
    for (kind, object) in [("network", network), ("port", port)] {
        let path = format!("/v2.0/{kind}s/{}", text(&object["id"]));
        let given = json!({ kind: {"qos_policy_id": policy["id"]} });
        cloud.put("admin", &path, &given).await.expect(200);
        let taken = json!({ kind: {"qos_policy_id": null} });
        let refused = cloud.put("alice", &path, &taken).await;
        refused.refused(403, "PolicyRemoveAuthorizationError");
        let renamed = json!({ kind: {"name": "still mine"} });
        cloud.put("alice", &path, &renamed).await.expect(200);
        cloud.put("admin", &path, &taken).await.expect(200);
    }
}

async fn a_ports_guarantees_are_what_it_asks_of_its_host(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (policy, path) = policy(&cloud, "alice", json!({})).await;
    rules(&cloud, &path).await;
    let network =
        cloud.create("alice", "networks", "network", json!({"qos_policy_id": policy["id"]})).await;
    let (plain, _) = self::policy(&cloud, "alice", json!({})).await;
    let own = json!({"network_id": network["id"], "qos_policy_id": plain["id"]});
    let own = cloud.create("alice", "ports", "port", own).await;
    let bare = cloud.create("alice", "ports", "port", json!({"network_id": network["id"]})).await;
    assert_eq!(bare["qos_policy_id"], Value::Null);
    assert_eq!(bare["qos_network_policy_id"], policy["id"]);
    assert_eq!(bare.get("resource_request"), None, "only administrators see it");
    let shown = |port: &Value| format!("/v2.0/ports/{}", text(&port["id"]));
    let request = cloud.get("admin", &shown(&bare)).await.expect(200);
    let groups = &request["port"]["resource_request"]["request_groups"];
    assert_eq!(groups[0]["resources"], json!({"NET_BW_IGR_KILOBIT_PER_SEC": 10}));
    assert_eq!(groups[1]["resources"], json!({"NET_PACKET_RATE_KILOPACKET_PER_SEC": 3}));
    // A port's own policy takes the place of its network's.
    let request = cloud.get("admin", &shown(&own)).await.expect(200);
    assert_eq!(request["port"]["resource_request"], Value::Null);
    assert_eq!(request["port"]["qos_policy_id"], plain["id"]);
}

async fn two_defaults_or_two_equal_rules_never_both_win(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (_, path) = policy(&cloud, "alice", json!({})).await;
    let default = json!({"policy": {"is_default": true}});
    let mark = json!({"dscp_marking_rule": {"dscp_mark": 8}});
    let marks = format!("{path}/dscp_marking_rules");
    let policies = futures::future::join_all(
        (0..8).map(|_| cloud.post("alice", "/v2.0/qos/policies", &default)),
    )
    .await;
    let rules = futures::future::join_all((0..8).map(|_| cloud.post("alice", &marks, &mark))).await;
    for (answers, refused) in
        [(policies, "QoSPolicyDefaultAlreadyExists"), (rules, "QoSRulesConflict")]
    {
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.refused(409, refused);
        }
    }
}

async fn objects_show_their_policy_and_their_networks(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let (policy, path) = policy(&cloud, "admin", json!({"shared": true})).await;
    let id = &policy["id"];
    let external = format!("/v2.0/networks/{}", text(&site.external["id"]));
    let set = json!({"network": {"qos_policy_id": id}});
    cloud.put("admin", &external, &set).await.expect(200);
    let floating_ip = json!({"floating_network_id": site.external["id"], "qos_policy_id": id});
    let floating_ip = cloud.create("alice", "floatingips", "floatingip", floating_ip).await;
    assert_eq!((&floating_ip["qos_policy_id"], &floating_ip["qos_network_policy_id"]), (id, id));
    let router = format!("/v2.0/routers/{}", text(&site.router["id"]));
    let gateway = json!({"router": {"external_gateway_info":
        {"network_id": site.external["id"], "qos_policy_id": id}}});
    let answer = cloud.put("alice", &router, &gateway).await.expect(200);
    assert_eq!(answer["router"]["external_gateway_info"]["qos_policy_id"], *id);
    assert_eq!(answer["router"]["external_gateways"][0]["qos_policy_id"], *id);
    let clear = json!({"floatingip": {"qos_policy_id": null}});
    let path_of_fip = format!("/v2.0/floatingips/{}", text(&floating_ip["id"]));
    let answer = cloud.put("alice", &path_of_fip, &clear).await.expect(200);
    assert_eq!(answer["floatingip"]["qos_policy_id"], Value::Null);
    cloud.put("admin", &external, &json!({"network": {"qos_policy_id": null}})).await.expect(200);
    cloud.delete("admin", &path).await.refused(409, "QosPolicyInUse");
    let clear = json!({"router": {"external_gateway_info": null}});
    cloud.put("alice", &router, &clear).await.expect(200);
    cloud.delete("admin", &path).await.expect(204);
}
