//! The OpenAPI document tells of routes that exist.

use serde_json::Value;

use crate::cloud::{Backend, Cloud};

on_both! {
    every_operation_of_the_document_is_served,
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
