//! Conntrack helpers over HTTP.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_router_shows_the_helpers_that_it_has,
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
