//! Who asks, by Keystone's tokens.
//!
//! These tests run against a contract fake (`navigator_testkit::keystone`) unless
//! NAVIGATOR_TEST_KEYSTONE names a real Keystone and NAVIGATOR_TEST_KEYSTONE_BRIEF a second one of
//! the same database and keys whose tokens last five seconds.

mod access;
mod nova;
mod register;
mod tls;
mod token;
mod trouble;

use axum::body::Body;
use navigator_api::{Identity, KeystoneConfig};
use navigator_testkit::keystone::{Account, Cloud as Keystone};
use serde_json::json;

use crate::cloud::{Answer, Backend, Cloud};

/// A server and the Keystone that it asks.
struct World {
    keystone: Keystone,
    cloud: Cloud,
    service: Account,
}

pub(crate) fn config(keystone: &Keystone, service: &Account, cache_s: u64) -> KeystoneConfig {
    KeystoneConfig {
        auth_url: keystone.url.clone(),
        www_authenticate_uri: "http://keystone.example:5000".to_owned(),
        username: service.name.clone(),
        password: service.name.clone(),
        project_name: service.project_name.clone(),
        timeout_s: 5,
        cache_s,
        ..KeystoneConfig::default()
    }
}

impl World {
    async fn with(keystone: Keystone, cache_s: u64) -> Self {
        let service = keystone.account(&["service"]);
        let config = config(&keystone, &service, cache_s);
        Self::configured(keystone, service, &config).await
    }

    async fn configured(keystone: Keystone, service: Account, config: &KeystoneConfig) -> Self {
        let identity = Identity::keystone(config).unwrap();
        let cloud = Cloud::asking(Backend::Sqlite, identity).await;
        Self { keystone, cloud, service }
    }

    /// With the Keystone at hand and the usual ten seconds.
    async fn new() -> Self {
        Self::with(Keystone::at_hand(), 10).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = crate::cloud::request("nobody", method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match method {
            "POST" => json!({"network": {"name": "made"}}).to_string(),
            _ => String::new(),
        };
        self.cloud.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn list(&self, token: &str) -> Answer {
        self.ask("GET", "/v2.0/networks", &[("x-auth-token", token)]).await
    }
}

/// 401 in Keystone's form, with the way to a token.
#[track_caller]
fn unauthorized(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(answer.body["error"]["code"], 401);
    assert_eq!(answer.body["error"]["title"], "Unauthorized");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert_eq!(challenge, "Keystone uri=\"http://keystone.example:5000\"");
}
