//! Metering labels and their rules over HTTP.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    labels_count_what_their_rules_say,
    a_label_is_its_projects_alone,
}

const LABELS: &str = "/v2.0/metering/metering-labels";
const RULES: &str = "/v2.0/metering/metering-label-rules";

async fn label(cloud: &Cloud, attributes: Value) -> Value {
    let body = json!({ "metering_label": attributes });
    cloud.post("admin", LABELS, &body).await.expect(201)["metering_label"].take()
}

async fn labels_count_what_their_rules_say(on: Backend) {
    let cloud = Cloud::on(on).await;
    let made = label(&cloud, json!({"name": "web", "description": "d".repeat(1024)})).await;
    assert_eq!((&made["shared"], &made["tenant_id"]), (&json!(false), &made["project_id"]));
    let rule = |more: Value| {
        let mut rule = json!({"metering_label_id": made["id"], "direction": "ingress"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "metering_label_rule": rule })
    };
    let inside = rule(json!({"remote_ip_prefix": "10.0.0.0/16"}));
    let first = cloud.post("admin", RULES, &inside).await.expect(201);
    let first = &first["metering_label_rule"];
    assert_eq!((&first["excluded"], &first["source_ip_prefix"]), (&json!(false), &Value::Null));
    let within = rule(json!({"remote_ip_prefix": "10.0.3.0/24", "excluded": true}));
    cloud.post("admin", RULES, &within).await.refused(409, "MeteringLabelRuleOverlaps");
    let sideways = rule(json!({"remote_ip_prefix": "10.1.0.0/16", "direction": "sideways"}));
    cloud.post("admin", RULES, &sideways).await.refused(400, "HTTPBadRequest");
    let nothing = rule(json!({"metering_label_id": "00000000-0000-0000-0000-00000000dead",
                              "remote_ip_prefix": "10.1.0.0/16"}));
    cloud.post("admin", RULES, &nothing).await.refused(404, "MeteringLabelNotFound");
    let one = format!("{RULES}/{}", text(&first["id"]));
    assert_eq!(cloud.put("admin", &one, &inside).await.status, 405);
    let of_label = format!("{LABELS}/{}", text(&made["id"]));
    assert_eq!(cloud.delete("admin", &of_label).await.status, 204);
    cloud.get("admin", &of_label).await.refused(404, "MeteringLabelNotFound");
    cloud.get("admin", &one).await.refused(404, "MeteringLabelRuleNotFound");
}

async fn a_label_is_its_projects_alone(on: Backend) {
    let cloud = Cloud::on(on).await;
    let own = label(&cloud, json!({"name": "own"})).await;
    label(&cloud, json!({"name": "all", "shared": true})).await;
    let seen = cloud.get("alice", LABELS).await.expect(200);
    let names: Vec<_> =
        seen["metering_labels"].as_array().unwrap().iter().map(|l| &l["name"]).collect();
    assert!(names.is_empty(), "the default rule shows a project its own only: {names:?}");
    let path = format!("{LABELS}/{}", text(&own["id"]));
    cloud.get("alice", &path).await.refused(404, "MeteringLabelNotFound");
    assert!([403, 404].contains(&cloud.delete("alice", &path).await.status));
    cloud.get("admin", &path).await.expect(200);
}
