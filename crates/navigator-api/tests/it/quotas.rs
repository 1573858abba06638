//! Quotas: who sees and sets them, and that no way of creating leads past them.

use futures::future::join_all;
use navigator_resources::{Quotas, Settings};
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    limits_are_set_shown_and_reset,
    details_say_what_is_used,
    only_the_administrator_sets_limits,
    everybody_sees_the_own_projects_quota,
    a_limit_below_the_usage_has_to_be_forced,
    creations_that_meet_never_exceed_the_quota,
    bulk_is_all_or_nothing,
    a_bulk_beyond_its_quota_is_refused_before_anything_is_decided,
    what_others_make_is_counted_but_not_refused,
    each_project_has_its_own,
    each_router_has_so_many_routes,
}

/// The id of a user's project.
async fn project(cloud: &Cloud, user: &str) -> String {
    let body = cloud.get(user, "/v2.0/quotas/project").await.expect(200);
    text(&body["project"]["project_id"]).to_owned()
}

async fn limit(cloud: &Cloud, user: &str, limits: Value) -> String {
    let project = project(cloud, user).await;
    let body = json!({ "quota": limits });
    cloud.put("admin", &format!("/v2.0/quotas/{project}"), &body).await.expect(200);
    project
}

async fn count(cloud: &Cloud, collection: &str) -> usize {
    let body = cloud.get("admin", &format!("/v2.0/{collection}?fields=id")).await.expect(200);
    body[collection].as_array().unwrap().len()
}

async fn limits_are_set_shown_and_reset(on: Backend) {
    let cloud = Cloud::on(on).await;
    let project = project(&cloud, "alice").await;
    let path = format!("/v2.0/quotas/{project}");
    let shown = cloud.get("admin", &path).await.expect(200);
    assert_eq!(shown["quota"]["network"], 100);
    assert_eq!(shown["quota"]["port"], 500);
    assert_eq!(shown["quota"]["router_gateway_port_forwarding"], -1);
    assert_eq!(shown["quota"].get("agent"), None);
    assert_eq!(cloud.get("admin", "/v2.0/quotas").await.expect(200), json!({"quotas": []}));

    let body = json!({"quota": {"network": 3, "port": "-1", "tenant_id": project}});
    let set = cloud.put("admin", &path, &body).await.expect(200);
    assert_eq!((&set["quota"]["network"], &set["quota"]["port"]), (&json!(3), &json!(-1)));
    assert_eq!(set["quota"]["subnet"], 100);
    assert_eq!(cloud.get("admin", &path).await.expect(200), set);
    let defaults = cloud.get("admin", &format!("{path}/default")).await.expect(200);
    assert_eq!(defaults, shown);
    let listed = cloud.get("admin", "/v2.0/quotas").await.expect(200);
    let [only] = listed["quotas"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((text(&only["project_id"]), &only["network"]), (project.as_str(), &json!(3)));

    for wrong in [json!({"network": -2}), json!({"networks": 1}), json!({"network": "many"})] {
        cloud.put("admin", &path, &json!({ "quota": wrong })).await.refused(400, "HTTPBadRequest");
    }
    assert_eq!(cloud.get("admin", &path).await.expect(200), set);

    assert_eq!(cloud.delete("admin", &path).await.status, 204);
    assert_eq!(cloud.get("admin", &path).await.expect(200), shown);
    cloud.delete("admin", &path).await.refused(404, "TenantQuotaNotFound");
    cloud.post("admin", "/v2.0/quotas", &json!({})).await.refused(405, "HTTPMethodNotAllowed");
}

async fn details_say_what_is_used(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.site().await;
    let project = project(&cloud, "alice").await;
    let path = format!("/v2.0/quotas/{project}/details");
    let details = cloud.get("admin", &path).await.expect(200);
    let of = |name: &str| details["quota"][name].clone();
    assert_eq!(of("network"), json!({"limit": 100, "used": 1, "reserved": 0}));
    assert_eq!(of("router"), json!({"limit": 10, "used": 1, "reserved": 0}));
    // Her own and the router's on her network; the gateway is nobody's.
    assert_eq!(of("port")["used"], 2);
    assert_eq!(of("floatingip_port_forwarding"), json!({"limit": -1, "used": 0, "reserved": 0}));
}

async fn only_the_administrator_sets_limits(on: Backend) {
    let cloud = Cloud::on(on).await;
    let project = project(&cloud, "alice").await;
    let path = format!("/v2.0/quotas/{project}");
    let body = json!({"quota": {"network": 1000}});
    for user in ["alice", "bob"] {
        cloud.put(user, &path, &body).await.refused(403, "PolicyNotAuthorized");
        cloud.delete(user, &path).await.refused(403, "PolicyNotAuthorized");
        cloud.get(user, "/v2.0/quotas").await.refused(403, "PolicyNotAuthorized");
    }
    for path in [path.clone(), format!("{path}/default"), format!("{path}/details")] {
        cloud.get("bob", &path).await.refused(403, "PolicyNotAuthorized");
        assert_eq!(cloud.get("nobody", &path).await.status, 401);
    }
}

/// Nova asks for it with the token of whoever wants a server, before it makes one.
async fn everybody_sees_the_own_projects_quota(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (own, other) = (project(&cloud, "alice").await, project(&cloud, "bob").await);
    for more in ["", "/default", "/details"] {
        let path = |project: &str| format!("/v2.0/quotas/{project}{more}");
        let quota = cloud.get("alice", &path(&own)).await.expect(200);
        assert!(quota["quota"].get("port").is_some(), "{quota}");
        cloud.get("alice", &path(&other)).await.refused(403, "PolicyNotAuthorized");
    }
}

async fn a_limit_below_the_usage_has_to_be_forced(on: Backend) {
    let cloud = Cloud::on(on).await;
    let path = format!("/v2.0/quotas/{}", project(&cloud, "alice").await);
    for _ in 0..3 {
        cloud.create("alice", "networks", "network", json!({})).await;
    }
    let put = async |limits: Value| cloud.put("admin", &path, &json!({ "quota": limits })).await;
    for more in [json!({}), json!({"check_limit": false}), json!({"force": false})] {
        let mut limits = json!({"network": 2});
        limits.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        put(limits).await.refused(400, "HTTPBadRequest");
    }
    assert_eq!(cloud.get("admin", &path).await.expect(200)["quota"]["network"], 100);
    put(json!({"network": 3, "check_limit": true})).await.expect(200);
    put(json!({"network": -1, "check_limit": true})).await.expect(200);
    put(json!({"network": 2, "force": true})).await.expect(200);
    cloud.post("alice", "/v2.0/networks", &json!({"network": {}})).await.refused(409, "OverQuota");
}

async fn creations_that_meet_never_exceed_the_quota(on: Backend) {
    const WORKERS: usize = 8;
    let cloud = Cloud::on(on).await;
    limit(&cloud, "alice", json!({"network": 50})).await;
    let some: Vec<_> = (0..49).map(|_| json!({})).collect();
    cloud.post("alice", "/v2.0/networks", &json!({"networks": some})).await.expect(201);
    let worker = async || {
        let mut created = 0;
        for _ in 0..200 / WORKERS {
            let answer = cloud.post("alice", "/v2.0/networks", &json!({"network": {}})).await;
            if answer.status == 201 {
                created += 1;
                continue;
            }
            answer.refused(409, "OverQuota");
            assert_eq!(answer.message(), "Quota exceeded for resources: ['network'].");
        }
        created
    };
    let created: usize = join_all((0..WORKERS).map(|_| worker())).await.into_iter().sum();
    assert_eq!((created, count(&cloud, "networks").await), (1, 50));
}

async fn bulk_is_all_or_nothing(on: Backend) {
    let cloud = Cloud::on(on).await;
    limit(&cloud, "alice", json!({"network": 60})).await;
    let of = |count: usize| json!({"networks": vec![json!({}); count]});
    cloud.post("alice", "/v2.0/networks", &of(10)).await.expect(201);
    cloud.post("alice", "/v2.0/networks", &of(100)).await.refused(409, "OverQuota");
    assert_eq!(count(&cloud, "networks").await, 10);
    // Several that each fit, of which only two fit together.
    let body = of(20);
    let answers = join_all((0..5).map(|_| cloud.post("alice", "/v2.0/networks", &body))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((created, count(&cloud, "networks").await), (2, 50));
}

async fn a_bulk_beyond_its_quota_is_refused_before_anything_is_decided(on: Backend) {
    let cloud = Cloud::on(on).await;
    limit(&cloud, "admin", json!({"network": 2})).await;
    let nowhere = json!({"provider:network_type": "flat", "provider:physical_network": "nowhere"});
    let bulk = |good: usize| {
        let mut networks = vec![nowhere.clone()];
        networks.resize(1 + good, json!({}));
        json!({ "networks": networks })
    };
    // The first one is refused for what it is, unless there are too many.
    let answer = cloud.post("admin", "/v2.0/networks", &bulk(1)).await;
    assert_ne!(answer.error_type(), "OverQuota", "{}", answer.body);
    cloud.post("admin", "/v2.0/networks", &bulk(2)).await.refused(409, "OverQuota");
    cloud.post("admin", "/v2.0/networks", &json!({"network": {}})).await.expect(201);
    cloud.post("admin", "/v2.0/networks", &bulk(1)).await.refused(409, "OverQuota");
    assert_eq!(count(&cloud, "networks").await, 1);
}

async fn what_others_make_is_counted_but_not_refused(on: Backend) {
    let cloud = Cloud::on(on).await;
    limit(&cloud, "alice", json!({"port": 1, "floatingip": 1})).await;
    // The router's port on her network is made although the quota leaves no room for another.
    let site = cloud.edge().await;
    let body = json!({"port": {"network_id": site.network["id"]}});
    cloud.post("alice", "/v2.0/ports", &body).await.refused(409, "OverQuota");
    let body = json!({"floatingip": {"floating_network_id": site.external["id"]}});
    cloud.post("alice", "/v2.0/floatingips", &body).await.expect(201);
    cloud.post("alice", "/v2.0/floatingips", &body).await.refused(409, "OverQuota");
}

async fn each_project_has_its_own(on: Backend) {
    let quotas = Quotas { limits: [("network".to_owned(), 2)].into(), default: 0 };
    let settings = Settings { quotas, ..Settings::default() };
    let cloud = Cloud::with(on, settings).await;
    let alice = limit(&cloud, "alice", json!({"network": 1})).await;
    let bob = project(&cloud, "bob").await;
    let of = |project: &str| json!({ "project_id": project });
    let over = json!({"networks": [of(&bob), of(&alice), of(&bob), of(&alice)]});
    cloud.post("admin", "/v2.0/networks", &over).await.refused(409, "OverQuota");
    let both = json!({"networks": [of(&bob), of(&alice), of(&bob)]});
    cloud.post("admin", "/v2.0/networks", &both).await.expect(201);
    cloud.post("bob", "/v2.0/networks", &json!({"network": {}})).await.refused(409, "OverQuota");
    let path = "/v2.0/routers";
    cloud.post("bob", path, &json!({"router": {}})).await.refused(409, "OverQuota");
    // Room again once one is gone.
    let listed = cloud.get("bob", "/v2.0/networks").await.expect(200);
    let gone = format!("/v2.0/networks/{}", text(&listed["networks"][0]["id"]));
    assert_eq!(cloud.delete("bob", &gone).await.status, 204);
    cloud.post("bob", "/v2.0/networks", &json!({"network": {}})).await.expect(201);
}

async fn each_router_has_so_many_routes(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16",
        "enable_dhcp": false});
    let subnet = cloud.create("alice", "subnets", "subnet", subnet).await;
    let router = cloud.create("alice", "routers", "router", json!({})).await;
    let path = format!("/v2.0/routers/{}", text(&router["id"]));
    let interface = json!({"subnet_id": subnet["id"]});
    cloud.put("alice", &format!("{path}/add_router_interface"), &interface).await.expect(200);
    let routes = |count: usize| {
        let route = |n| json!({"destination": format!("10.{n}.0.0/16"), "nexthop": "10.0.0.5"});
        json!({"router": {"routes": (1..=count).map(route).collect::<Vec<_>>()}})
    };
    let project = limit(&cloud, "alice", json!({"router_route": 2})).await;
    cloud.put("alice", &path, &routes(2)).await.expect(200);
    cloud.put("alice", &path, &routes(3)).await.refused(400, "RoutesExhausted");
    limit(&cloud, "alice", json!({"router_route": -1})).await;
    cloud.put("alice", &path, &routes(40)).await.expect(200);
    let quota = format!("/v2.0/quotas/{project}");
    assert_eq!(cloud.delete("admin", &quota).await.status, 204);
    let shown = cloud.get("admin", &quota).await.expect(200);
    assert_eq!(shown["quota"]["router_route"], 30);
    cloud.put("alice", &path, &routes(41)).await.refused(400, "RoutesExhausted");
}
