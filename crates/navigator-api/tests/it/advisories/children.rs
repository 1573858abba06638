//! What belongs to somebody was reached through something of the attacker's own: the URL's parent was
//! looked at, and the child looked up by its id alone.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    sec_lp_2110087_nobody_logs_what_is_anothers,
    sec_lp_2150121_a_forward_is_found_below_its_own_floating_ip_only,
    sec_lp_2152109_a_helper_is_found_below_its_own_router_only,
    sec_lp_2152113_nobody_onboards_anothers_subnets,
    sec_lp_2161524_a_rule_is_found_below_its_own_policy_only,
}

/// Collections of one kind of child below a parent of Alice, another of hers and one of Bob.
struct Nursery {
    hers: String,
    other: String,
    his: String,
    /// Of the child in a body, and of the list.
    names: [&'static str; 2],
    not_found: &'static str,
    parent_not_found: &'static str,
}

impl Nursery {
    /// Makes a child with `made` and tries all wrong ways to it; `change` is what an attacker would.
    async fn hold(&self, cloud: &Cloud, made: Value, change: Value) {
        let [name, list] = self.names;
        let (made, change) = (json!({ name: made }), json!({ name: change }));
        let made = cloud.post("alice", &self.hers, &made).await.expect(201)[name].take();
        let id = text(&made["id"]);
        for (user, below, error) in [
            ("alice", &self.other, self.not_found),
            ("bob", &self.his, self.not_found),
            ("bob", &self.hers, self.parent_not_found),
        ] {
            let path = format!("{below}/{id}");
            cloud.get(user, &path).await.refused(404, error);
            cloud.put(user, &path, &change).await.refused(404, error);
            cloud.delete(user, &path).await.refused(404, error);
        }
        cloud.post("bob", &self.hers, &change).await.refused(404, self.parent_not_found);
        cloud.get("bob", &self.hers).await.refused(404, self.parent_not_found);
        let his = cloud.get("bob", &self.his).await.expect(200);
        assert_eq!(his[list], json!([]));
        let still = cloud.get("alice", &format!("{}/{id}", self.hers)).await.expect(200);
        assert_eq!(still[name], made);
    }
}

async fn sec_lp_2150121_a_forward_is_found_below_its_own_floating_ip_only(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let mut below = Vec::new();
    for user in ["alice", "alice", "bob"] {
        let body = json!({"floating_network_id": site.external["id"]});
        let made = cloud.create(user, "floatingips", "floatingip", body).await;
        below.push(format!("/v2.0/floatingips/{}/port_forwardings", text(&made["id"])));
    }
    let [hers, other, his] = below.try_into().unwrap();
    let names = ["port_forwarding", "port_forwardings"];
    let (not_found, parent_not_found) = ("PortForwardingNotFound", "FloatingIPNotFound");
    let nursery = Nursery { hers, other, his, names, not_found, parent_not_found };
    let forward = json!({
        "protocol": "tcp", "external_port": 80, "internal_port": 80,
        "internal_port_id": site.port["id"],
        "internal_ip_address": site.port["fixed_ips"][0]["ip_address"]});
    nursery.hold(&cloud, forward, json!({"external_port": 81})).await;
}

async fn sec_lp_2152109_a_helper_is_found_below_its_own_router_only(on: Backend) {
    let cloud = Cloud::on(on).await;
    let mut below = Vec::new();
    for user in ["alice", "alice", "bob"] {
        let made = cloud.create(user, "routers", "router", json!({})).await;
        below.push(format!("/v2.0/routers/{}/conntrack_helpers", text(&made["id"])));
    }
    let [hers, other, his] = below.try_into().unwrap();
    let names = ["conntrack_helper", "conntrack_helpers"];
    let (not_found, parent_not_found) = ("ConntrackHelperNotFound", "RouterNotFound");
    let nursery = Nursery { hers, other, his, names, not_found, parent_not_found };
    let helper = json!({"protocol": "tcp", "port": 21, "helper": "ftp"});
    nursery.hold(&cloud, helper, json!({"port": 22})).await;
}

async fn sec_lp_2161524_a_rule_is_found_below_its_own_policy_only(on: Backend) {
    // By default only administrators have policies.
    let open = "create_policy: \"@\"\ncreate_policy_dscp_marking_rule: \"@\"\n\
                update_policy_dscp_marking_rule: \"@\"\ndelete_policy_dscp_marking_rule: \"@\"\n";
    let cloud = Cloud::under(on, open).await;
    let mut below = Vec::new();
    for user in ["alice", "alice", "bob"] {
        let made = cloud.create(user, "qos/policies", "policy", json!({"name": "p"})).await;
        below.push(format!("/v2.0/qos/policies/{}/dscp_marking_rules", text(&made["id"])));
    }
    let [hers, other, his] = below.try_into().unwrap();
    let names = ["dscp_marking_rule", "dscp_marking_rules"];
    let (not_found, parent_not_found) = ("QosRuleNotFound", "QosPolicyNotFound");
    let nursery = Nursery { hers, other, his, names, not_found, parent_not_found };
    nursery.hold(&cloud, json!({"dscp_mark": 26}), json!({"dscp_mark": 28})).await;
}

/// With a pool of one's own; also when the network is shared with everybody.
async fn sec_lp_2152113_nobody_onboards_anothers_subnets(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let pool = json!({"name": "p", "prefixes": ["192.168.0.0/16"], "default_prefixlen": 24});
    let pool = cloud.create("bob", "subnetpools", "subnetpool", pool).await;
    let pool_path = format!("/v2.0/subnetpools/{}", text(&pool["id"]));
    let onboard = format!("{pool_path}/onboard_network_subnets");
    let body = json!({"network_id": site.network["id"]});
    cloud.put("bob", &onboard, &body).await.refused(404, "NetworkNotFound");
    let network = format!("/v2.0/networks/{}", text(&site.network["id"]));
    cloud.put("admin", &network, &json!({"network": {"shared": true}})).await.expect(200);
    cloud.put("bob", &onboard, &body).await.refused(403, "PolicyNotAuthorized");
    let subnet = format!("/v2.0/subnets/{}", text(&site.subnet["id"]));
    let subnet = cloud.get("alice", &subnet).await.expect(200);
    assert_eq!(subnet["subnet"]["subnetpool_id"], Value::Null);
    let after = cloud.get("bob", &pool_path).await.expect(200);
    assert_eq!(after["subnetpool"], pool);
}

/// Also where the operator lets everybody have logs.
async fn sec_lp_2110087_nobody_logs_what_is_anothers(on: Backend) {
    let cloud = Cloud::under(on, "create_log: \"@\"\nget_log: \"@\"\n").await;
    let site = cloud.site().await;
    let groups = format!("/v2.0/security-groups?project_id={}", text(&site.port["project_id"]));
    let groups = cloud.get("alice", &groups).await.expect(200);
    let group = &groups["security_groups"][0]["id"];
    for log in [
        json!({"resource_type": "security_group", "resource_id": group}),
        json!({"resource_type": "security_group", "target_id": site.port["id"]}),
        json!({"resource_type": "snat", "resource_id": site.router["id"]}),
    ] {
        let body = json!({ "log": log });
        let answer = cloud.post("bob", "/v2.0/log/logs", &body).await;
        assert_eq!(answer.status, 404, "{body}: {}", answer.body);
        cloud.post("alice", "/v2.0/log/logs", &body).await.expect(201);
    }
}
