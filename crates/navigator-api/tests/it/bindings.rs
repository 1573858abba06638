//! Bindings of ports, as Nova asks for them when it moves an instance.

use navigator_bus::ControlPlane as _;
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, HOST, text};

on_both! {
    a_live_migration_goes_through,
    bindings_are_named_by_host_below_their_own_port_only,
    bindings_are_not_for_members,
}

const SERVER: &str = "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11";

/// An instance's port on the cloud's host, and its bindings' path.
async fn instance(cloud: &Cloud, network: &Value) -> (Value, String) {
    let port = cloud
        .create(
            "admin",
            "ports",
            "port",
            json!({
                "network_id": network["id"], "device_id": SERVER, "device_owner": "compute:nova",
                "binding:host_id": HOST, "binding:profile": {"a": {"b": [1, null, "c"]}}}),
        )
        .await;
    let path = format!("/v2.0/ports/{}/bindings", text(&port["id"]));
    (port, path)
}

async fn hosts(cloud: &Cloud, path: &str) -> Vec<String> {
    let listed = cloud.get("admin", path).await.expect(200);
    let item = |binding: &Value| format!("{} {}", text(&binding["host"]), text(&binding["status"]));
    let mut hosts: Vec<_> = listed["bindings"].as_array().unwrap().iter().map(item).collect();
    hosts.sort();
    hosts
}

async fn a_live_migration_goes_through(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    cloud.plane.heartbeat(crate::agents::beat("compute-2", "198.51.100.2")).await.unwrap();
    let (port, path) = instance(&cloud, &site.network).await;
    assert_eq!(port["binding:vif_type"], "tap");
    assert_eq!(port["binding:profile"], json!({"a": {"b": [1, null, "c"]}}));
    let binding = json!({"binding": {
        "host": "compute-2", "vnic_type": "normal", "profile": {"migrating_to": "compute-2"}}});
    let made = cloud.post("admin", &path, &binding).await.expect(201);
    let made = &made["binding"];
    assert_eq!((&made["status"], &made["vif_type"]), (&json!("INACTIVE"), &json!("tap")));
    assert_eq!(made["project_id"], port["project_id"]);
    assert!(made.get("id").is_none(), "{made}");
    cloud.post("admin", &path, &binding).await.refused(409, "PortBindingAlreadyExists");
    let own = format!("{path}/compute-2");
    assert_eq!(cloud.get("admin", &own).await.expect(200)["binding"], *made);

    let served = |host: &str| {
        let (plane, host) = (cloud.plane.clone(), navigator_model::HostName::from(host));
        async move {
            let revisions = plane.revisions(&host).await.unwrap();
            revisions.iter().any(|(scope, _)| scope.to_string().starts_with("network/"))
        }
    };
    assert!(served("compute-2").await, "the destination wires the device before it arrives");

    // Nova sends no body.
    let activate = format!("{own}/activate");
    let activated = cloud.raw("admin", "PUT", &activate, Vec::new()).await.expect(200);
    assert_eq!((&activated["host"], &activated["status"]), (&json!("compute-2"), &json!("ACTIVE")));
    let again = cloud.raw("admin", "PUT", &activate, Vec::new()).await;
    again.refused(409, "PortBindingAlreadyActive");
    assert_eq!(hosts(&cloud, &path).await, ["compute-2 ACTIVE", "network-1 INACTIVE"]);
    let shown = cloud.get("admin", &format!("/v2.0/ports/{}", text(&port["id"]))).await.expect(200);
    assert_eq!(shown["port"]["binding:host_id"], "compute-2");
    assert_eq!(shown["port"]["status"], "DOWN");

    let source = format!("{path}/{HOST}");
    assert_eq!(cloud.delete("admin", &source).await.status, 204);
    cloud.delete("admin", &source).await.refused(404, "PortBindingNotFound");
    assert_eq!(hosts(&cloud, &path).await, ["compute-2 ACTIVE"]);
    let port = format!("/v2.0/ports/{}", text(&port["id"]));
    assert_eq!(cloud.delete("admin", &port).await.status, 204);
    cloud.get("admin", &path).await.refused(404, "PortNotFound");
    assert!(!served("compute-2").await);
}

/// Two ports have a binding on the same host: each is found, changed and deleted below its own port
/// only.
async fn bindings_are_named_by_host_below_their_own_port_only(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    cloud.plane.heartbeat(crate::agents::beat("compute-2", "198.51.100.2")).await.unwrap();
    let (_, first) = instance(&cloud, &site.network).await;
    let (_, second) = instance(&cloud, &site.network).await;
    for path in [&first, &second] {
        let body = json!({"binding": {"host": "compute-2", "profile": {"of": path}}});
        cloud.post("admin", path, &body).await.expect(201);
    }
    let shown = cloud.get("admin", &format!("{second}/compute-2")).await.expect(200);
    assert_eq!(shown["binding"]["profile"], json!({ "of": second }));
    let body = json!({"binding": {"profile": {"new": true}}});
    cloud.put("admin", &format!("{first}/compute-2"), &body).await.expect(200);
    let shown = cloud.get("admin", &format!("{second}/compute-2")).await.expect(200);
    assert_eq!(shown["binding"]["profile"], json!({ "of": second }));
    assert_eq!(cloud.delete("admin", &format!("{first}/compute-2")).await.status, 204);
    assert_eq!(hosts(&cloud, &first).await, ["network-1 ACTIVE"]);
    assert_eq!(hosts(&cloud, &second).await, ["compute-2 INACTIVE", "network-1 ACTIVE"]);
    let page = format!("{second}?limit=1&marker=compute-2&sort_key=host");
    cloud.get("admin", &page).await.refused(400, "HTTPBadRequest");
    let page = cloud.get("admin", &format!("{second}?limit=1&marker=compute-2")).await.expect(200);
    assert_eq!(page["bindings"][0]["host"], HOST);
    let unknown = format!("{second}?limit=1&marker=elsewhere");
    cloud.get("admin", &unknown).await.refused(404, "PortBindingNotFound");
}

async fn bindings_are_not_for_members(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let path = format!("/v2.0/ports/{}/bindings", text(&site.port["id"]));
    let body = json!({"binding": {"host": HOST}});
    cloud.post("alice", &path, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.post("admin", &path, &body).await.refused(400, "BadRequest");
    let (port, path) = instance(&cloud, &site.network).await;
    assert!(port["id"].is_string());
    // The port is on her network, so she sees it; where it is plugged she does not.
    assert_eq!(cloud.get("alice", &path).await.expect(200), json!({"bindings": []}));
    let own = format!("{path}/{HOST}");
    let activated = cloud.raw("alice", "PUT", &format!("{own}/activate"), Vec::new()).await;
    activated.refused(404, "PortBindingNotFound");
    cloud.delete("alice", &own).await.refused(404, "PortBindingNotFound");
}
