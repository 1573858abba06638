//! Segments at the API: networks of several, subnets on them, and who sees that.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_network_shows_several_segments_as_a_list_and_one_by_its_attributes,
    segments_are_added_named_and_deleted,
    a_subnet_is_on_a_segment_of_its_network,
    only_administrators_know_of_segments,
    a_projects_range_is_its_own_and_shared_ones_are_everybodys,
    a_range_is_checked_and_stays_while_networks_have_its_ids,
}

fn vlan(tag: u32) -> Value {
    json!({"provider:network_type": "vlan", "provider:physical_network": "external",
        "provider:segmentation_id": tag})
}

async fn a_network_shows_several_segments_as_a_list_and_one_by_its_attributes(on: Backend) {
    let cloud = Cloud::on(on).await;
    let local = json!({"provider:network_type": "local"});
    let two = json!({"segments": [vlan(7), local]});
    let two = cloud.create("admin", "networks", "network", two).await;
    let none = json!({"provider:network_type": "local", "provider:physical_network": null,
        "provider:segmentation_id": null});
    assert_eq!(two["segments"], json!([none, vlan(7)]));
    assert_eq!(two.get("provider:network_type"), None);
    let one = cloud.create("admin", "networks", "network", json!({"segments": [vlan(8)]})).await;
    assert_eq!(one.get("segments"), None);
    assert_eq!(one["provider:segmentation_id"], 8);
    assert_eq!((&one["l2_adjacency"], &two["l2_adjacency"]), (&json!(true), &json!(true)));
    for network in [&one, &two] {
        let path = format!("/v2.0/segments?network_id={}", text(&network["id"]));
        let segments = cloud.get("admin", &path).await.expect(200);
        let expected = network["segments"].as_array().map_or(1, Vec::len);
        assert_eq!(segments["segments"].as_array().unwrap().len(), expected);
        let path = format!("/v2.0/networks/{}", text(&network["id"]));
        cloud.delete("admin", &path).await.expect(204);
    }
    let left = cloud.get("admin", "/v2.0/segments").await.expect(200);
    assert_eq!(left["segments"], json!([]));
}

async fn segments_are_added_named_and_deleted(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("admin", "networks", "network", json!({})).await;
    let body = json!({"network_id": network["id"], "network_type": "vlan",
        "physical_network": "external", "segmentation_id": 7});
    let segment = cloud.create("admin", "segments", "segment", body.clone()).await;
    assert_eq!((&segment["name"], &segment["segmentation_id"]), (&Value::Null, &json!(7)));
    let again = cloud.post("admin", "/v2.0/segments", &json!({ "segment": body })).await;
    again.refused(409, "VlanIdInUse");
    let path = format!("/v2.0/segments/{}", text(&segment["id"]));
    let named = json!({"segment": {"name": "s", "description": "d"}});
    let named = cloud.put("admin", &path, &named).await.expect(200);
    assert_eq!(
        (&named["segment"]["name"], &named["segment"]["revision_number"]),
        (&json!("s"), &json!(2))
    );
    let fixed = json!({"segment": {"segmentation_id": 8}});
    cloud.put("admin", &path, &fixed).await.refused(400, "HTTPBadRequest");
    cloud.delete("admin", &path).await.expect(204);
    cloud.create("admin", "segments", "segment", body).await;
}

async fn a_subnet_is_on_a_segment_of_its_network(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = json!({"segments": [vlan(7), vlan(8)]});
    let network = cloud.create("admin", "networks", "network", network).await;
    let segments = cloud.get("admin", "/v2.0/segments").await.expect(200);
    let id = &segments["segments"][0]["id"];
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24",
        "segment_id": id});
    let subnet = cloud.create("admin", "subnets", "subnet", subnet).await;
    assert_eq!(subnet["segment_id"], *id);
    let found = cloud.get("admin", &format!("/v2.0/subnets?segment_id={}", text(id))).await;
    assert_eq!(found.expect(200)["subnets"][0]["id"], subnet["id"]);
    let path = format!("/v2.0/networks/{}", text(&network["id"]));
    let shown = cloud.get("admin", &path).await.expect(200);
    assert_eq!(shown["network"]["l2_adjacency"], false);
    let segment = format!("/v2.0/segments/{}", text(id));
    cloud.delete("admin", &segment).await.refused(409, "SegmentInUse");
    cloud.delete("admin", &path).await.expect(204);
}

async fn only_administrators_know_of_segments(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("alice", "networks", "network", json!({})).await;
    assert_eq!(network.get("segments"), None);
    assert_eq!(network["l2_adjacency"], true);
    let listed = cloud.get("alice", "/v2.0/segments").await.expect(200);
    assert_eq!(listed["segments"], json!([]));
    let body = json!({"segment": {"network_id": network["id"], "network_type": "local"}});
    cloud.post("alice", "/v2.0/segments", &body).await.refused(403, "PolicyNotAuthorized");
    let body = json!({"network": {"segments": [vlan(7)]}});
    cloud.post("alice", "/v2.0/networks", &body).await.refused(403, "PolicyNotAuthorized");
}

/// The id of the user's project.
async fn project(cloud: &Cloud, user: &str) -> Value {
    cloud.create(user, "qos/policies", "policy", json!({})).await["project_id"].take()
}

async fn range(cloud: &Cloud, attributes: Value) -> Value {
    let path = "network_segment_ranges";
    cloud.create("admin", path, "network_segment_range", attributes).await
}

async fn a_projects_range_is_its_own_and_shared_ones_are_everybodys(on: Backend) {
    let cloud = Cloud::on(on).await;
    let tunnels =
        |first: u32, last: u32| json!({"network_type": "vxlan", "minimum": first, "maximum": last});
    let shared = range(&cloud, tunnels(100, 102)).await;
    assert_eq!((&shared["shared"], &shared["project_id"]), (&json!(true), &Value::Null));
    assert_eq!(shared["available"], json!([100, 101, 102]));
    let mut own = tunnels(200, 200);
    own["shared"] = json!(false);
    let alice = project(&cloud, "alice").await;
    own["project_id"] = alice.clone();
    let own = range(&cloud, own).await;
    let id = async |user: &str| {
        let network = cloud.create(user, "networks", "network", json!({})).await;
        let path = format!("/v2.0/networks/{}", text(&network["id"]));
        let shown = cloud.get("admin", &path).await.expect(200);
        shown["network"]["provider:segmentation_id"].as_u64().unwrap()
    };
    // Alice's own first, then what all may have; nobody else gets hers.
    assert_eq!(id("alice").await, 200);
    let mut common = [id("alice").await, id("bob").await, id("bob").await];
    common.sort_unstable();
    assert_eq!(common, [100, 101, 102]);
    let none = cloud.post("bob", "/v2.0/networks", &json!({"network": {}})).await;
    none.refused(503, "NoNetworkAvailable");
    let path = format!("/v2.0/network_segment_ranges/{}", text(&own["id"]));
    let shown = cloud.get("admin", &path).await.expect(200);
    let shown = &shown["network_segment_range"];
    assert_eq!((&shown["used"], &shown["available"]), (&json!({"200": alice}), &json!([])));
}

async fn a_range_is_checked_and_stays_while_networks_have_its_ids(on: Backend) {
    let cloud = Cloud::on(on).await;
    let vlans = |first: u32, last: u32| {
        json!({"network_type": "vlan", "physical_network": "external",
            "minimum": first, "maximum": last})
    };
    let made = range(&cloud, vlans(10, 20)).await;
    let collection = "/v2.0/network_segment_ranges";
    for (attributes, status, name) in [
        (vlans(20, 30), 409, "NetworkSegmentRangeOverlaps"),
        (vlans(30, 29), 400, "InvalidInput"),
        (vlans(0, 5), 400, "InvalidInput"),
        (vlans(4000, 4095), 400, "InvalidInput"),
        (json!({"network_type": "vlan", "minimum": 1, "maximum": 2}), 400, "InvalidInput"),
        (json!({"network_type": "flat", "minimum": 1, "maximum": 2}), 400, "HTTPBadRequest"),
    ] {
        let body = json!({ "network_segment_range": attributes });
        cloud.post("admin", collection, &body).await.refused(status, name);
    }
    let body = json!({ "network_segment_range": vlans(30, 31) });
    cloud.post("alice", collection, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.create("admin", "networks", "network", vlan(12)).await;
    let path = format!("{collection}/{}", text(&made["id"]));
    cloud.get("alice", &path).await.refused(404, "NetworkSegmentRangeNotFound");
    let used = "NetworkSegmentRangeReferencedByProject";
    cloud.delete("admin", &path).await.refused(409, used);
    let narrow = json!({"network_segment_range": {"minimum": 13}});
    cloud.put("admin", &path, &narrow).await.refused(409, used);
    let wide = json!({"network_segment_range": {"minimum": 9, "maximum": 40}});
    let wide = cloud.put("admin", &path, &wide).await.expect(200);
    assert_eq!(
        wide["network_segment_range"]["used"],
        json!({"12": project(&cloud, "admin").await})
    );
}
