//! Who asks is decided by the password, and by nothing else in the request.

use axum::body::Body;

use crate::cloud::{Cloud, request};

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
