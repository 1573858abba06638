//! Logs over HTTP.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    groups_ports_and_routers_can_be_logged,
    what_another_project_has_cannot_be_logged,
    a_log_goes_with_its_group,
}

fn log(attributes: Value) -> Value {
    json!({ "log": attributes })
}

const LOGS: &str = "/v2.0/log/logs";

async fn group(cloud: &Cloud, user: &str) -> Value {
    cloud.create(user, "security-groups", "security_group", json!({"name": "web"})).await
}

async fn groups_ports_and_routers_can_be_logged(on: Backend) {
    let cloud = Cloud::on(on).await;
    let kinds = cloud.get("admin", "/v2.0/log/loggable-resources").await.expect(200);
    assert_eq!(
        kinds,
        json!({"loggable_resources": [{"type": "security_group"}, {"type": "snat"}]})
    );
    let site = cloud.site().await;
    let group = group(&cloud, "alice").await;
    let all = log(json!({"resource_type": "security_group"}));
    cloud.post("admin", LOGS, &all).await.expect(201);
    let dropped = log(json!({
        "name": "dropped", "resource_type": "security_group", "event": "DROP",
        "target_id": site.port["id"]}));
    let made = cloud.post("admin", LOGS, &dropped).await.expect(201)["log"].take();
    assert_eq!((&made["enabled"], &made["resource_id"]), (&json!(true), &Value::Null));
    let snat = log(json!({"resource_type": "snat", "resource_id": site.router["id"]}));
    cloud.post("admin", LOGS, &snat).await.expect(201);
    let nothing = "00000000-0000-0000-0000-00000000dead";
    for (attributes, status, error) in [
        (json!({"resource_type": "weather"}), 400, "InvalidLogResourceType"),
        (json!({"resource_type": "snat"}), 400, "ResourceIdNotSpecified"),
        (json!({"resource_type": "snat", "resource_id": group["id"]}), 404, "ResourceNotFound"),
        (
            json!({"resource_type": "security_group", "resource_id": nothing}),
            404,
            "ResourceNotFound",
        ),
        (
            json!({"resource_type": "security_group", "target_id": nothing}),
            404,
            "TargetResourceNotFound",
        ),
        (
            json!({"resource_type": "security_group", "resource_id": group["id"],
                   "target_id": site.port["id"]}),
            400,
            "InvalidResourceConstraint",
        ),
        (json!({"resource_type": "security_group", "event": "drop"}), 400, "HTTPBadRequest"),
    ] {
        cloud.post("admin", LOGS, &log(attributes)).await.refused(status, error);
    }
    let path = format!("{LOGS}/{}", text(&made["id"]));
    let off = log(json!({"enabled": false, "description": "enough"}));
    let off = cloud.put("admin", &path, &off).await.expect(200);
    assert_eq!((&off["log"]["enabled"], &off["log"]["event"]), (&json!(false), &json!("DROP")));
    let other = log(json!({"event": "ALL"}));
    cloud.put("admin", &path, &other).await.refused(400, "HTTPBadRequest");
    let found = cloud.get("admin", &format!("{LOGS}?enabled=false")).await.expect(200);
    assert_eq!(found["logs"].as_array().unwrap().len(), 1);
    assert_eq!(cloud.delete("admin", &path).await.status, 204);
    cloud.get("admin", &path).await.refused(404, "LogResourceNotFound");
}

/// The attribution of what is logged is the owner's (LP 2110087).
async fn what_another_project_has_cannot_be_logged(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let group = group(&cloud, "alice").await;
    let mut made = Vec::new();
    for attributes in [
        json!({"resource_type": "security_group", "resource_id": group["id"]}),
        json!({"resource_type": "security_group", "target_id": site.port["id"]}),
        json!({"resource_type": "snat", "resource_id": site.router["id"]}),
    ] {
        let answer = cloud.post("bob", LOGS, &log(attributes)).await;
        assert!([403, 404].contains(&answer.status), "{}", answer.body);
        made.push(answer.status);
    }
    assert_eq!(made.len(), 3);
    assert_eq!(cloud.get("admin", LOGS).await.expect(200)["logs"], json!([]));
}

async fn a_log_goes_with_its_group(on: Backend) {
    let cloud = Cloud::on(on).await;
    let group = group(&cloud, "alice").await;
    let body = log(json!({"resource_type": "security_group", "resource_id": group["id"]}));
    let made = cloud.post("admin", LOGS, &body).await.expect(201);
    let other = log(json!({"resource_type": "security_group"}));
    cloud.post("admin", LOGS, &other).await.expect(201);
    let path = format!("/v2.0/security-groups/{}", text(&group["id"]));
    cloud.delete("alice", &path).await.expect(204);
    let gone = format!("{LOGS}/{}", text(&made["log"]["id"]));
    assert_eq!(cloud.get("admin", &gone).await.status, 404);
    let left = cloud.get("admin", LOGS).await.expect(200);
    assert_eq!(left["logs"].as_array().map(Vec::len), Some(1));
}
