//! Conntrack helpers over HTTP, and that a router's are reached through that router only.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_router_shows_the_helpers_that_it_has,
    sec_lp_2152109_a_helper_is_found_below_its_own_router_only,
}

fn below(router: &Value) -> String {
    format!("/v2.0/routers/{}/conntrack_helpers", text(&router["id"]))
}

fn ftp(port: u16) -> Value {
    json!({"conntrack_helper": {"protocol": "tcp", "port": port, "helper": "ftp"}})
}

async fn router(cloud: &Cloud, user: &str) -> Value {
    cloud.create(user, "routers", "router", json!({"name": user})).await
}

async fn a_router_shows_the_helpers_that_it_has(on: Backend) {
    let cloud = Cloud::on(on).await;
    let router = router(&cloud, "alice").await;
    assert_eq!(router["conntrack_helpers"], json!([]));
    let path = below(&router);
    let made = cloud.post("alice", &path, &ftp(21)).await.expect(201);
    let made = &made["conntrack_helper"];
    assert!(made.get("project_id").is_none() && made.get("tenant_id").is_none());
    cloud.post("alice", &path, &ftp(21)).await.refused(400, "BadRequest");
    let wrong = json!({"conntrack_helper": {"protocol": "udp", "port": 21, "helper": "ftp"}});
    cloud.post("alice", &path, &wrong).await.refused(400, "InvalidProtocolForHelper");
    let wrong = json!({"conntrack_helper": {"protocol": "tcp", "port": 0, "helper": "ftp"}});
    cloud.post("alice", &path, &wrong).await.refused(400, "HTTPBadRequest");
    let one = format!("{path}/{}", text(&made["id"]));
    let changed = json!({"conntrack_helper": {"port": 2121}});
    let changed = cloud.put("alice", &one, &changed).await.expect(200);
    assert_eq!(changed["conntrack_helper"]["port"], 2121);
    let of_router = format!("/v2.0/routers/{}", text(&router["id"]));
    let shown = cloud.get("alice", &of_router).await.expect(200);
    let helpers = &shown["router"]["conntrack_helpers"];
    assert_eq!((&helpers[0]["port"], &helpers[0]["helper"]), (&json!(2121), &json!("ftp")));
    assert_eq!(shown["router"]["revision_number"], 3);
    let found = cloud.get("alice", &format!("{path}?protocol=tcp&port=2121")).await.expect(200);
    assert_eq!(found["conntrack_helpers"].as_array().unwrap().len(), 1);
    // They go with the router.
    assert_eq!(cloud.delete("alice", &of_router).await.status, 204);
    cloud.get("alice", &one).await.refused(404, "RouterNotFound");
}

async fn sec_lp_2152109_a_helper_is_found_below_its_own_router_only(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (hers, other) = (router(&cloud, "alice").await, router(&cloud, "alice").await);
    let his = router(&cloud, "bob").await;
    let made = cloud.post("alice", &below(&hers), &ftp(21)).await.expect(201);
    let id = text(&made["conntrack_helper"]["id"]).to_owned();
    let change = json!({"conntrack_helper": {"port": 22}});
    for (user, router, class) in [
        // Another router of hers, his own router in the URL, and her router asked for by him.
        ("alice", &other, "ConntrackHelperNotFound"),
        ("bob", &his, "ConntrackHelperNotFound"),
        ("bob", &hers, "RouterNotFound"),
    ] {
        let path = format!("{}/{id}", below(router));
        cloud.get(user, &path).await.refused(404, class);
        cloud.put(user, &path, &change).await.refused(404, class);
        cloud.delete(user, &path).await.refused(404, class);
    }
    cloud.post("bob", &below(&hers), &ftp(2121)).await.refused(404, "RouterNotFound");
    let path = format!("{}/{id}", below(&hers));
    let still = cloud.get("alice", &path).await.expect(200);
    assert_eq!(still["conntrack_helper"]["port"], 21);
    let listed = cloud.get("bob", &below(&his)).await.expect(200);
    assert_eq!(listed["conntrack_helpers"], json!([]));
}
