//! What ports, networks and floating IPs say of themselves beside their addresses.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, HOST, text};

on_both! {
    names_are_kept_and_assigned,
    a_port_says_whether_it_has_addresses,
    the_state_of_the_wire_is_an_administrators,
    objects_are_found_by_id,
}

async fn put(cloud: &Cloud, user: &str, port: &Value, change: Value) -> Value {
    let path = format!("/v2.0/ports/{}", text(&port["id"]));
    cloud.put(user, &path, &json!({ "port": change })).await.expect(200)["port"].take()
}

async fn names_are_kept_and_assigned(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let assignment = |port: &Value| port["dns_assignment"][0].clone();
    let plain = assignment(&site.port);
    let address = text(&site.port["fixed_ips"][0]["ip_address"]).to_owned();
    let host = format!("host-{}", address.replace('.', "-"));
    assert_eq!(
        plain,
        json!({"ip_address": address, "hostname": host, "fqdn": format!("{host}.openstacklocal.")})
    );
    let named = put(&cloud, "alice", &site.port, json!({"dns_name": "Web-1"})).await;
    assert_eq!(named["dns_name"], "web-1");
    assert_eq!(assignment(&named)["hostname"], "web-1");
    assert_eq!(assignment(&named)["fqdn"], "web-1.openstacklocal.");
    let full = json!({"dns_name": "web-2.openstacklocal.", "dns_domain": "example.org."});
    let full = put(&cloud, "alice", &site.port, full).await;
    assert_eq!(assignment(&full)["fqdn"], "web-2.openstacklocal.");
    assert_eq!(full["dns_domain"], "example.org.");
    let off = put(&cloud, "alice", &site.port, json!({"dns_name": ""})).await;
    assert_eq!(assignment(&off), plain);

    let path = format!("/v2.0/ports/{}", text(&site.port["id"]));
    for (change, error) in [
        (json!({"dns_name": "web.elsewhere.org."}), "BadRequest"),
        (json!({"dns_name": "not a name"}), "HTTPBadRequest"),
        (json!({"dns_domain": "example.org"}), "HTTPBadRequest"),
        (json!({"dns_assignment": []}), "HTTPBadRequest"),
    ] {
        cloud.put("alice", &path, &json!({ "port": change })).await.refused(400, error);
    }

    let path = format!("/v2.0/networks/{}", text(&site.network["id"]));
    assert_eq!(cloud.get("alice", &path).await.expect(200)["network"]["dns_domain"], "");
    let body = json!({"network": {"dns_domain": "Example.org."}});
    let network = cloud.put("alice", &path, &body).await.expect(200);
    assert_eq!(network["network"]["dns_domain"], "example.org.");
    let floating_ip = json!({
        "floating_network_id": site.external["id"], "dns_name": "www",
        "dns_domain": "example.org."});
    let made = cloud.create("alice", "floatingips", "floatingip", floating_ip).await;
    assert_eq!((&made["dns_name"], &made["dns_domain"]), (&json!("www"), &json!("example.org.")));
    let path = format!("/v2.0/floatingips/{}", text(&made["id"]));
    let change = json!({"floatingip": {"dns_name": "other"}});
    cloud.put("alice", &path, &change).await.refused(400, "HTTPBadRequest");
}

async fn a_port_says_whether_it_has_addresses(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    assert_eq!(site.port["ip_allocation"], "immediate");
    let bare = json!({"network_id": site.network["id"], "fixed_ips": []});
    let bare = cloud.create("alice", "ports", "port", bare).await;
    assert_eq!((&bare["ip_allocation"], &bare["dns_assignment"]), (&json!("none"), &json!([])));
    let found = cloud.get("alice", "/v2.0/ports?ip_allocation=none").await.expect(200);
    assert_eq!(found["ports"].as_array().unwrap().len(), 1);
    let one = json!({"fixed_ips": [{"subnet_id": site.subnet["id"]}]});
    assert_eq!(put(&cloud, "alice", &bare, one).await["ip_allocation"], "immediate");
    // One that got none because there is no subnet did not ask for that.
    let empty = cloud.create("alice", "networks", "network", json!({})).await;
    let port = json!({"network_id": empty["id"]});
    let port = cloud.create("alice", "ports", "port", port).await;
    assert_eq!((&port["fixed_ips"], &port["ip_allocation"]), (&json!([]), &json!("immediate")));
}

async fn the_state_of_the_wire_is_an_administrators(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    assert_eq!(site.port["data_plane_status"], Value::Null);
    assert_eq!(site.port["propagate_uplink_status"], true);
    let path = format!("/v2.0/ports/{}", text(&site.port["id"]));
    let down = json!({"port": {"data_plane_status": "DOWN"}});
    cloud.put("alice", &path, &down).await.refused(403, "PolicyNotAuthorized");
    let state = |answer: Value| answer["port"]["data_plane_status"].clone();
    assert_eq!(state(cloud.put("admin", &path, &down).await.expect(200)), "DOWN");
    assert_eq!(state(cloud.get("alice", &path).await.expect(200)), "DOWN");
    let unknown = json!({"port": {"data_plane_status": null}});
    assert_eq!(state(cloud.put("admin", &path, &unknown).await.expect(200)), Value::Null);
    let wrong = json!({"port": {"data_plane_status": "ERROR"}});
    cloud.put("admin", &path, &wrong).await.refused(400, "HTTPBadRequest");
    let made = json!({"network_id": site.network["id"], "propagate_uplink_status": false});
    let made = cloud.create("alice", "ports", "port", made).await;
    assert_eq!(made["propagate_uplink_status"], false);
    let change = json!({"port": {"propagate_uplink_status": true}});
    cloud.put("alice", &path, &change).await.refused(400, "HTTPBadRequest");
}

/// Nova and Horizon ask for several by `id=`.
async fn objects_are_found_by_id(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    for (collection, object, other) in [
        ("networks", &site.network, &site.external),
        ("ports", &site.port, &site.port),
        ("subnets", &site.subnet, &site.subnet),
    ] {
        let (id, other) = (text(&object["id"]), text(&other["id"]));
        for (query, count) in [
            (format!("id={id}"), 1),
            (format!("id={id}&id={other}&sort_key=id"), if id == other { 1 } else { 2 }),
            ("id=x".to_owned(), 0),
        ] {
            let answer = cloud.get("alice", &format!("/v2.0/{collection}?{query}")).await;
            let found = answer.expect(200);
            assert_eq!(found[collection].as_array().unwrap().len(), count, "{collection} {query}");
        }
    }
    let agents = cloud.get("admin", &format!("/v2.0/agents?host={HOST}&sort_key=id")).await;
    assert_eq!(agents.expect(200)["agents"].as_array().unwrap().len(), 3);
}
