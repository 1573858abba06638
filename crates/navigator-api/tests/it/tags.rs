//! Tags: put on objects, taken away, found by, and only by who may change the object.

use serde_json::{Value, json};

use crate::cloud::{Answer, Backend, Cloud, text};

on_both! {
    tags_are_put_added_shown_and_taken_away,
    every_taggable_resource_shows_and_takes_tags,
    a_change_of_tags_moves_the_revision_on,
    lists_are_filtered_by_tags,
    tags_are_words_and_few,
    who_may_not_change_an_object_may_not_tag_it,
    ports_are_made_with_tags,
    tags_go_with_their_object,
}

async fn network(cloud: &Cloud, attributes: Value) -> String {
    let made = cloud.create("alice", "networks", "network", attributes).await;
    assert_eq!(made["tags"], json!([]));
    format!("/v2.0/networks/{}", text(&made["id"]))
}

async fn put(cloud: &Cloud, path: &str, tags: Value) -> Answer {
    cloud.put("alice", &format!("{path}/tags"), &json!({ "tags": tags })).await
}

async fn tags(cloud: &Cloud, path: &str) -> Value {
    cloud.get("alice", &format!("{path}/tags")).await.expect(200)["tags"].take()
}

async fn tags_are_put_added_shown_and_taken_away(on: Backend) {
    let cloud = Cloud::on(on).await;
    let path = network(&cloud, json!({})).await;
    let other = network(&cloud, json!({})).await;
    let one = |tag: &str| format!("{path}/tags/{tag}");
    assert_eq!(
        put(&cloud, &path, json!(["b", "a"])).await.expect(200),
        json!({"tags": ["a", "b"]})
    );
    assert_eq!(cloud.put("alice", &one("two%20words"), &json!(null)).await.status, 201);
    assert_eq!(cloud.put("alice", &one("a"), &json!(null)).await.status, 201);
    let body = json!({"tags": ["b", "c"]});
    let added = cloud.post("alice", &format!("{path}/tags"), &body).await.expect(200);
    assert_eq!(added, json!({"tags": ["a", "b", "c", "two words"]}));
    assert_eq!(tags(&cloud, &path).await, added["tags"]);
    assert_eq!(cloud.get("alice", &path).await.expect(200)["network"]["tags"], added["tags"]);
    assert_eq!(cloud.get("alice", &one("c")).await.status, 204);
    cloud.get("alice", &one("d")).await.refused(404, "TagNotFound");

    assert_eq!(cloud.delete("alice", &one("c")).await.status, 204);
    cloud.delete("alice", &one("c")).await.refused(404, "TagNotFound");
    assert_eq!(put(&cloud, &path, json!(["z"])).await.expect(200), json!({"tags": ["z"]}));
    assert_eq!(cloud.delete("alice", &format!("{path}/tags")).await.status, 204);
    assert_eq!(tags(&cloud, &path).await, json!([]));
    assert_eq!(tags(&cloud, &other).await, json!([]));

    let nowhere = "/v2.0/networks/00000000-0000-4000-8000-000000000000";
    for answer in [
        cloud.get("alice", &format!("{nowhere}/tags")).await,
        cloud.get("alice", &format!("{nowhere}/tags/a")).await,
        cloud.delete("alice", &format!("{nowhere}/tags")).await,
        put(&cloud, nowhere, json!(["a"])).await,
    ] {
        answer.refused(404, "TagResourceNotFound");
    }
}

async fn every_taggable_resource_shows_and_takes_tags(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let body = json!({"floating_network_id": site.external["id"]});
    let fip = cloud.create("alice", "floatingips", "floatingip", body).await;
    for (collection, object) in [
        ("networks", &site.network),
        ("subnets", &site.subnet),
        ("ports", &site.port),
        ("routers", &site.router),
        ("floatingips", &fip),
    ] {
        assert_eq!(object["tags"], json!([]), "{collection}");
        let path = format!("/v2.0/{collection}/{}", text(&object["id"]));
        put(&cloud, &path, json!(["x"])).await.expect(200);
        let listed = cloud.get("alice", &format!("/v2.0/{collection}?tags=x")).await.expect(200);
        let [only] = listed[collection].as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((&only["id"], &only["tags"]), (&object["id"], &json!(["x"])));
    }
    let extensions = cloud.get("alice", "/v2.0/extensions/standard-attr-tag").await;
    extensions.expect(200);
    let agents = cloud.get("admin", "/v2.0/agents/00000000-0000-4000-8000-000000000000/tags").await;
    agents.refused(404, "HTTPNotFound");
}

async fn a_change_of_tags_moves_the_revision_on(on: Backend) {
    let cloud = Cloud::on(on).await;
    let path = network(&cloud, json!({})).await;
    let revision = async || {
        let shown = cloud.get("alice", &path).await.expect(200);
        shown["network"]["revision_number"].as_i64().unwrap()
    };
    assert_eq!(revision().await, 1);
    put(&cloud, &path, json!(["a"])).await.expect(200);
    assert_eq!(revision().await, 2);
    // Nothing changes.
    put(&cloud, &path, json!(["a"])).await.expect(200);
    assert_eq!(revision().await, 2);
    cloud.delete("alice", &format!("{path}/tags/a")).await;
    assert_eq!(revision().await, 3);
}

async fn lists_are_filtered_by_tags(on: Backend) {
    let cloud = Cloud::on(on).await;
    for (name, tags) in
        [("n", json!([])), ("a", json!(["a"])), ("b", json!(["b"])), ("ab", json!(["a", "b"]))]
    {
        let path = network(&cloud, json!({ "name": name })).await;
        put(&cloud, &path, tags).await.expect(200);
    }
    let found = async |query: &str| -> Vec<String> {
        let path = format!("/v2.0/networks?sort_key=name&{query}");
        let body = cloud.get("alice", &path).await.expect(200);
        body["networks"].as_array().unwrap().iter().map(|n| text(&n["name"]).to_owned()).collect()
    };
    for (query, names) in [
        ("tags=a", &["a", "ab"][..]),
        ("tags=a,b", &["ab"]),
        ("tags=a&tags=b", &["ab"]),
        ("tags=a,a", &["a", "ab"]),
        ("tags-any=a,b", &["a", "ab", "b"]),
        ("not-tags=a,b", &["a", "b", "n"]),
        ("not-tags-any=a,b", &["n"]),
        ("tags=a&not-tags=b", &["a"]),
        ("tags-any=a,b&not-tags=a,b", &["a", "b"]),
        ("tags=c", &[]),
        ("not-tags=c", &["a", "ab", "b", "n"]),
        ("tags=a%00", &[]),
        ("tags=a,a%00", &[]),
        ("not-tags=a,a%00", &["a", "ab", "b", "n"]),
        ("tags=", &["a", "ab", "b", "n"]),
    ] {
        assert_eq!(found(query).await, names, "{query}");
    }
    cloud.get("alice", "/v2.0/agents?tags=a").await.refused(400, "HTTPBadRequest");
}

async fn tags_are_words_and_few(on: Backend) {
    let cloud = Cloud::on(on).await;
    let path = network(&cloud, json!({})).await;
    let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    for wrong in [json!("a"), json!([1]), json!(["a", "a"]), json!(["x".repeat(256)]), json!(many)]
    {
        put(&cloud, &path, wrong).await.refused(400, "InvalidInput");
    }
    cloud.put("alice", &format!("{path}/tags"), &json!({})).await.refused(400, "InvalidInput");
    assert_eq!(tags(&cloud, &path).await, json!([]));
    put(&cloud, &path, json!(many[..50])).await.expect(200);
    let one_more = cloud.put("alice", &format!("{path}/tags/more"), &json!(null)).await;
    one_more.refused(400, "InvalidInput");
    let long = cloud.put("alice", &format!("{path}/tags/{}", "x".repeat(256)), &json!(null)).await;
    long.refused(400, "InvalidInput");
    for method in ["POST", "PUT"] {
        let body = json!({"network": {"tags": ["a"]}}).to_string().into_bytes();
        let target = if method == "POST" { "/v2.0/networks" } else { path.as_str() };
        cloud.raw("alice", method, target, body).await.refused(400, "HTTPBadRequest");
    }
}

async fn who_may_not_change_an_object_may_not_tag_it(on: Backend) {
    let cloud = Cloud::on(on).await;
    let private = network(&cloud, json!({})).await;
    let shared = cloud.create("admin", "networks", "network", json!({"shared": true})).await;
    let shared = format!("/v2.0/networks/{}", text(&shared["id"]));
    put(&cloud, &private, json!(["mine"])).await.expect(200);
    for (path, status, error) in
        [(&private, 404, "TagResourceNotFound"), (&shared, 403, "PolicyNotAuthorized")]
    {
        let all = format!("{path}/tags");
        let body = json!({"tags": ["x"]});
        for answer in [
            cloud.put("bob", &all, &body).await,
            cloud.post("bob", &all, &body).await,
            cloud.delete("bob", &all).await,
            cloud.put("bob", &format!("{all}/x"), &json!(null)).await,
            cloud.delete("bob", &format!("{all}/mine")).await,
        ] {
            answer.refused(status, error);
        }
    }
    assert_eq!(cloud.get("bob", &format!("{shared}/tags")).await.expect(200), json!({"tags": []}));
    cloud.get("bob", &format!("{private}/tags")).await.refused(404, "TagResourceNotFound");
    assert_eq!(tags(&cloud, &private).await, json!(["mine"]));
}

async fn ports_are_made_with_tags(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.edge().await;
    let port = |tags: Value| json!({"network_id": site.network["id"], "tags": tags});
    let body = json!({"ports": [port(json!(["a", "b"])), port(json!([])), port(json!(["c"]))]});
    let made = cloud.post("alice", "/v2.0/ports", &body).await.expect(201);
    let shown: Vec<&Value> =
        made["ports"].as_array().unwrap().iter().map(|port| &port["tags"]).collect();
    assert_eq!(shown, [&json!(["a", "b"]), &json!([]), &json!(["c"])]);
    let wrong = json!({"port": port(json!(["a", "a"]))});
    cloud.post("alice", "/v2.0/ports", &wrong).await.refused(400, "HTTPBadRequest");
    let path = format!("/v2.0/ports/{}", text(&made["ports"][0]["id"]));
    let update = cloud.put("alice", &path, &json!({"port": {"tags": []}})).await;
    update.refused(400, "HTTPBadRequest");
}

async fn tags_go_with_their_object(on: Backend) {
    let cloud = Cloud::on(on).await;
    let path = network(&cloud, json!({})).await;
    put(&cloud, &path, json!(["a"])).await.expect(200);
    assert_eq!(cloud.delete("alice", &path).await.status, 204);
    cloud.get("alice", &format!("{path}/tags")).await.refused(404, "TagResourceNotFound");
    // An administrator sees everything, so nothing is left that could be found.
    let found = cloud.get("admin", "/v2.0/networks?tags=a").await.expect(200);
    assert_eq!(found, json!({"networks": []}));
}
