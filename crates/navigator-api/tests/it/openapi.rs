//! The OpenAPI document tells of routes that exist, and of each once.

use std::collections::{BTreeMap, BTreeSet};

use navigator_api::guarded_routes;
use serde_json::Value;

use crate::cloud::{Backend, Cloud};

on_both! {
    every_operation_of_the_document_is_served,
}

/// Other names of what the document has under its own.
const ALIASES: &[&str] =
    &["/v2.0/qos/alias_", "/v2.0/policies/{}/tags", "/v2.0/flavors/{}/next_providers"];

/// What names a route, however its words are joined and its ids are called.
fn plain(path: &str) -> String {
    let part = |part: &str| match part.starts_with('{') {
        true => "{}".to_owned(),
        false => part.replace('-', "_").replace(".json", ""),
    };
    let plain: Vec<String> = path.trim_end_matches('/').split('/').map(part).collect();
    plain.join("/")
}

#[tokio::test]
async fn every_route_is_in_the_document_once() {
    let document = Cloud::new().await.get("nobody", "/openapi.json").await.expect(200);
    let (mut told, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = plain(path);
        for method in operations.as_object().unwrap().keys() {
            told.insert((method.to_uppercase(), path.clone()));
        }
        assert!(paths.insert(path.clone()), "{path} stands there twice");
    }
    let served = guarded_routes().into_iter().map(|r| (r.method.to_owned(), plain(&r.path)));
    let missing: Vec<_> = served
        .filter(|route| !told.contains(route))
        .filter(|(_, path)| !ALIASES.iter().any(|alias| path.starts_with(alias)))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Whoever follows a link comes to an operation that takes the parameters it hands over, and each
/// schema that a reference names is that of one resource.
#[tokio::test]
async fn links_lead_to_operations_and_no_two_have_one_name() {
    let document = Cloud::new().await.get("nobody", "/openapi.json").await.expect(200);
    let operations = document["paths"].as_object().unwrap().values();
    let operations: Vec<&Value> =
        operations.flat_map(|operations| operations.as_object().unwrap().values()).collect();
    let mut named = BTreeMap::new();
    for operation in &operations {
        let name = operation["operationId"].as_str().unwrap();
        assert!(named.insert(name, *operation).is_none(), "{name} twice");
    }
    let mut followed = 0;
    for links in operations.iter().filter_map(|o| o["responses"]["201"]["links"].as_object()) {
        for link in links.values() {
            let operation = named[link["operationId"].as_str().unwrap()];
            let takes: BTreeSet<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let given = link["parameters"].as_object().unwrap();
            assert_eq!(given.keys().map(String::as_str).collect::<BTreeSet<_>>(), takes);
            followed += 1;
        }
    }
    assert!(followed > 100, "{followed}");
}

#[tokio::test]
async fn each_resource_has_a_schema_of_its_own() {
    let document = Cloud::new().await.get("nobody", "/openapi.json").await.expect(200);
    let kinds = crate::every_resource::declarations();
    let schema = |declaration: &&'static navigator_resources::Declaration| {
        let path = format!("{}/{{id}}", declaration.url("{parent}"));
        document["paths"][path]["get"]["responses"]["200"]["content"].to_string()
    };
    let schemas: BTreeSet<String> = kinds.iter().map(schema).collect();
    assert_eq!(schemas.len(), kinds.len());
}

/// Sends each operation with ids of nothing: whatever it answers, it is neither an unknown URL nor
/// an unknown method, and its status is in the document.
async fn every_operation_of_the_document_is_served(on: Backend) {
    let cloud = Cloud::on(on).await;
    let document = cloud.get("nobody", "/openapi.json").await;
    assert_eq!(document.status, 200);
    assert_eq!(document.body["openapi"], "3.1.0");
    let paths = document.body["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "{}", paths.len());
    for (path, operations) in paths {
        let named = |part: &str| if part.starts_with('{') { "nothing" } else { part }.to_owned();
        let url = path.split('/').map(named).collect::<Vec<_>>().join("/");
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_uppercase();
            let answer = cloud.raw("admin", &method, &url, b"{}".to_vec()).await;
            let status = answer.status.to_string();
            assert!(operation["responses"].get(&status).is_some(), "{method} {url}: {status}");
            let unknown = answer.status == 405 || answer.error_type() == "HTTPNotFound";
            // What is not a resource has no error of its own.
            let plain = path.contains("{alias}") || path.contains("{type}");
            assert!(!unknown || plain, "{method} {url}: {}", answer.body);
        }
    }
    dereference(&document.body, &document.body);
}

/// Every `$ref` leads somewhere.
fn dereference(value: &Value, document: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            map.values().for_each(|value| dereference(value, document));
        }
        Value::Array(items) => items.iter().for_each(|value| dereference(value, document)),
        _ => {}
    }
}
