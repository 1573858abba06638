//! The version documents that clients discover the service by.

use axum::{Json, http::HeaderMap};
use serde_json::{Value, json};

/// Where the client reached us, so that links lead back.
pub(crate) fn base_url(headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or("localhost:9696");
    let scheme = headers.get("x-forwarded-proto").and_then(|h| h.to_str().ok()).unwrap_or("http");
    let scheme = if scheme == "https" { "https" } else { "http" };
    format!("{scheme}://{host}")
}

pub(crate) async fn versions(headers: HeaderMap) -> Json<Value> {
    Json(json!({"versions": [{
        "id": "v2.0",
        "status": "CURRENT",
        "links": [{"href": format!("{}/v2.0/", base_url(&headers)), "rel": "self"}],
    }]}))
}

pub(crate) async fn resources(headers: HeaderMap) -> Json<Value> {
    let base = base_url(&headers);
    let entry = |name: &str, collection: &str| {
        json!({
            "name": name,
            "collection": collection,
            "links": [{"rel": "self", "href": format!("{base}/v2.0/{collection}")}],
        })
    };
    Json(json!({"resources": [
        entry("network", "networks"),
        entry("subnet", "subnets"),
        entry("subnetpool", "subnetpools"),
        entry("port", "ports"),
    ]}))
}
