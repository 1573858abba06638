//! Single requests: bulk, If-Match, size limits, ownership, names of attributes.

use axum::body::Body;
use navigator_resources::{Quotas, Settings};
use serde_json::json;

use crate::cloud::{Backend, Cloud, request, text};

#[tokio::test]
async fn bulk_creation_is_all_or_nothing() {
    let cloud = Cloud::new().await;
    let good = json!({"networks": [{"name": "a"}, {"name": "b"}]});
    let answer = cloud.post("alice", "/v2.0/networks", &good).await.expect(201);
    assert_eq!(answer["networks"].as_array().unwrap().len(), 2);
    assert_eq!(answer["networks"][0]["name"], "a");
    // The second one is refused by a rule, after the first was written.
    let id = text(&answer["networks"][0]["id"]).to_owned();
    let subnets = json!({"subnets": [
        {"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/24"},
        {"network_id": id, "ip_version": 4, "cidr": "10.0.0.128/25"},
    ]});
    assert_eq!(cloud.post("alice", "/v2.0/subnets", &subnets).await.status, 400);
    let left = cloud.get("alice", "/v2.0/subnets").await.expect(200);
    assert_eq!(left["subnets"], json!([]));
}

/// As clients of Neutron do it for ports and security groups.
#[tokio::test]
async fn each_of_many_may_be_wrapped_in_its_name() {
    let cloud = Cloud::new().await;
    let wrapped = json!({"security_groups": [
        {"security_group": {"name": "a"}}, {"security_group": {"name": "b"}}]});
    let made = cloud.post("alice", "/v2.0/security-groups", &wrapped).await.expect(201);
    let groups = made["security_groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|it| text(&it["name"])).collect::<Vec<_>>(), ["a", "b"]);
    let more = json!({"networks": [{"network": {"name": "a"}, "name": "b"}]});
    cloud.post("alice", "/v2.0/networks", &more).await.refused(400, "HTTPBadRequest");
}

#[tokio::test]
async fn a_wrong_body_is_400_whoever_sends_it_and_about_whatever() {
    let cloud = Cloud::new().await;
    let flavor = |name: &str| json!({"flavor": {"name": name, "service_type": "L3_ROUTER_NAT"}});
    let long = flavor(&"x".repeat(256));
    cloud.post("bob", "/v2.0/flavors", &long).await.refused(400, "HTTPBadRequest");
    cloud.post("bob", "/v2.0/flavors", &flavor("x")).await.refused(403, "PolicyNotAuthorized");
    let nothing = "/v2.0/subnetpools/00000000-0000-0000-0000-00000000dead";
    let fixed = json!({"subnetpool": {"shared": true}});
    cloud.put("bob", nothing, &fixed).await.refused(400, "HTTPBadRequest");
    let name = json!({"subnetpool": {"name": "x"}});
    cloud.put("bob", nothing, &name).await.refused(404, "SubnetPoolNotFound");
}

#[tokio::test]
async fn an_object_of_another_project_is_404_everywhere() {
    let cloud = Cloud::new().await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let forwarding =
        cloud.post("alice", &site.forwardings(), &site.forwarding(8080)).await.expect(201);
    let forwarding = text(&forwarding["gateway_port_forwarding"]["id"]).to_owned();
    let mine = [
        ("network", format!("/v2.0/networks/{}", text(&site.network["id"]))),
        ("subnet", format!("/v2.0/subnets/{}", text(&site.subnet["id"]))),
        ("port", format!("/v2.0/ports/{}", text(&site.port["id"]))),
        ("router", format!("/v2.0/routers/{}", text(&site.router["id"]))),
        ("gateway_port_forwarding", format!("{}/{forwarding}", site.forwardings())),
    ];
    for (name, path) in &mine {
        for method in ["GET", "PUT", "DELETE"] {
            let body = json!({ *name: {"description": "mine now"} }).to_string().into_bytes();
            let answer = cloud.raw("bob", method, path, body).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        }
        let still = cloud.get("alice", path).await.expect(200);
        assert_eq!(still[name]["description"], "");
    }
    let seen = cloud.get("bob", "/v2.0/networks").await.expect(200);
    let names: Vec<_> =
        seen["networks"].as_array().unwrap().iter().map(|n| n["name"].clone()).collect();
    assert_eq!(names, ["public"], "only the external network is everybody's to see");
}

#[tokio::test]
async fn what_is_shown_but_not_owned_is_403_to_change() {
    let cloud = Cloud::new().await;
    let site = cloud.site().await;
    let path = format!("/v2.0/networks/{}", text(&site.external["id"]));
    let body = json!({"network": {"name": "mine"}});
    cloud.put("bob", &path, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("bob", &path).await.refused(403, "PolicyNotAuthorized");
}

#[tokio::test]
async fn an_attribute_for_administrators_is_refused_even_when_it_is_reset_to_its_default() {
    let cloud = Cloud::new().await;
    let site = cloud.site().await;
    let path = format!("/v2.0/networks/{}", text(&site.network["id"]));
    for attribute in ["shared", "router:external"] {
        for value in [true, false] {
            let body = json!({"network": { attribute: value }});
            cloud.put("alice", &path, &body).await.refused(403, "PolicyNotAuthorized");
        }
        let body = json!({"network": { attribute: true }});
        cloud.post("alice", "/v2.0/networks", &body).await.refused(403, "PolicyNotAuthorized");
        let body = json!({"network": { attribute: false }});
        cloud.post("alice", "/v2.0/networks", &body).await.expect(201);
    }
    let shown = cloud.get("alice", &path).await.expect(200);
    assert!(shown["network"].get("provider:network_type").is_none());
    let shown = cloud.get("admin", &path).await.expect(200);
    assert!(shown["network"]["provider:network_type"].is_string());
}

#[tokio::test]
async fn if_match_lets_one_of_two_writers_win() {
    let cloud = Cloud::new().await;
    let site = cloud.site().await;
    let path = format!("/v2.0/networks/{}", text(&site.network["id"]));
    let revision =
        cloud.get("alice", &path).await.expect(200)["network"]["revision_number"].clone();
    let put = async |condition: String| {
        let request = request("alice", "PUT", &path)
            .header("if-match", condition)
            .body(Body::from(json!({"network": {"name": "renamed"}}).to_string()))
            .unwrap();
        cloud.send(request).await
    };
    put(format!("revision_number={revision}")).await.expect(200);
    put(format!("revision_number={revision}")).await.refused(412, "RevisionNumberConstraintFailed");
    assert_eq!(put("revision_number=x".to_owned()).await.status, 400);
    assert_eq!(put("etag".to_owned()).await.status, 400);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_413() {
    let cloud = Cloud::new().await;
    let body = json!({"network": {"name": "x".repeat(2 << 20)}}).to_string().into_bytes();
    assert_eq!(cloud.raw("alice", "POST", "/v2.0/networks", body).await.status, 413);
}

#[tokio::test]
async fn a_change_raises_the_revision_and_an_unchanged_put_does_not() {
    let cloud = Cloud::new().await;
    let site = cloud.site().await;
    let path = format!("/v2.0/networks/{}", text(&site.network["id"]));
    let revision = async || {
        cloud.get("alice", &path).await.expect(200)["network"]["revision_number"].as_i64().unwrap()
    };
    let before = revision().await;
    let same = json!({"network": {"name": "private"}});
    cloud.put("alice", &path, &same).await.expect(200);
    assert_eq!(revision().await, before);
    let other = json!({"network": {"name": "other"}});
    cloud.put("alice", &path, &other).await.expect(200);
    assert_eq!(revision().await, before + 1);
}

#[tokio::test]
async fn another_project_may_only_be_named_by_an_administrator() {
    let cloud = Cloud::new().await;
    let body = json!({"network": {"name": "x", "project_id": "other"}});
    cloud.post("alice", "/v2.0/networks", &body).await.refused(400, "HTTPBadRequest");
    let made = cloud.post("admin", "/v2.0/networks", &body).await.expect(201);
    assert_eq!(made["network"]["project_id"], "other");
    assert_eq!(made["network"]["tenant_id"], "other");
    let both = json!({"network": {"tenant_id": "a", "project_id": "b"}});
    assert_eq!(cloud.post("admin", "/v2.0/networks", &both).await.status, 400);
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let cloud = Cloud::new().await;
    for path in ["/", "/v2.0/networks", "/nothing"] {
        let answer = cloud.get("alice", path).await;
        let id = answer.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
        assert!(id.starts_with("req-") && id.len() == 40, "{id}");
    }
}

#[tokio::test]
async fn ten_thousand_objects_are_made_at_once_and_shown_in_order() {
    const COUNT: usize = 10_000;
    let quotas = Quotas { limits: [].into(), ..Quotas::default() };
    let settings = Settings { quotas, ..Settings::default() };
    let cloud = Cloud::with(Backend::Sqlite, settings).await;
    let networks: Vec<_> = (0..COUNT).map(|n| json!({"name": n.to_string()})).collect();
    let body = json!({"networks": networks});
    let made = cloud.post("alice", "/v2.0/networks", &body).await.expect(201);
    let made = made["networks"].as_array().unwrap();
    assert_eq!(made.len(), COUNT);
    assert!(made.iter().zip(0..).all(|(network, n)| text(&network["name"]).parse() == Ok(n)));
}
