//! Who asks is decided by the password, and by nothing else in the request.

use axum::body::Body;
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, request};

#[tokio::test]
async fn a_wrong_password_or_user_is_401() {
    let cloud = Cloud::new().await;
    for credentials in ["YWxpY2U6d3Jvbmc=", "bm9ib2R5OnBhc3M=", "x", "YWxpY2U="] {
        let request = request("nobody", "GET", "/v2.0/networks")
            .header("authorization", format!("Basic {credentials}"))
            .body(Body::empty())
            .unwrap();
        assert_eq!(cloud.send(request).await.status, 401);
    }
}

#[tokio::test]
async fn identity_headers_have_no_effect() {
    let cloud = Cloud::new().await;
    let site = cloud.site().await;
    let path = format!("/v2.0/networks/{}", site.network["id"].as_str().unwrap());
    for name in [
        "X-Roles",
        "X-Role",
        "X-User-Id",
        "X-Project-Id",
        "X-Tenant-Id",
        "X-Is-Admin-Project",
        "X-Identity-Status",
        "X_Roles",
        "x-service-roles",
    ] {
        for value in ["admin", "True", "Confirmed"] {
            let forged =
                request("bob", "GET", &path).header(name, value).body(Body::empty()).unwrap();
            assert_eq!(cloud.send(forged).await.status, 404, "{name}: {value}");
            let nobody =
                request("nobody", "GET", &path).header(name, value).body(Body::empty()).unwrap();
            assert_eq!(cloud.send(nobody).await.status, 401, "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn the_agents_endpoints_want_the_agents_secret() {
    let cloud = Cloud::new().await;
    let get = async |authorization: Option<&str>| {
        let mut request = request("nobody", "GET", "/agent/v1/revisions?host=h");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        cloud.send(request.body(Body::empty()).unwrap()).await.status
    };
    assert_eq!(get(None).await, 401);
    assert_eq!(get(Some("Bearer wrong")).await, 401);
    assert_eq!(get(Some("Bearer secret")).await, 200);
}

#[tokio::test]
async fn what_an_agent_says_has_no_nul_in_its_texts() {
    // The database that cannot hold one.
    let cloud = Cloud::on(Backend::Postgres).await;
    let send = async |method: &str, path: &str, body: Value| {
        let request = request("nobody", method, path).header("authorization", "Bearer secret");
        let request = request.header("content-type", "application/json");
        cloud.send(request.body(Body::from(body.to_string())).unwrap()).await.status
    };
    let role = json!({"agent_type": "L3 agent", "binary": "b", "topic": "t",
        "configurations": {"any": "text\0"}});
    let good = json!({"host": "h", "availability_zone": "nova", "started": true, "roles": [role]});
    assert_eq!(send("POST", "/agent/v1/heartbeat", good.clone()).await, 204);
    for text in ["/host", "/availability_zone", "/roles/0/agent_type", "/roles/0/topic"] {
        let mut bad = good.clone();
        *bad.pointer_mut(text).unwrap() = json!("a\0b");
        assert_eq!(send("POST", "/agent/v1/heartbeat", bad).await, 400, "{text}");
    }
    assert_eq!(send("GET", "/agent/v1/revisions?host=a%00b", Value::Null).await, 400);
}
