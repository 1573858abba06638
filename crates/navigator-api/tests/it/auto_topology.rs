//! A project's topology, made by asking for it.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_project_gets_its_topology_once_and_can_delete_it,
    requests_at_once_make_one_topology,
    a_check_makes_nothing,
    a_project_at_its_quota_gets_no_part_of_a_topology,
    a_topology_of_others_is_not_there_and_the_administrators_may_make_it,
}

async fn prepared(on: Backend) -> Cloud {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let outside = json!({"name": "outside", "router:external": true, "is_default": true});
    let outside = cloud.create("admin", "networks", "network", outside).await;
    let subnet = json!({
        "network_id": outside["id"], "ip_version": 4, "cidr": "203.0.113.0/24",
        "enable_dhcp": false});
    cloud.create("admin", "subnets", "subnet", subnet).await;
    for (prefix, length) in [("10.0.0.0/16", 26), ("2001:db8::/48", 64)] {
        let pool = json!({
            "name": "default", "prefixes": [prefix], "default_prefixlen": length,
            "is_default": true, "shared": true});
        cloud.create("admin", "subnetpools", "subnetpool", pool).await;
    }
    cloud
}

async fn path_of(cloud: &Cloud, user: &str) -> String {
    let project = cloud.get(user, "/v2.0/quotas/project").await.expect(200);
    format!("/v2.0/auto-allocated-topology/{}", text(&project["project"]["project_id"]))
}

/// How many networks, subnets and routers of Alice there are whose names tell where they are from.
async fn made(cloud: &Cloud) -> [usize; 3] {
    let mut counts = [0; 3];
    for (index, collection) in ["networks", "subnets", "routers"].into_iter().enumerate() {
        let all = cloud.get("admin", &format!("/v2.0/{collection}")).await.expect(200);
        let all = all[collection].as_array().unwrap();
        let automatic = |one: &&Value| text(&one["name"]).starts_with("auto_allocated_");
        counts[index] = all.iter().filter(automatic).count();
    }
    counts
}

async fn a_project_gets_its_topology_once_and_can_delete_it(on: Backend) {
    let cloud = prepared(on).await;
    let path = path_of(&cloud, "alice").await;
    let answer = cloud.get("alice", &path).await.expect(200);
    let topology = &answer["auto_allocated_topology"];
    assert!(path.ends_with(text(&topology["tenant_id"])));
    assert_eq!(made(&cloud).await, [1, 2, 1]);
    let network = format!("/v2.0/networks/{}", text(&topology["id"]));
    let network = cloud.get("alice", &network).await.expect(200);
    assert_eq!(network["network"]["admin_state_up"], true);
    assert_eq!(network["network"]["project_id"], topology["tenant_id"]);
    assert!(network["network"].get("auto_allocated").is_none());

    assert_eq!(cloud.get("alice", &path).await.expect(200), answer);
    let by_client = "/v2.0/auto-allocated-topology/None";
    assert_eq!(cloud.get("alice", by_client).await.expect(200), answer);
    assert_eq!(made(&cloud).await, [1, 2, 1]);

    // Ports keep it; nothing of it goes.
    let port = json!({"network_id": topology["id"]});
    let port = cloud.create("alice", "ports", "port", port).await;
    cloud.delete("alice", &path).await.refused(409, "NetworkInUse");
    assert_eq!(made(&cloud).await, [1, 2, 1]);
    let port = format!("/v2.0/ports/{}", text(&port["id"]));
    assert_eq!(cloud.delete("alice", &port).await.status, 204);
    for _ in 0..2 {
        assert_eq!(cloud.delete("alice", &path).await.status, 204);
        assert_eq!(made(&cloud).await, [0, 0, 0]);
    }
}

async fn requests_at_once_make_one_topology(on: Backend) {
    let cloud = prepared(on).await;
    let path = path_of(&cloud, "alice").await;
    let answers = join_all((0..8).map(|_| cloud.get("alice", &path))).await;
    let ids: Vec<Value> = answers
        .into_iter()
        .map(|answer| answer.expect(200)["auto_allocated_topology"]["id"].take())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(made(&cloud).await, [1, 2, 1]);
}

async fn a_check_makes_nothing(on: Backend) {
    let bare = Cloud::on(on).await;
    let path = path_of(&bare, "alice").await;
    let check = format!("{path}?fields=dry-run");
    for path in [&path, &check] {
        let answer = bare.get("alice", path).await;
        answer.refused(409, "AutoAllocationFailure");
        assert_eq!(answer.message(), "Deployment error: No default router:external network.");
    }
    let cloud = prepared(on).await;
    let answer = cloud.get("alice", &check).await.expect(200);
    assert_eq!(answer["auto_allocated_topology"]["id"], "dry-run=pass");
    assert_eq!(made(&cloud).await, [0, 0, 0]);
    let other = cloud.get("alice", &format!("{path}?fields=x")).await;
    other.refused(400, "BadRequest");
}

async fn a_project_at_its_quota_gets_no_part_of_a_topology(on: Backend) {
    let cloud = prepared(on).await;
    let path = path_of(&cloud, "alice").await;
    let quota = path.replace("auto-allocated-topology", "quotas");
    for limited in ["network", "subnet", "router"] {
        let limit = json!({"quota": {"network": -1, "subnet": -1, "router": -1, limited: 0}});
        cloud.put("admin", &quota, &limit).await.expect(200);
        let answer = cloud.get("alice", &path).await;
        answer.refused(409, "OverQuota");
        assert_eq!(answer.message(), format!("Quota exceeded for resources: ['{limited}']."));
        assert_eq!(made(&cloud).await, [0, 0, 0]);
    }
}

async fn a_topology_of_others_is_not_there_and_the_administrators_may_make_it(on: Backend) {
    let cloud = prepared(on).await;
    let path = path_of(&cloud, "alice").await;
    for method in ["GET", "DELETE"] {
        cloud.raw("bob", method, &path, Vec::new()).await.refused(403, "PolicyNotAuthorized");
    }
    let answer = cloud.get("admin", &path).await.expect(200);
    assert_eq!(cloud.get("alice", &path).await.expect(200), answer);
    assert_eq!(made(&cloud).await, [1, 2, 1]);
    for method in ["POST", "PUT"] {
        assert_eq!(cloud.raw("alice", method, &path, Vec::new()).await.status, 405);
    }
}
