//! Flavors, service profiles and providers at the API.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_flavor_gets_and_loses_profiles,
    projects_see_flavors_and_administrators_make_them,
    a_router_is_of_a_flavor_that_works,
}

const DRIVER: &str = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver";

async fn flavor(cloud: &Cloud, attributes: Value) -> (Value, String) {
    let flavor = cloud.create("admin", "flavors", "flavor", attributes).await;
    let path = format!("/v2.0/flavors/{}", text(&flavor["id"]));
    (flavor, path)
}

async fn profile(cloud: &Cloud, attributes: Value) -> Value {
    cloud.create("admin", "service_profiles", "service_profile", attributes).await
}

async fn a_flavor_gets_and_loses_profiles(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (flavor, path) =
        flavor(&cloud, json!({"name": "f", "service_type": "L3_ROUTER_NAT"})).await;
    assert_eq!(flavor["service_profiles"], json!([]));
    let next = format!("{path}/next_provider");
    cloud.get("admin", &next).await.refused(503, "ServiceProfileDisabled");
    let made = profile(&cloud, json!({"driver": DRIVER, "metainfo": {"a": [1]}})).await;
    assert_eq!(made["metainfo"], json!({"a": [1]}));
    let profiles = format!("{path}/service_profiles");
    let body = json!({"service_profile": {"id": made["id"]}});
    let answer = cloud.post("admin", &profiles, &body).await.expect(201);
    assert_eq!(answer, body);
    cloud.post("admin", &profiles, &body).await.refused(409, "FlavorServiceProfileBindingExists");
    let unknown = json!({"service_profile": {"id": flavor["id"]}});
    cloud.post("admin", &profiles, &unknown).await.refused(404, "ServiceProfileNotFound");
    let shown = cloud.get("alice", &path).await.expect(200);
    assert_eq!(shown["flavor"]["service_profiles"], json!([made["id"]]));
    let provider = cloud.get("admin", &next).await.expect(200);
    assert_eq!(
        provider["next_providers"],
        json!([{"provider": "single_node", "driver": DRIVER, "metainfo": {"a": [1]}}])
    );
    let of_profile = format!("/v2.0/service_profiles/{}", text(&made["id"]));
    cloud.delete("admin", &of_profile).await.refused(409, "ServiceProfileInUse");
    let binding = format!("{profiles}/{}", text(&made["id"]));
    cloud.delete("admin", &binding).await.expect(204);
    cloud.delete("admin", &binding).await.refused(404, "FlavorServiceProfileBindingNotFound");
    cloud.delete("admin", &of_profile).await.expect(204);
    cloud.delete("admin", &path).await.expect(204);
}

async fn projects_see_flavors_and_administrators_make_them(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (_, path) = flavor(&cloud, json!({"service_type": "QOS"})).await;
    cloud.get("alice", &path).await.expect(200);
    cloud.delete("alice", &path).await.refused(403, "PolicyNotAuthorized");
    let rename = json!({"flavor": {"name": "x"}});
    cloud.put("alice", &path, &rename).await.refused(403, "PolicyNotAuthorized");
    let profiles = format!("{path}/service_profiles");
    let body = json!({"service_profile": {"id": "x"}});
    cloud.post("alice", &profiles, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("alice", &format!("{profiles}/x")).await.refused(403, "PolicyNotAuthorized");
    cloud.post("admin", &profiles, &body).await.refused(400, "HTTPBadRequest");
    let wrong = json!({"flavor": {"service_type": "TEA"}});
    cloud.post("admin", "/v2.0/flavors", &wrong).await.refused(400, "HTTPBadRequest");
    let profile = json!({"service_profile": {"driver": DRIVER}});
    let made = cloud.post("alice", "/v2.0/service_profiles", &profile).await;
    made.refused(403, "PolicyNotAuthorized");
    for (attributes, status, refused) in [
        (json!({}), 400, "ServiceProfileEmpty"),
        (json!({"driver": "no.such"}), 404, "ServiceProfileDriverNotFound"),
    ] {
        let body = json!({ "service_profile": attributes });
        cloud.post("admin", "/v2.0/service_profiles", &body).await.refused(status, refused);
    }
    let providers = cloud.get("alice", "/v2.0/service_providers").await.expect(200);
    let provider = |name: &str| {
        let default = name == "single_node";
        json!({"service_type": "L3_ROUTER_NAT", "name": name, "default": default})
    };
    let all = ["dvr", "dvrha", "ha", "single_node"].map(provider);
    assert_eq!(providers["service_providers"], json!(all));
    for (query, count) in
        [("service_type=QOS", 0), ("name=dvr&name=ha", 2), ("default=True&fields=name", 1)]
    {
        let found = cloud.get("alice", &format!("/v2.0/service_providers?{query}")).await;
        let found = found.expect(200);
        assert_eq!(found["service_providers"].as_array().unwrap().len(), count);
    }
}

async fn a_router_is_of_a_flavor_that_works(on: Backend) {
    let cloud = Cloud::on(on).await;
    let router = |flavor: &Value| json!({"router": {"flavor_id": flavor["id"]}});
    let works = profile(&cloud, json!({"driver": DRIVER})).await;
    let routing = json!({"service_type": "L3_ROUTER_NAT", "service_profiles": [works["id"]]});
    let (flavor, path) = self::flavor(&cloud, routing).await;
    let (other, _) = self::flavor(&cloud, json!({"service_type": "QOS"})).await;
    let (empty, _) = self::flavor(&cloud, json!({"service_type": "L3_ROUTER_NAT"})).await;
    let routers = "/v2.0/routers";
    let refused = [
        (&other, 400, "InvalidFlavorServiceType"),
        (&empty, 503, "ServiceProfileDisabled"),
        (&works, 404, "FlavorNotFound"),
    ];
    for (flavor, status, name) in refused {
        cloud.post("alice", routers, &router(flavor)).await.refused(status, name);
    }
    let made = cloud.post("alice", routers, &router(&flavor)).await.expect(201);
    assert_eq!(made["router"]["flavor_id"], flavor["id"]);
    cloud.delete("admin", &path).await.refused(409, "FlavorInUse");
    let disabled = json!({"flavor": {"enabled": false}});
    cloud.put("admin", &path, &disabled).await.expect(200);
    cloud.post("alice", routers, &router(&flavor)).await.refused(503, "FlavorDisabled");
    let router = format!("{routers}/{}", text(&made["router"]["id"]));
    cloud.delete("alice", &router).await.expect(204);
    cloud.delete("admin", &path).await.expect(204);
}
