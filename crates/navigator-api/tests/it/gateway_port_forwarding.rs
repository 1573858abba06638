//! The main job at the API: ports of a router's gateway address.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, Site, text};

on_both! {
    a_forwarding_shows_the_routers_address_and_all_its_attributes,
    each_refusal_has_its_status_and_type,
    a_range_overlaps_whatever_shares_a_port_with_it,
    what_a_forwarding_needs_cannot_be_taken_from_under_it,
    a_forwarding_is_only_reached_through_its_own_router,
    a_put_merges_and_checks_the_whole,
    several_at_once_raise_the_routers_revision_once,
}

async fn site(on: Backend) -> (Cloud, Site) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    (cloud, site)
}

fn with(body: &Value, attribute: &str, value: Value) -> Value {
    let mut body = body.clone();
    body["gateway_port_forwarding"][attribute] = value;
    body
}

async fn a_forwarding_shows_the_routers_address_and_all_its_attributes(on: Backend) {
    let (cloud, site) = site(on).await;
    let made = cloud.post("alice", &site.forwardings(), &site.forwarding(8080)).await.expect(201);
    let made = &made["gateway_port_forwarding"];
    let router = format!("/v2.0/routers/{}", text(&site.router["id"]));
    let router = cloud.get("alice", &router).await.expect(200);
    let gateway = &router["router"]["external_gateway_info"]["external_fixed_ips"][0];
    assert_eq!(made["gw_ip_address"], gateway["ip_address"]);
    assert_eq!(made["external_port"], 8080);
    assert_eq!(made["external_port_range"], "8080:8080");
    assert_eq!(made["protocol"], "tcp");
    assert_eq!(made["status"], "DOWN");
    assert_eq!(made["source_nat"], "auto");
    assert_eq!(made["allowed_cidrs"], json!([]));
    assert_eq!(made["router_id"], site.router["id"]);
    let listed = cloud.get("alice", &site.forwardings()).await.expect(200);
    assert_eq!(listed["gateway_port_forwardings"][0], *made);
}

async fn each_refusal_has_its_status_and_type(on: Backend) {
    let (cloud, site) = site(on).await;
    let good = site.forwarding(8080);
    cloud.post("alice", &site.forwardings(), &good).await.expect(201);
    let exists = (400, "RouterGatewayPortForwardingAlreadyExists");
    let bad = (400, "HTTPBadRequest");
    let unknown = "00000000-0000-0000-0000-00000000dead";
    for (attribute, value, (status, error_type)) in [
        ("protocol", json!("icmp"), bad),
        ("protocol", json!("ipv6-icmp"), bad),
        ("external_port", json!(0), bad),
        ("external_port", json!(65536), bad),
        ("external_port", json!("x"), bad),
        ("internal_port", json!(0), bad),
        ("internal_ip_address", json!("::1"), bad),
        ("internal_ip_address", json!("10.0.0.250"), (400, "InconsistentPortAndIP")),
        ("internal_ip_address", json!("127.0.0.1"), (400, "InconsistentPortAndIP")),
        ("internal_port_id", json!(unknown), (404, "PortNotFound")),
        ("description", json!("same ports"), exists),
    ] {
        let answer =
            cloud.post("alice", &site.forwardings(), &with(&good, attribute, value.clone())).await;
        assert_eq!(
            (answer.status, answer.error_type()),
            (status, error_type),
            "{attribute}={value}: {}",
            answer.body
        );
    }
    let other_port = with(&good, "external_port", json!(8081));
    let answer = cloud.post("alice", &site.forwardings(), &other_port).await;
    answer.refused(400, "RouterGatewayPortForwardingAlreadyExists");
    let left = cloud.get("alice", &site.forwardings()).await.expect(200);
    assert_eq!(left["gateway_port_forwardings"].as_array().unwrap().len(), 1);
}

async fn a_range_overlaps_whatever_shares_a_port_with_it(on: Backend) {
    let (cloud, site) = site(on).await;
    let range = |external: &str, internal: &str| {
        json!({"gateway_port_forwarding": {
            "protocol": "udp",
            "external_port_range": external,
            "internal_port_range": internal,
            "internal_port_id": site.port["id"],
            "internal_ip_address": site.port["fixed_ips"][0]["ip_address"],
        }})
    };
    let path = site.forwardings();
    let made = cloud.post("alice", &path, &range("1000:1999", "1000:1999")).await.expect(201);
    assert_eq!(made["gateway_port_forwarding"]["external_port"], Value::Null);
    for overlapping in ["1999:2500", "1:1000", "1500:1500", "1:65535"] {
        let answer = cloud.post("alice", &path, &range(overlapping, "9")).await;
        answer.refused(400, "RouterGatewayPortForwardingAlreadyExists");
    }
    cloud.post("alice", &path, &range("2000:2001", "5000")).await.expect(201);
    for unequal in ["1:2", "3000:3009"] {
        let answer = cloud.post("alice", &path, &range("3000:3004", unequal)).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
}

async fn what_a_forwarding_needs_cannot_be_taken_from_under_it(on: Backend) {
    let (cloud, site) = site(on).await;
    let made = cloud.post("alice", &site.forwardings(), &site.forwarding(8080)).await.expect(201);
    let router = format!("/v2.0/routers/{}", text(&site.router["id"]));
    let clear = json!({"router": {"external_gateway_info": null}});
    cloud.put("alice", &router, &clear).await.refused(409, "DeletedRouterGatewayWithRGForwarding");
    cloud.delete("alice", &router).await.refused(409, "DeletedRouterWithRGForwarding");
    let subnet = json!({"subnet_id": site.subnet["id"]});
    cloud
        .put("alice", &format!("{router}/remove_router_interface"), &subnet)
        .await
        .refused(409, "RouterInterfaceInUseByPortForwarding");
    // The instance's port may go, and takes the forwarding with it.
    cloud.delete("alice", &format!("/v2.0/ports/{}", text(&site.port["id"]))).await.expect(204);
    let path = format!("{}/{}", site.forwardings(), text(&made["gateway_port_forwarding"]["id"]));
    cloud.get("alice", &path).await.refused(404, "RouterGatewayPortForwardingNotFound");
    cloud.put("alice", &router, &clear).await.expect(200);
    let none = cloud.get("alice", &site.forwardings()).await.expect(200);
    assert_eq!(none["gateway_port_forwardings"], json!([]));
    cloud
        .post("alice", &site.forwardings(), &site.forwarding(8080))
        .await
        .refused(400, "RouterDoesNotHaveGateway");
}

async fn a_forwarding_is_only_reached_through_its_own_router(on: Backend) {
    let (cloud, site) = site(on).await;
    let made = cloud.post("alice", &site.forwardings(), &site.forwarding(8080)).await.expect(201);
    let id = text(&made["gateway_port_forwarding"]["id"]).to_owned();
    let other = cloud.create("alice", "routers", "router", json!({"name": "other"})).await;
    let wrong = format!("/v2.0/routers/{}/gateway_port_forwardings/{id}", text(&other["id"]));
    for method in ["GET", "DELETE"] {
        let answer = cloud.raw("alice", method, &wrong, Vec::new()).await;
        answer.refused(404, "RouterGatewayPortForwardingNotFound");
    }
    let body = json!({"gateway_port_forwarding": {"description": "x"}});
    cloud.put("alice", &wrong, &body).await.refused(404, "RouterGatewayPortForwardingNotFound");
    cloud.get("bob", &site.forwardings()).await.refused(404, "RouterNotFound");
}

async fn a_put_merges_and_checks_the_whole(on: Backend) {
    let (cloud, site) = site(on).await;
    let made = cloud.post("alice", &site.forwardings(), &site.forwarding(8080)).await.expect(201);
    let path = format!("{}/{}", site.forwardings(), text(&made["gateway_port_forwarding"]["id"]));
    let put = async |attributes: Value| {
        cloud.put("alice", &path, &json!({"gateway_port_forwarding": attributes})).await
    };
    let changed =
        put(json!({"external_port": 9090, "allowed_cidrs": ["198.51.100.0/24"]})).await.expect(200);
    assert_eq!(changed["gateway_port_forwarding"]["external_port_range"], "9090:9090");
    assert_eq!(changed["gateway_port_forwarding"]["internal_port"], 8080);
    put(json!({"internal_ip_address": "10.0.0.99"})).await.refused(400, "InconsistentPortAndIP");
    assert_eq!(put(json!({"gw_ip_address": "203.0.113.9"})).await.status, 400);
    assert_eq!(put(json!({"router_id": "x"})).await.status, 400);
    let other =
        cloud.create("alice", "ports", "port", json!({"network_id": site.network["id"]})).await;
    put(json!({"internal_port_id": other["id"]})).await.refused(400, "InconsistentPortAndIP");
    let moved = put(json!({
        "internal_port_id": other["id"],
        "internal_ip_address": other["fixed_ips"][0]["ip_address"],
    }))
    .await
    .expect(200);
    assert_eq!(moved["gateway_port_forwarding"]["internal_port_id"], other["id"]);
    // The old external port is free again.
    cloud.post("alice", &site.forwardings(), &site.forwarding(8080)).await.expect(201);
}

async fn several_at_once_raise_the_routers_revision_once(on: Backend) {
    let (cloud, site) = site(on).await;
    let router = format!("/v2.0/routers/{}", text(&site.router["id"]));
    let revision = async || {
        let router = cloud.get("alice", &router).await.expect(200);
        router["router"]["revision_number"].as_i64().unwrap()
    };
    let before = revision().await;
    let one = |port| site.forwarding(port)["gateway_port_forwarding"].take();
    let several = json!({"gateway_port_forwardings": [one(80), one(81), one(82)]});
    cloud.post("alice", &site.forwardings(), &several).await.expect(201);
    assert_eq!(revision().await, before + 1);
    cloud.post("alice", &site.forwardings(), &site.forwarding(83)).await.expect(201);
    assert_eq!(revision().await, before + 2);
}
