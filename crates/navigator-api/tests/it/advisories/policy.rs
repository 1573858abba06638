//! What the rules let through that they should not have.

use serde_json::json;

use crate::cloud::{Backend, Cloud, text};

on_both! {
    sec_cve_2014_6414_what_is_the_administrators_is_not_set_to_its_default,
    sec_cve_2024_53916_who_may_only_read_changes_no_tag,
    sec_cve_2026_49299_a_rule_that_is_not_there_opens_nothing,
}

/// A value that an attribute has by default was not taken for one that is said.
async fn sec_cve_2014_6414_what_is_the_administrators_is_not_set_to_its_default(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let network = format!("/v2.0/networks/{}", text(&site.network["id"]));
    let port = format!("/v2.0/ports/{}", text(&site.port["id"]));
    let router = format!("/v2.0/routers/{}", text(&site.router["id"]));
    for (path, change) in [
        (&network, json!({"network": {"shared": false}})),
        (&network, json!({"network": {"router:external": false}})),
        (&network, json!({"network": {"is_default": false}})),
        (&port, json!({"port": {"binding:host_id": ""}})),
        (&port, json!({"port": {"binding:profile": {}}})),
        (&router, json!({"router": {"ha": false}})),
        (&router, json!({"router": {"distributed": false}})),
    ] {
        let answer = cloud.put("alice", path, &change).await;
        answer.refused(403, "PolicyNotAuthorized");
        cloud.put("admin", path, &change).await.expect(200);
    }
    for change in [
        json!({"network": {"provider:network_type": null}}),
        json!({"network": {"provider:physical_network": null}}),
        json!({"network": {"provider:segmentation_id": null}}),
    ] {
        let answer = cloud.put("alice", &network, &change).await;
        assert!([400, 403].contains(&answer.status), "{change}: {}", answer.body);
    }
}

/// The rules of tags were missing, so that every member could change those of what they see.
async fn sec_cve_2024_53916_who_may_only_read_changes_no_tag(on: Backend) {
    let cloud = Cloud::on(on).await;
    let made = cloud.create("admin", "networks", "network", json!({"shared": true})).await;
    let tags = format!("/v2.0/networks/{}/tags", text(&made["id"]));
    let one = format!("{tags}/a");
    let body = json!({"tags": ["a"]});
    cloud.put("bob", &tags, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.post("bob", &tags, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.put("bob", &one, &json!(null)).await.refused(403, "PolicyNotAuthorized");
    cloud.put("admin", &one, &json!(null)).await.expect(201);
    cloud.delete("bob", &one).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("bob", &tags).await.refused(403, "PolicyNotAuthorized");
    assert_eq!(cloud.get("bob", &tags).await.expect(200), body);
}

/// The plural of a resource's name made the name of a rule that nobody had written: it let everybody
/// through. Here such a name denies, whoever asks.
async fn sec_cve_2026_49299_a_rule_that_is_not_there_opens_nothing(on: Backend) {
    // Both are of no route, and the second is what a route asks under another name.
    let written = "\"create_networks\": \"@\"\n\"update_network\": \"rule:no_such_rule\"\n";
    let cloud = Cloud::under(on, written).await;
    let made = cloud.create("alice", "networks", "network", json!({})).await;
    let path = format!("/v2.0/networks/{}", text(&made["id"]));
    let change = json!({"network": {"name": "n"}});
    for user in ["alice", "admin"] {
        cloud.put(user, &path, &change).await.refused(403, "PolicyNotAuthorized");
    }
    let shared = json!({"network": {"shared": true}});
    cloud.post("bob", "/v2.0/networks", &shared).await.refused(403, "PolicyNotAuthorized");
}
