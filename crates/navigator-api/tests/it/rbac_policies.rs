//! RBAC policies: what a project shares with others, and who sees what of it.

use serde_json::{Value, json};

use crate::cloud::{Answer, Backend, Cloud, text};

on_both! {
    a_network_is_shared_with_one_project,
    shared_is_what_the_policies_say_to_whoever_looks,
    policies_are_made_found_changed_and_deleted,
    wrong_policies_are_refused,
    only_owners_share_and_only_administrators_with_everybody,
    what_is_in_use_stays_shared,
    an_external_network_is_open_to_those_it_is_opened_to,
    every_type_is_shared_with_one_project,
    policies_go_with_their_object,
    policies_are_counted,
    who_may_share_with_everybody_is_the_rules_to_say,
    a_qos_policy_is_attached_by_those_it_is_shared_with,
}

async fn project(cloud: &Cloud, user: &str) -> String {
    let body = cloud.get(user, "/v2.0/quotas/project").await.expect(200);
    text(&body["project"]["project_id"]).to_owned()
}

async fn share(cloud: &Cloud, user: &str, object_type: &str, id: &Value, target: &str) -> Answer {
    let policy = json!({
        "object_type": object_type, "object_id": id, "action": "access_as_shared",
        "target_tenant": target});
    cloud.post(user, "/v2.0/rbac_policies", &json!({ "rbac_policy": policy })).await
}

fn path(collection: &str, object: &Value) -> String {
    format!("/v2.0/{collection}/{}", text(&object["id"]))
}

async fn ids(cloud: &Cloud, user: &str, path: &str) -> Vec<String> {
    let body = cloud.get(user, path).await.expect(200);
    let (_, items) = body.as_object().unwrap().iter().next().unwrap();
    items.as_array().unwrap().iter().map(|item| text(&item["id"]).to_owned()).collect()
}

async fn a_network_is_shared_with_one_project(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.edge().await;
    let network = path("networks", &site.network);
    let bob = project(&cloud, "bob").await;
    cloud.get("bob", &network).await.refused(404, "NetworkNotFound");
    let made = share(&cloud, "alice", "network", &site.network["id"], &bob).await.expect(201);
    assert_eq!(made["rbac_policy"]["target_tenant"], *bob);

    assert_eq!(cloud.get("bob", &network).await.expect(200)["network"]["shared"], true);
    assert_eq!(ids(&cloud, "bob", "/v2.0/networks?shared=true").await, [text(&site.network["id"])]);
    let subnets = ids(&cloud, "bob", "/v2.0/subnets").await;
    assert!(subnets.contains(&text(&site.subnet["id"]).to_owned()), "{subnets:?}");
    let port = json!({"port": {"network_id": site.network["id"]}});
    cloud.post("bob", "/v2.0/ports", &port).await.expect(201);
    // Seeing is not changing.
    let rename = json!({"network": {"name": "mine"}});
    cloud.put("bob", &network, &rename).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("bob", &network).await.refused(403, "PolicyNotAuthorized");
    let tags = json!({"tags": ["x"]});
    let tagged = cloud.put("bob", &format!("{network}/tags"), &tags).await;
    tagged.refused(403, "PolicyNotAuthorized");
    let subnet = json!({"subnet": {
        "network_id": site.network["id"], "ip_version": 4, "cidr": "10.9.0.0/24"}});
    cloud.post("bob", "/v2.0/subnets", &subnet).await.refused(403, "PolicyNotAuthorized");
}

async fn shared_is_what_the_policies_say_to_whoever_looks(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    let bob = project(&cloud, "bob").await;
    share(&cloud, "alice", "network", &network["id"], &bob).await.expect(201);
    let at = path("networks", &network);
    for (user, shared) in [("alice", false), ("bob", true), ("admin", false)] {
        let shown = cloud.get(user, &at).await.expect(200);
        assert_eq!(shown["network"]["shared"], shared, "{user}");
        let found = ids(&cloud, user, &format!("/v2.0/networks?shared={shared}")).await;
        assert_eq!(found, [text(&network["id"])], "{user}");
        let found = ids(&cloud, user, &format!("/v2.0/networks?shared={}", !shared)).await;
        assert!(found.is_empty(), "{user}");
    }
    let body = json!({"network": {"shared": true}});
    let open = cloud.put("admin", &at, &body).await.expect(200);
    assert_eq!(
        (&open["network"]["shared"], open["network"]["revision_number"].as_i64()),
        (&json!(true), Some(3))
    );
    let policies = "/v2.0/rbac_policies?target_tenant=%2A";
    assert_eq!(ids(&cloud, "alice", policies).await.len(), 1);
    // Said twice is said once.
    cloud.put("admin", &at, &body).await.expect(200);
    assert_eq!(ids(&cloud, "alice", policies).await.len(), 1);
    let body = json!({"network": {"shared": false}});
    cloud.put("admin", &at, &body).await.expect(200);
    assert!(ids(&cloud, "alice", policies).await.is_empty());
    // The one for bob is another.
    assert_eq!(cloud.get("bob", &at).await.expect(200)["network"]["shared"], true);
}

async fn policies_are_made_found_changed_and_deleted(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    let bob = project(&cloud, "bob").await;
    let made = share(&cloud, "alice", "network", &network["id"], "elsewhere").await.expect(201);
    let policy = &made["rbac_policy"];
    let at = path("rbac_policies", policy);
    assert_eq!(policy["project_id"], network["project_id"]);
    assert_eq!(policy["tenant_id"], network["project_id"]);
    assert_eq!(cloud.get("alice", &at).await.expect(200), made);
    for query in ["object_type=network", "action=access_as_shared", "target_tenant=elsewhere"] {
        let found = ids(&cloud, "alice", &format!("/v2.0/rbac_policies?{query}")).await;
        assert_eq!(found, [text(&policy["id"])], "{query}");
    }
    assert!(ids(&cloud, "bob", "/v2.0/rbac_policies").await.is_empty());
    cloud.get("bob", &at).await.refused(404, "RbacPolicyNotFound");
    cloud.delete("bob", &at).await.refused(404, "RbacPolicyNotFound");

    let again = share(&cloud, "alice", "network", &network["id"], "elsewhere").await;
    again.refused(409, "DuplicateRbacPolicy");
    let target = |project: &str| json!({"rbac_policy": {"target_tenant": project}});
    let moved = cloud.put("alice", &at, &target(&bob)).await.expect(200);
    assert_eq!(moved["rbac_policy"]["target_tenant"], *bob);
    cloud.get("bob", &path("networks", &network)).await.expect(200);
    share(&cloud, "alice", "network", &network["id"], "elsewhere").await.expect(201);
    cloud.put("alice", &at, &target("elsewhere")).await.refused(409, "DuplicateRbacPolicy");
    let read_only = json!({"rbac_policy": {"object_id": network["id"]}});
    cloud.put("alice", &at, &read_only).await.refused(400, "HTTPBadRequest");

    assert_eq!(cloud.delete("alice", &at).await.status, 204);
    cloud.get("bob", &path("networks", &network)).await.refused(404, "NetworkNotFound");
}

async fn wrong_policies_are_refused(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    let good = json!({
        "object_type": "network", "object_id": network["id"], "action": "access_as_shared",
        "target_tenant": "elsewhere"});
    for (name, value, status, error) in [
        ("object_type", json!("router"), 400, "HTTPBadRequest"),
        ("object_type", json!(null), 400, "HTTPBadRequest"),
        ("object_type", json!("subnetpool"), 404, "SubnetPoolNotFound"),
        ("action", json!("access"), 400, "HTTPBadRequest"),
        ("object_id", json!("x"), 400, "HTTPBadRequest"),
        ("object_id", json!("00000000-0000-4000-8000-000000000000"), 404, "NetworkNotFound"),
        ("target_tenant", json!(""), 400, "HTTPBadRequest"),
        ("target_tenant", json!(1), 400, "HTTPBadRequest"),
        ("target_tenant", json!("x".repeat(256)), 400, "HTTPBadRequest"),
        ("id", network["id"].clone(), 400, "HTTPBadRequest"),
    ] {
        let mut policy = good.clone();
        policy[name] = value;
        let body = json!({ "rbac_policy": policy });
        cloud.post("alice", "/v2.0/rbac_policies", &body).await.refused(status, error);
    }
    for name in ["object_type", "object_id", "action", "target_tenant"] {
        let mut policy = good.clone();
        policy.as_object_mut().unwrap().remove(name);
        let body = json!({ "rbac_policy": policy });
        cloud.post("alice", "/v2.0/rbac_policies", &body).await.refused(400, "HTTPBadRequest");
    }
    let mut external = good.clone();
    external["object_type"] = "address_scope".into();
    external["action"] = "access_as_external".into();
    let body = json!({ "rbac_policy": external });
    cloud.post("alice", "/v2.0/rbac_policies", &body).await.refused(400, "InvalidInput");
}

async fn only_owners_share_and_only_administrators_with_everybody(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    let (alice, bob) = (project(&cloud, "alice").await, project(&cloud, "bob").await);
    let theft = share(&cloud, "bob", "network", &network["id"], &bob).await;
    theft.refused(404, "NetworkNotFound");
    let wide = share(&cloud, "alice", "network", &network["id"], "*").await;
    wide.refused(403, "PolicyNotAuthorized");
    let made = share(&cloud, "alice", "network", &network["id"], &bob).await.expect(201);
    let at = path("rbac_policies", &made["rbac_policy"]);
    let widen = json!({"rbac_policy": {"target_tenant": "*"}});
    cloud.put("alice", &at, &widen).await.refused(403, "PolicyNotAuthorized");
    // With whom it is shared shares it with nobody.
    let further = share(&cloud, "bob", "network", &network["id"], &alice).await;
    further.refused(400, "InvalidInput");
    share(&cloud, "admin", "network", &network["id"], "*").await.expect(201);
    let body = json!({"network": {"shared": true}});
    cloud.post("alice", "/v2.0/networks", &body).await.refused(403, "PolicyNotAuthorized");
}

async fn what_is_in_use_stays_shared(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("admin", "networks", "network", json!({"shared": true})).await;
    let at = path("networks", &network);
    let body = json!({"port": {"network_id": network["id"]}});
    let port = cloud.post("bob", "/v2.0/ports", &body).await.expect(201);
    let [policy] = ids(&cloud, "admin", "/v2.0/rbac_policies").await.try_into().unwrap();
    let policy = format!("/v2.0/rbac_policies/{policy}");
    let private = json!({"network": {"shared": false}});
    cloud.put("admin", &at, &private).await.refused(409, "InvalidSharedSetting");
    cloud.delete("admin", &policy).await.refused(409, "RbacPolicyInUse");
    let narrow = json!({"rbac_policy": {"target_tenant": "elsewhere"}});
    cloud.put("admin", &policy, &narrow).await.refused(409, "RbacPolicyInUse");
    let bob = project(&cloud, "bob").await;
    share(&cloud, "admin", "network", &network["id"], &bob).await.expect(201);
    cloud.put("admin", &at, &private).await.expect(200);
    assert_eq!(ids(&cloud, "admin", "/v2.0/rbac_policies").await.len(), 1);
    assert_eq!(cloud.delete("bob", &path("ports", &port["port"])).await.status, 204);
}

async fn an_external_network_is_open_to_those_it_is_opened_to(on: Backend) {
    let cloud = Cloud::on(on).await;
    let attributes =
        json!({"provider:network_type": "flat", "provider:physical_network": "external"});
    let network = cloud.create("admin", "networks", "network", attributes).await;
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "203.0.113.0/24"});
    cloud.create("admin", "subnets", "subnet", subnet).await;
    let at = path("networks", &network);
    let bob = project(&cloud, "bob").await;
    let policy = json!({"rbac_policy": {
        "object_type": "network", "object_id": network["id"], "action": "access_as_external",
        "target_tenant": bob}});
    let made = cloud.post("admin", "/v2.0/rbac_policies", &policy).await.expect(201);
    let shown = cloud.get("bob", &at).await.expect(200);
    assert_eq!(shown["network"]["router:external"], true);
    assert_eq!(shown["network"]["shared"], false);
    cloud.get("alice", &at).await.refused(404, "NetworkNotFound");
    let body = json!({"floatingip": {"floating_network_id": network["id"]}});
    cloud.post("alice", "/v2.0/floatingips", &body).await.refused(404, "NetworkNotFound");
    let fip = cloud.post("bob", "/v2.0/floatingips", &body).await.expect(201);
    let router = json!({"router": {"external_gateway_info": {"network_id": network["id"]}}});
    cloud.post("alice", "/v2.0/routers", &router).await.refused(404, "NetworkNotFound");
    // An external network is for gateways and floating IPs, not for ports.
    let port = json!({"port": {"network_id": network["id"]}});
    cloud.post("bob", "/v2.0/ports", &port).await.refused(403, "PolicyNotAuthorized");

    let policy = path("rbac_policies", &made["rbac_policy"]);
    cloud.delete("admin", &policy).await.refused(409, "RbacPolicyInUse");
    assert_eq!(cloud.delete("bob", &path("floatingips", &fip["floatingip"])).await.status, 204);
    assert_eq!(cloud.delete("admin", &policy).await.status, 204);
    cloud.get("bob", &at).await.refused(404, "NetworkNotFound");

    // What is external by its own attribute is open to everybody, until it no longer is.
    cloud.put("admin", &at, &json!({"network": {"router:external": false}})).await.expect(200);
    cloud.put("admin", &at, &json!({"network": {"router:external": true}})).await.expect(200);
    cloud.get("alice", &at).await.expect(200);
    cloud.put("admin", &at, &json!({"network": {"router:external": false}})).await.expect(200);
    cloud.get("alice", &at).await.refused(404, "NetworkNotFound");
    assert!(ids(&cloud, "admin", "/v2.0/rbac_policies").await.is_empty());
}

async fn every_type_is_shared_with_one_project(on: Backend) {
    let cloud = Cloud::on(on).await;
    let bob = project(&cloud, "bob").await;
    for (object_type, collection, name, attributes) in [
        ("network", "networks", "network", json!({})),
        ("security_group", "security_groups", "security_group", json!({"name": "g"})),
        ("address_group", "address_groups", "address_group", json!({"name": "g"})),
        ("address_scope", "address_scopes", "address_scope", json!({"name": "s", "ip_version": 4})),
        (
            "subnetpool",
            "subnetpools",
            "subnetpool",
            json!({"name": "p", "prefixes": ["10.0.0.0/8"]}),
        ),
    ] {
        let object = cloud.create("alice", collection, name, attributes).await;
        let at = path(collection, &object);
        assert_eq!(cloud.get("bob", &at).await.status, 404, "{object_type}");
        let made = share(&cloud, "alice", object_type, &object["id"], &bob).await.expect(201);
        cloud.get("bob", &at).await.expect(200);
        let listed = ids(&cloud, "bob", &format!("/v2.0/{collection}")).await;
        assert!(listed.contains(&text(&object["id"]).to_owned()), "{object_type}");
        cloud.delete("bob", &at).await.refused(403, "PolicyNotAuthorized");
        let policy = path("rbac_policies", &made["rbac_policy"]);
        assert_eq!(cloud.delete("alice", &policy).await.status, 204, "{object_type}");
        assert_eq!(cloud.get("bob", &at).await.status, 404, "{object_type}");
    }
    let made = cloud.create("admin", "qos/policies", "policy", json!({"name": "q"})).await;
    let at = path("qos/policies", &made);
    assert_eq!(cloud.get("bob", &at).await.status, 404);
    share(&cloud, "admin", "qos_policy", &made["id"], &bob).await.expect(201);
    assert_eq!(cloud.get("bob", &at).await.expect(200)["policy"]["shared"], true);
    assert_eq!(cloud.get("alice", &at).await.status, 404);
}

async fn policies_go_with_their_object(on: Backend) {
    let cloud = Cloud::on(on).await;
    let bob = project(&cloud, "bob").await;
    let network = cloud.create("admin", "networks", "network", json!({"shared": true})).await;
    share(&cloud, "admin", "network", &network["id"], &bob).await.expect(201);
    assert_eq!(ids(&cloud, "admin", "/v2.0/rbac_policies").await.len(), 2);
    assert_eq!(cloud.delete("admin", &path("networks", &network)).await.status, 204);
    assert!(ids(&cloud, "admin", "/v2.0/rbac_policies").await.is_empty());
}

async fn policies_are_counted(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    for n in 0..10 {
        share(&cloud, "alice", "network", &network["id"], &format!("p{n}")).await.expect(201);
    }
    let over = share(&cloud, "alice", "network", &network["id"], "one more").await;
    over.refused(409, "OverQuota");
}

async fn who_may_share_with_everybody_is_the_rules_to_say(on: Backend) {
    let open = r#""create_rbac_policy:target_tenant": "@""#;
    let cloud = Cloud::under(on, open).await;
    let site = cloud.edge().await;
    let made = share(&cloud, "alice", "network", &site.network["id"], "*").await.expect(201);
    // To make one is one rule, to widen one another.
    let narrow = json!({"rbac_policy": {"target_tenant": "elsewhere"}});
    let policy = path("rbac_policies", &made["rbac_policy"]);
    cloud.put("alice", &policy, &narrow).await.expect(200);
    let wide = json!({"rbac_policy": {"target_tenant": "*"}});
    cloud.put("alice", &policy, &wide).await.refused(403, "PolicyNotAuthorized");
    cloud.put("admin", &policy, &wide).await.expect(200);
    let closed = Cloud::under(on, r#""create_rbac_policy:target_tenant": "!""#).await;
    let site = closed.edge().await;
    let refused = share(&closed, "admin", "network", &site.network["id"], "*").await;
    refused.refused(403, "PolicyNotAuthorized");
}

async fn a_qos_policy_is_attached_by_those_it_is_shared_with(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.edge().await;
    let qos = cloud.create("alice", "qos/policies", "policy", json!({})).await;
    let network = cloud.create("bob", "networks", "network", json!({})).await;
    let port = cloud.create("bob", "ports", "port", json!({"network_id": network["id"]})).await;
    let with = |name: &str, more: Value| {
        let mut said = more;
        said["qos_policy_id"] = qos["id"].clone();
        json!({ name: said })
    };
    let new_port = with("port", json!({"network_id": network["id"]}));
    let address = with("floatingip", json!({"floating_network_id": site.external["id"]}));
    let gateway = json!({"router": {"external_gateway_info":
        {"network_id": site.external["id"], "qos_policy_id": qos["id"]}}});
    let made = [
        ("ports", &new_port),
        ("networks", &with("network", json!({}))),
        ("floatingips", &address),
        ("routers", &gateway),
    ];
    let changed = [
        (path("ports", &port), with("port", json!({}))),
        (path("networks", &network), with("network", json!({}))),
    ];
    let elsewhere = share(&cloud, "alice", "qos_policy", &qos["id"], "elsewhere").await;
    elsewhere.expect(201);
    for (collection, body) in made {
        let refused = cloud.post("bob", &format!("/v2.0/{collection}"), body).await;
        refused.refused(404, "QosPolicyNotFound");
    }
    for (path, body) in &changed {
        cloud.put("bob", path, body).await.refused(404, "QosPolicyNotFound");
    }
    let bob = project(&cloud, "bob").await;
    let granted = share(&cloud, "alice", "qos_policy", &qos["id"], &bob).await.expect(201);
    let grant = path("rbac_policies", &granted["rbac_policy"]);
    for (path, body) in &changed {
        cloud.put("bob", path, body).await.expect(200);
    }
    let mut users = Vec::new();
    for (collection, body) in made {
        let made = cloud.post("bob", &format!("/v2.0/{collection}"), body).await.expect(201);
        let (_, object) = made.as_object().unwrap().iter().next().unwrap();
        users.push(path(collection, object));
    }
    // It stays shared until the last of them is gone.
    for (path, body) in &changed {
        cloud.delete("alice", &grant).await.refused(409, "RbacPolicyInUse");
        let (name, _) = body.as_object().unwrap().iter().next().unwrap();
        cloud.put("bob", path, &json!({ name: {"qos_policy_id": null} })).await.expect(200);
    }
    for user in users {
        cloud.delete("alice", &grant).await.refused(409, "RbacPolicyInUse");
        cloud.delete("bob", &user).await.expect(204);
    }
    cloud.delete("alice", &grant).await.expect(204);
}
