//! Address scopes, subnet pools and the subnets that are cut from them.

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_pool_is_made_shown_changed_and_deleted,
    subnets_cut_at_once_never_overlap_and_the_last_ones_are_refused,
    of_two_default_pools_at_once_one_is_refused,
    a_network_shows_the_scopes_of_its_subnets,
    pools_and_scopes_of_others_are_not_there,
    a_subnet_shows_and_is_found_by_what_its_network_is,
    one_external_network_is_the_default,
    a_pool_with_subnets_stays_whoever_is_faster,
}

async fn pool(cloud: &Cloud, user: &str, more: Value) -> Value {
    let mut attributes = json!({"name": "pool", "prefixes": ["10.0.0.0/16"]});
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cloud.create(user, "subnetpools", "subnetpool", attributes).await
}

async fn network(cloud: &Cloud) -> Value {
    cloud.create("alice", "networks", "network", json!({})).await
}

async fn cut(cloud: &Cloud, pool: &Value, length: u8) -> Value {
    let network = network(cloud).await;
    let wanted = json!({
        "network_id": network["id"], "ip_version": 4, "prefixlen": length,
        "subnetpool_id": pool["id"], "enable_dhcp": false});
    cloud.create("alice", "subnets", "subnet", wanted).await
}

async fn a_pool_is_made_shown_changed_and_deleted(on: Backend) {
    let cloud = Cloud::on(on).await;
    let scope = json!({"name": "scope", "ip_version": 4});
    let scope = cloud.create("alice", "address-scopes", "address_scope", scope).await;
    let made = pool(
        &cloud,
        "alice",
        json!({
        "prefixes": ["10.1.0.0/16", "10.0.0.0/16"], "default_quota": 1000, "min_prefixlen": "24",
        "address_scope_id": scope["id"], "description": "d"}),
    )
    .await;
    let path = format!("/v2.0/subnetpools/{}", text(&made["id"]));
    let shown = cloud.get("alice", &path).await.expect(200);
    assert_eq!(shown["subnetpool"], made);
    assert_eq!(made["prefixes"], json!(["10.0.0.0/15"]));
    assert_eq!((&made["min_prefixlen"], &made["default_prefixlen"]), (&json!("24"), &json!("24")));
    for query in [
        "min_prefixlen=24",
        "name=pool",
        "is_default=False",
        "shared=false",
        "ip_version=4",
        "default_quota=1000",
        "description=d",
        &format!("address_scope_id={}", text(&scope["id"])),
    ] {
        let found = cloud.get("alice", &format!("/v2.0/subnetpools?{query}")).await.expect(200);
        assert_eq!(found["subnetpools"].as_array().unwrap().len(), 1, "{query}");
        let none = query.split('=').next().unwrap();
        let none = format!("/v2.0/subnetpools?{none}=7");
        let found = cloud.get("alice", &none).await.expect(200);
        assert_eq!(found["subnetpools"], json!([]), "{none}");
    }

    let change = |attributes: Value| json!({ "subnetpool": attributes });
    let body = change(json!({"name": "b", "address_scope_id": null, "max_prefixlen": 28}));
    let changed = cloud.put("alice", &path, &body).await.expect(200);
    assert_eq!(changed["subnetpool"]["max_prefixlen"], "28");
    assert_eq!(changed["subnetpool"]["address_scope_id"], Value::Null);
    assert_eq!(changed["subnetpool"]["revision_number"], 2);
    cloud
        .put("alice", &path, &change(json!({"shared": true})))
        .await
        .refused(400, "HTTPBadRequest");
    cloud
        .put("alice", &path, &change(json!({"is_default": true})))
        .await
        .refused(403, "PolicyNotAuthorized");
    let shared = json!({"subnetpool": {"name": "x", "prefixes": ["10.0.0.0/8"], "shared": true}});
    cloud.post("alice", "/v2.0/subnetpools", &shared).await.refused(403, "PolicyNotAuthorized");

    let body = json!({"prefixes": ["10.2.0.0/16"]});
    let added = cloud.put("alice", &format!("{path}/add_prefixes"), &body).await.expect(200);
    assert_eq!(added, json!({"prefixes": ["10.0.0.0/15", "10.2.0.0/16"]}));
    let removed = cloud.put("alice", &format!("{path}/remove_prefixes"), &body).await.expect(200);
    assert_eq!(removed, json!({"prefixes": ["10.0.0.0/15"]}));
    for action in ["add_prefixes", "remove_prefixes", "onboard_network_subnets"] {
        let answer = cloud.put("bob", &format!("{path}/{action}"), &body).await;
        answer.refused(404, "SubnetPoolNotFound");
    }
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
    cloud.get("alice", &path).await.refused(404, "SubnetPoolNotFound");
}

async fn subnets_cut_at_once_never_overlap_and_the_last_ones_are_refused(on: Backend) {
    const ROOM: usize = 8;
    let cloud = Cloud::on(on).await;
    let pool = pool(&cloud, "alice", json!({"prefixes": ["10.0.0.0/25"]})).await;
    let mut bodies = Vec::new();
    for _ in 0..ROOM + 4 {
        let network = network(&cloud).await;
        bodies.push(json!({"subnet": {
            "network_id": network["id"], "ip_version": 4, "prefixlen": 28,
            "subnetpool_id": pool["id"], "enable_dhcp": false}}));
    }
    let answers = join_all(bodies.iter().map(|b| cloud.post("alice", "/v2.0/subnets", b))).await;
    let mut cidrs = HashSet::new();
    for answer in answers {
        match answer.status {
            201 => assert!(cidrs.insert(text(&answer.body["subnet"]["cidr"]).to_owned())),
            _ => answer.refused(409, "SubnetAllocationError"),
        }
    }
    let all: HashSet<String> = (0..ROOM).map(|n| format!("10.0.0.{}/28", n * 16)).collect();
    assert_eq!(cidrs, all);
}

async fn of_two_default_pools_at_once_one_is_refused(on: Backend) {
    let cloud = Cloud::on(on).await;
    let body = |third: u8| {
        json!({"subnetpool": {
            "name": "default", "prefixes": [format!("10.{third}.0.0/16")], "is_default": true,
            "shared": true}})
    };
    let bodies: Vec<Value> = (0..6).map(body).collect();
    let answers =
        join_all(bodies.iter().map(|b| cloud.post("admin", "/v2.0/subnetpools", b))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.refused(400, "InvalidInput");
    }
    let network = network(&cloud).await;
    let subnet = json!({
        "network_id": network["id"], "ip_version": 4, "use_default_subnetpool": true,
        "prefixlen": 24});
    let subnet = cloud.create("alice", "subnets", "subnet", subnet).await;
    assert_eq!(subnet["subnetpool_id"], made[0].body["subnetpool"]["id"]);
    assert!(subnet.get("use_default_subnetpool").is_none() && subnet.get("prefixlen").is_none());
}

async fn a_network_shows_the_scopes_of_its_subnets(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = network(&cloud).await;
    let path = format!("/v2.0/networks/{}", text(&network["id"]));
    for (version, prefix, length) in [(4, "10.0.0.0/16", 24), (6, "2001:db8::/32", 64)] {
        let attribute = format!("ipv{version}_address_scope");
        let before = cloud.get("alice", &path).await.expect(200);
        assert_eq!(before["network"][&attribute], Value::Null);
        let scope = json!({"name": "scope", "ip_version": version});
        let scope = cloud.create("alice", "address-scopes", "address_scope", scope).await;
        let inside = json!({"prefixes": [prefix], "address_scope_id": scope["id"]});
        let pool = pool(&cloud, "alice", inside).await;
        let subnet = json!({
            "network_id": network["id"], "ip_version": version, "prefixlen": length,
            "subnetpool_id": pool["id"]});
        cloud.create("alice", "subnets", "subnet", subnet).await;
        let after = cloud.get("alice", &path).await.expect(200);
        assert_eq!(after["network"][&attribute], scope["id"]);
        let scope = format!("/v2.0/address-scopes/{}", text(&scope["id"]));
        assert_eq!(cloud.delete("alice", &scope).await.status, 409);
    }
}

async fn pools_and_scopes_of_others_are_not_there(on: Backend) {
    let cloud = Cloud::on(on).await;
    for (collection, name, body) in [
        ("address-scopes", "address_scope", json!({"name": "x", "ip_version": 4})),
        ("subnetpools", "subnetpool", json!({"name": "x", "prefixes": ["10.0.0.0/8"]})),
    ] {
        let made = cloud.create("alice", collection, name, body.clone()).await;
        let path = format!("/v2.0/{collection}/{}", text(&made["id"]));
        for method in ["GET", "PUT", "DELETE"] {
            let body = json!({ name: {"name": "mine"} }).to_string().into_bytes();
            assert_eq!(cloud.raw("bob", method, &path, body).await.status, 404, "{method} {path}");
        }
        let mut shared = body;
        shared["shared"] = json!(true);
        let shared = cloud.create("admin", collection, name, shared).await;
        let path = format!("/v2.0/{collection}/{}", text(&shared["id"]));
        cloud.get("bob", &path).await.expect(200);
        assert_eq!(cloud.delete("bob", &path).await.status, 403);
        let seen = cloud.get("bob", &format!("/v2.0/{collection}")).await.expect(200);
        let seen = seen[collection.replace('-', "_")].as_array().unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0]["id"], shared["id"]);
    }
}

async fn a_subnet_shows_and_is_found_by_what_its_network_is(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.site().await;
    for (query, cidr) in [
        ("router:external=true", "203.0.113.0/24"),
        ("router:external=false", "10.0.0.0/24"),
        ("shared=false", "10.0.0.0/24"),
    ] {
        let found = cloud.get("alice", &format!("/v2.0/subnets?{query}")).await.expect(200);
        let all = cloud.get("admin", &format!("/v2.0/subnets?{query}")).await.expect(200);
        let cidrs: Vec<_> = all["subnets"].as_array().unwrap().iter().map(|s| &s["cidr"]).collect();
        assert!(cidrs.contains(&&json!(cidr)), "{query}: {found}");
    }
    let all = cloud.get("admin", "/v2.0/subnets?cidr=203.0.113.0/24").await.expect(200);
    let subnet = &all["subnets"][0];
    assert_eq!((&subnet["router:external"], subnet.get("shared")), (&json!(true), None));
    assert_eq!(subnet["service_types"], json!([]));
    assert_eq!(subnet["dns_publish_fixed_ip"], false);
    let path = format!("/v2.0/subnets/{}", text(&subnet["id"]));
    let body = json!({"subnet": {
        "service_types": ["network:router_gateway"], "dns_publish_fixed_ip": true}});
    cloud.put("alice", &path, &body).await;
    let changed = cloud.put("admin", &path, &body).await.expect(200);
    assert_eq!(changed["subnet"]["service_types"], json!(["network:router_gateway"]));
    assert_eq!(changed["subnet"]["dns_publish_fixed_ip"], true);
    let body = json!({"subnet": {"service_types": ["kitchen"]}});
    cloud.put("admin", &path, &body).await.refused(400, "InvalidSubnetServiceType");
}

async fn one_external_network_is_the_default(on: Backend) {
    let cloud = Cloud::on(on).await;
    let outside = |default: bool| json!({"router:external": true, "is_default": default});
    let body = json!({"network": outside(true)});
    let answers = join_all((0..6).map(|_| cloud.post("admin", "/v2.0/networks", &body))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.refused(409, "DefaultExternalNetworkExists");
    }
    let other = cloud.create("admin", "networks", "network", outside(false)).await;
    let first = format!("/v2.0/networks/{}", text(&made[0].body["network"]["id"]));
    let other = format!("/v2.0/networks/{}", text(&other["id"]));
    let default = |is: bool| json!({"network": {"is_default": is}});
    let answer = cloud.put("admin", &other, &default(true)).await;
    answer.refused(409, "DefaultExternalNetworkExists");
    cloud.put("admin", &first, &default(false)).await.expect(200);
    let changed = cloud.put("admin", &other, &default(true)).await.expect(200);
    assert_eq!(changed["network"]["is_default"], true);
    // What is not external leads nowhere.
    let inside = json!({"network": {"router:external": false}});
    let changed = cloud.put("admin", &other, &inside).await.expect(200);
    assert_eq!(changed["network"]["is_default"], false);
}

async fn a_pool_with_subnets_stays_whoever_is_faster(on: Backend) {
    let cloud = Cloud::on(on).await;
    for _ in 0..4 {
        let pool = pool(&cloud, "alice", json!({})).await;
        let path = format!("/v2.0/subnetpools/{}", text(&pool["id"]));
        let network = network(&cloud).await;
        let body = json!({"subnet": {
            "network_id": network["id"], "ip_version": 4, "prefixlen": 24,
            "subnetpool_id": pool["id"]}});
        let (made, deleted) =
            tokio::join!(cloud.post("alice", "/v2.0/subnets", &body), cloud.delete("alice", &path));
        match made.status {
            201 => deleted.refused(400, "SubnetPoolDeleteError"),
            _ => {
                made.refused(404, "SubnetPoolNotFound");
                assert_eq!(deleted.status, 204);
            }
        }
    }
    let pool = pool(&cloud, "alice", json!({})).await;
    cut(&cloud, &pool, 24).await;
    let path = format!("/v2.0/subnetpools/{}", text(&pool["id"]));
    cloud.delete("alice", &path).await.refused(400, "SubnetPoolDeleteError");
}
