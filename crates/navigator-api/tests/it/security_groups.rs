//! Security groups over HTTP: what they bring along, who sees them, and how ports have them.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_project_finds_its_default_group_the_first_time_it_looks,
    sec_cve_2022_3277_listing_another_projects_groups_makes_none,
    a_group_shows_its_rules_and_moves_with_them,
    lists_of_groups_load_all_rules_at_once,
    rules_are_made_in_bulk_for_one_group_or_not_at_all,
    a_rule_that_is_there_already_is_named,
    sec_cve_2014_0187_a_refused_rule_leaves_the_next_one_alone,
    ports_have_groups_and_are_found_by_them,
    a_group_in_use_stays_until_its_last_port_goes,
    two_first_ports_at_once_make_one_default_group,
    a_group_that_goes_while_a_port_takes_it_goes_or_stays,
    templates_shape_the_groups_that_come_after_them,
    address_groups_take_and_give_back_addresses,
    another_projects_group_is_404_everywhere,
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| text(&item["id"]).to_owned()).collect()
}

async fn groups(cloud: &Cloud, user: &str, query: &str) -> Vec<Value> {
    let path = format!("/v2.0/security-groups{query}");
    let body = cloud.get(user, &path).await.expect(200);
    body["security_groups"].as_array().unwrap().clone()
}

async fn group(cloud: &Cloud, user: &str, name: &str) -> Value {
    cloud.create(user, "security-groups", "security_group", json!({ "name": name })).await
}

async fn rule(cloud: &Cloud, user: &str, attributes: Value) -> Value {
    cloud.create(user, "security-group-rules", "security_group_rule", attributes).await
}

async fn network(cloud: &Cloud, user: &str) -> Value {
    let network = cloud.create(user, "networks", "network", json!({"name": "n"})).await;
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"});
    cloud.create(user, "subnets", "subnet", subnet).await;
    network
}

async fn a_project_finds_its_default_group_the_first_time_it_looks(on: Backend) {
    let cloud = Cloud::on(on).await;
    let found = groups(&cloud, "alice", "").await;
    assert_eq!(found.len(), 1);
    let default = &found[0];
    assert_eq!((&default["name"], &default["stateful"]), (&json!("default"), &json!(true)));
    assert_eq!(default["tenant_id"], default["project_id"]);
    let mut rules: Vec<String> = default["security_group_rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            assert_eq!(rule["tenant_id"], default["project_id"]);
            assert_eq!(rule["belongs_to_default_sg"], true);
            let own = rule["remote_group_id"] == default["id"];
            format!("{} {} {own}", text(&rule["direction"]), text(&rule["ethertype"]))
        })
        .collect();
    rules.sort();
    assert_eq!(
        rules,
        ["egress IPv4 false", "egress IPv6 false", "ingress IPv4 true", "ingress IPv6 true"]
    );
    assert_eq!(groups(&cloud, "alice", "").await.len(), 1, "once");
    assert_eq!(
        groups(&cloud, "alice", "?name=default&fields=id").await,
        [json!({"id": default["id"]})]
    );
    assert_eq!(groups(&cloud, "bob", "").await.len(), 1);
    assert_eq!(groups(&cloud, "admin", "").await.len(), 3, "alice's, bob's and the own one");
}

/// Also CVE-2023-3637.
async fn sec_cve_2022_3277_listing_another_projects_groups_makes_none(on: Backend) {
    let cloud = Cloud::on(on).await;
    groups(&cloud, "admin", "").await;
    for number in 0..200 {
        let random = format!("?project_id=00000000-0000-4000-8000-{number:012}");
        assert_eq!(groups(&cloud, "admin", &random).await, Vec::<Value>::new());
        assert_eq!(groups(&cloud, "alice", &random).await, Vec::<Value>::new());
    }
    // The administrator's own and Alice's.
    assert_eq!(groups(&cloud, "admin", "").await.len(), 2);
}

async fn a_group_shows_its_rules_and_moves_with_them(on: Backend) {
    let cloud = Cloud::on(on).await;
    let web = group(&cloud, "alice", "web").await;
    assert_eq!(web["security_group_rules"].as_array().unwrap().len(), 2);
    let ssh = rule(
        &cloud,
        "alice",
        json!({
            "security_group_id": web["id"], "direction": "ingress", "protocol": "tcp",
            "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "192.0.2.7/24",
            "description": "\"quoted\", with , and \\ and é"}),
    )
    .await;
    assert_eq!(ssh["normalized_cidr"], "192.0.2.0/24");
    let path = format!("/v2.0/security-groups/{}", text(&web["id"]));
    let shown = cloud.get("alice", &path).await.expect(200);
    let shown = &shown["security_group"];
    assert_eq!(shown["revision_number"], 2, "a rule changes its group");
    let rules = shown["security_group_rules"].as_array().unwrap();
    let inside = rules.iter().find(|rule| rule["id"] == ssh["id"]).unwrap();
    assert_eq!(*inside, ssh, "the same as by itself");
    let path = format!("/v2.0/security-group-rules/{}", text(&ssh["id"]));
    assert_eq!(cloud.get("alice", &path).await.expect(200)["security_group_rule"], ssh);
    assert_eq!(cloud.put("alice", &path, &json!({"security_group_rule": {}})).await.status, 405);
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
    cloud.get("alice", &path).await.refused(404, "SecurityGroupRuleNotFound");
    for (query, count) in [
        (format!("security_group_id={}", text(&web["id"])), 2),
        ("direction=egress&ethertype=IPv6".to_owned(), 2),
        ("belongs_to_default_sg=true".to_owned(), 4),
        ("belongs_to_default_sg=false".to_owned(), 2),
        ("protocol=tcp".to_owned(), 0),
    ] {
        let path = format!("/v2.0/security-group-rules?{query}");
        let found = cloud.get("alice", &path).await.expect(200);
        assert_eq!(ids(&found["security_group_rules"]).len(), count, "{query}");
    }
}

async fn lists_of_groups_load_all_rules_at_once(on: Backend) {
    let cloud = Cloud::on(on).await;
    let limits = json!({"quota": {"security_group": -1, "security_group_rule": -1}});
    let project = groups(&cloud, "alice", "").await[0]["project_id"].clone();
    let path = format!("/v2.0/quotas/{}", text(&project));
    cloud.put("admin", &path, &limits).await.expect(200);
    let many: Vec<Value> = (0..300).map(|n| json!({"name": format!("group {n}")})).collect();
    let made =
        cloud.post("alice", "/v2.0/security-groups", &json!({"security_groups": many})).await;
    assert_eq!(made.expect(201)["security_groups"].as_array().unwrap().len(), 300);
    let found = groups(&cloud, "alice", "").await;
    assert_eq!(found.len(), 301);
    for group in &found {
        let rules = group["security_group_rules"].as_array().unwrap();
        let count = if group["name"] == "default" { 4 } else { 2 };
        assert_eq!(rules.len(), count);
        assert!(rules.iter().all(|rule| rule["security_group_id"] == group["id"]));
    }
}

async fn rules_are_made_in_bulk_for_one_group_or_not_at_all(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (web, db) = (group(&cloud, "alice", "web").await, group(&cloud, "alice", "db").await);
    let one = |group: &Value, port: u16| {
        json!({"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp",
               "port_range_min": port, "port_range_max": port})
    };
    let path = "/v2.0/security-group-rules";
    let both = json!({"security_group_rules": [one(&web, 1), one(&db, 1)]});
    cloud.post("alice", path, &both).await.refused(400, "SecurityGroupNotSingleGroupRules");
    let twice = json!({"security_group_rules": [one(&web, 1), one(&web, 1)]});
    cloud.post("alice", path, &twice).await.refused(409, "DuplicateSecurityGroupRuleInPost");
    let good = json!({"security_group_rules": [one(&web, 1), one(&web, 2)]});
    let made = cloud.post("alice", path, &good).await.expect(201);
    assert_eq!(ids(&made["security_group_rules"]).len(), 2);
    let again = json!({"security_group_rules": [one(&web, 3), one(&web, 2)]});
    cloud.post("alice", path, &again).await.refused(409, "SecurityGroupRuleExists");
    let found = cloud.get("alice", &format!("{path}?protocol=tcp")).await.expect(200);
    assert_eq!(ids(&found["security_group_rules"]).len(), 2, "all or nothing");
}

async fn a_rule_that_is_there_already_is_named(on: Backend) {
    let cloud = Cloud::on(on).await;
    let web = group(&cloud, "alice", "web").await;
    let body = json!({"security_group_id": web["id"], "direction": "ingress", "protocol": "tcp"});
    let first = rule(&cloud, "alice", body.clone()).await;
    let body = json!({ "security_group_rule": body });
    let answer = cloud.post("alice", "/v2.0/security-group-rules", &body).await;
    answer.refused(409, "SecurityGroupRuleExists");
    assert_eq!(
        answer.message(),
        format!("Security group rule already exists. Rule id is {}.", text(&first["id"]))
    );
}

async fn sec_cve_2014_0187_a_refused_rule_leaves_the_next_one_alone(on: Backend) {
    let cloud = Cloud::on(on).await;
    let web = group(&cloud, "alice", "web").await;
    for (prefix, ethertype, error) in [
        ("0.0.0.0/99", "IPv4", "InvalidCIDR"),
        ("::/-1", "IPv6", "InvalidCIDR"),
        ("10.0.0.1/0x8", "IPv4", "InvalidCIDR"),
        ("10.0.0.0/8", "IPv6", "SecurityGroupRuleParameterConflict"),
        ("2001:db8::/32", "IPv4", "SecurityGroupRuleParameterConflict"),
    ] {
        let body = json!({"security_group_rule": {
            "security_group_id": web["id"], "direction": "ingress", "ethertype": ethertype,
            "remote_ip_prefix": prefix}});
        let answer = cloud.post("alice", "/v2.0/security-group-rules", &body).await;
        answer.refused(400, error);
    }
    let good = json!({
        "security_group_id": web["id"], "direction": "ingress",
        "remote_ip_prefix": "10.0.0.0/8"});
    rule(&cloud, "alice", good).await;
}

async fn ports_have_groups_and_are_found_by_them(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = network(&cloud, "alice").await;
    let (web, db) = (group(&cloud, "alice", "web").await, group(&cloud, "alice", "db").await);
    let port = |groups: Value| json!({"network_id": network["id"], "security_groups": groups});
    let both = json!([web["id"], db["id"]]);
    let first = cloud.create("alice", "ports", "port", port(both)).await;
    assert_eq!(first["security_groups"].as_array().unwrap().len(), 2);
    let second = cloud.create("alice", "ports", "port", port(json!([web["id"]]))).await;
    let open = cloud.create("alice", "ports", "port", port(json!([]))).await;
    assert_eq!(open["security_groups"], json!([]));
    let by_default =
        cloud.create("alice", "ports", "port", json!({"network_id": network["id"]})).await;
    let default = groups(&cloud, "alice", "?name=default").await;
    assert_eq!(by_default["security_groups"], json!([default[0]["id"]]));

    let found = async |query: String| {
        let path = format!("/v2.0/ports?{query}");
        ids(&cloud.get("alice", &path).await.expect(200)["ports"])
    };
    let by = |group: &Value| format!("security_groups={}", text(&group["id"]));
    assert_eq!(found(by(&web)).await.len(), 2);
    assert_eq!(found(by(&db)).await, [text(&first["id"])]);
    assert_eq!(found(format!("{}&{}", by(&db), by(&default[0]))).await.len(), 2);
    assert_eq!(found("security_groups=nothing".to_owned()).await.len(), 0);

    let path = format!("/v2.0/ports/{}", text(&second["id"]));
    let body = json!({"port": {"security_groups": [db["id"]]}});
    let changed = cloud.put("alice", &path, &body).await.expect(200);
    assert_eq!(changed["port"]["security_groups"], json!([db["id"]]));
    assert_eq!(changed["port"]["revision_number"], 2);
    let body = json!({"port": {"name": "renamed"}});
    let renamed = cloud.put("alice", &path, &body).await.expect(200);
    assert_eq!(renamed["port"]["security_groups"], json!([db["id"]]), "not named, not changed");
    for groups in [json!(["00000000-0000-0000-0000-00000000dead"]), json!([web["id"], db["id"]])] {
        let body = json!({"port": {"security_groups": groups}});
        let answer = cloud.put("alice", &path, &body).await;
        assert!([200, 404].contains(&answer.status), "{}", answer.body);
    }
    assert_eq!(found(by(&web)).await.len(), 2);
}

async fn a_group_in_use_stays_until_its_last_port_goes(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = network(&cloud, "alice").await;
    let web = group(&cloud, "alice", "web").await;
    let path = format!("/v2.0/security-groups/{}", text(&web["id"]));
    let body = json!({"network_id": network["id"], "security_groups": [web["id"]]});
    let port = cloud.create("alice", "ports", "port", body).await;
    cloud.delete("alice", &path).await.refused(409, "SecurityGroupInUse");
    let stateless = json!({"security_group": {"stateful": false}});
    cloud.put("alice", &path, &stateless).await.refused(409, "SecurityGroupInUse");
    let of_port = format!("/v2.0/ports/{}", text(&port["id"]));
    assert_eq!(cloud.delete("alice", &of_port).await.status, 204);
    cloud.put("alice", &path, &stateless).await.expect(200);
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
    let default = groups(&cloud, "alice", "").await;
    let path = format!("/v2.0/security-groups/{}", text(&default[0]["id"]));
    cloud.delete("alice", &path).await.refused(409, "SecurityGroupCannotRemoveDefault");
    let renamed = json!({"security_group": {"name": "mine"}});
    cloud.put("alice", &path, &renamed).await.refused(409, "SecurityGroupCannotUpdateDefault");
}

async fn two_first_ports_at_once_make_one_default_group(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = network(&cloud, "alice").await;
    let body = json!({"port": {"network_id": network["id"]}});
    let posts = (0..8).map(|_| cloud.post("alice", "/v2.0/ports", &body));
    let answers = futures::future::join_all(posts).await;
    let default = groups(&cloud, "alice", "").await;
    assert_eq!(default.len(), 1);
    assert_eq!(default[0]["security_group_rules"].as_array().unwrap().len(), 4);
    for answer in answers {
        assert_eq!(answer.expect(201)["port"]["security_groups"], json!([default[0]["id"]]));
    }
}

async fn a_group_that_goes_while_a_port_takes_it_goes_or_stays(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = network(&cloud, "alice").await;
    for _ in 0..10 {
        let web = group(&cloud, "alice", "web").await;
        let path = format!("/v2.0/security-groups/{}", text(&web["id"]));
        let port = json!({"port": {
            "network_id": network["id"], "security_groups": [web["id"]]}});
        let (made, gone) = futures::future::join(
            cloud.post("alice", "/v2.0/ports", &port),
            cloud.delete("alice", &path),
        )
        .await;
        match gone.status {
            204 => made.refused(404, "SecurityGroupNotFound"),
            _ => {
                gone.refused(409, "SecurityGroupInUse");
                let made = made.expect(201);
                assert_eq!(made["port"]["security_groups"], json!([web["id"]]));
                let path = format!("/v2.0/ports/{}", text(&made["port"]["id"]));
                assert_eq!(cloud.delete("alice", &path).await.status, 204);
            }
        }
        cloud.delete("alice", &path).await;
    }
}

async fn templates_shape_the_groups_that_come_after_them(on: Backend) {
    let cloud = Cloud::on(on).await;
    let path = "/v2.0/default-security-group-rules";
    let there = cloud.get("alice", path).await.expect(200);
    assert_eq!(ids(&there["default_security_group_rules"]).len(), 4);
    let ping = json!({"default_security_group_rule": {
        "direction": "ingress", "protocol": "icmp", "used_in_default_sg": true}});
    cloud.post("alice", path, &ping).await.refused(403, "PolicyNotAuthorized");
    let made = cloud.post("admin", path, &ping).await.expect(201);
    let made = &made["default_security_group_rule"];
    assert_eq!(made["used_in_non_default_sg"], true);
    assert!(made.get("project_id").is_none());
    let again = cloud.post("admin", path, &ping).await;
    again.refused(409, "DefaultSecurityGroupRuleExists");
    assert!(again.message().ends_with(&format!("Rule id is {}.", text(&made["id"]))));
    let web = group(&cloud, "alice", "web").await;
    assert_eq!(web["security_group_rules"].as_array().unwrap().len(), 3);
    let default = groups(&cloud, "alice", "?name=default").await;
    assert_eq!(default[0]["security_group_rules"].as_array().unwrap().len(), 5);
    let one = format!("{path}/{}", text(&made["id"]));
    cloud.delete("alice", &one).await.refused(403, "PolicyNotAuthorized");
    assert_eq!(cloud.delete("admin", &one).await.status, 204);
    cloud.get("admin", &one).await.refused(404, "DefaultSecurityGroupRuleNotFound");
}

async fn address_groups_take_and_give_back_addresses(on: Backend) {
    let cloud = Cloud::on(on).await;
    let body =
        json!({"name": "offices", "addresses": ["10.0.0.0/24"], "description": "d".repeat(1024)});
    let offices = cloud.create("alice", "address-groups", "address_group", body).await;
    let path = format!("/v2.0/address-groups/{}", text(&offices["id"]));
    let add = json!({"addresses": ["192.0.2.0/24"]});
    let added = cloud.put("alice", &format!("{path}/add_addresses"), &add).await.expect(200);
    let shown = cloud.get("alice", &path).await.expect(200);
    assert_eq!(shown["address_group"]["addresses"], json!(["10.0.0.0/24", "192.0.2.0/24"]));
    assert_eq!(added["address_group"]["addresses"], shown["address_group"]["addresses"]);
    assert_eq!(added["address_group"]["revision_number"], 2);
    assert_eq!(shown["address_group"]["revision_number"], 2);
    let again = cloud.put("alice", &format!("{path}/add_addresses"), &add).await;
    again.refused(400, "AddressesAlreadyExist");
    let web = group(&cloud, "alice", "web").await;
    let body = json!({
        "security_group_id": web["id"], "direction": "ingress",
        "remote_address_group_id": offices["id"]});
    let used = rule(&cloud, "alice", body).await;
    cloud.delete("alice", &path).await.refused(409, "AddressGroupInUse");
    let remove = format!("{path}/remove_addresses");
    cloud.put("alice", &remove, &add).await.expect(200);
    cloud.put("alice", &remove, &add).await.refused(404, "AddressesNotFound");
    cloud.put("bob", &remove, &add).await.refused(404, "AddressGroupNotFound");
    cloud.put("alice", &remove, &json!({})).await.refused(400, "BadRequest");
    let body = json!({"address_group": {"addresses": []}});
    cloud.put("alice", &path, &body).await.refused(400, "HTTPBadRequest");
    let of_rule = format!("/v2.0/security-group-rules/{}", text(&used["id"]));
    assert_eq!(cloud.delete("alice", &of_rule).await.status, 204);
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
}

async fn another_projects_group_is_404_everywhere(on: Backend) {
    let cloud = Cloud::on(on).await;
    let web = group(&cloud, "alice", "web").await;
    let own = group(&cloud, "bob", "own").await;
    let ssh = rule(
        &cloud,
        "alice",
        json!({"security_group_id": web["id"], "direction": "ingress", "protocol": "tcp"}),
    )
    .await;
    let path = format!("/v2.0/security-groups/{}", text(&web["id"]));
    cloud.get("bob", &path).await.refused(404, "SecurityGroupNotFound");
    cloud.delete("bob", &path).await.refused(404, "SecurityGroupNotFound");
    let renamed = json!({"security_group": {"name": "mine"}});
    cloud.put("bob", &path, &renamed).await.refused(404, "SecurityGroupNotFound");
    let path = format!("/v2.0/security-group-rules/{}", text(&ssh["id"]));
    cloud.get("bob", &path).await.refused(404, "SecurityGroupRuleNotFound");
    cloud.delete("bob", &path).await.refused(404, "SecurityGroupRuleNotFound");
    for body in [
        json!({"security_group_id": web["id"], "direction": "egress"}),
        json!({"security_group_id": own["id"], "direction": "ingress", "remote_group_id": web["id"]}),
    ] {
        let body = json!({ "security_group_rule": body });
        let answer = cloud.post("bob", "/v2.0/security-group-rules", &body).await;
        answer.refused(404, "SecurityGroupNotFound");
    }
    let network = network(&cloud, "bob").await;
    let body = json!({"port": {"network_id": network["id"], "security_groups": [web["id"]]}});
    cloud.post("bob", "/v2.0/ports", &body).await.refused(404, "SecurityGroupNotFound");
}
