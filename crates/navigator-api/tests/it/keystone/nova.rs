//! Nova is told with the service's own token.

use std::{sync::Arc, time::Duration};

use navigator_api::{NovaClient, ServiceAccess, tell_nova};
use navigator_resources::Settings;
use navigator_testkit::{FakeNova, keystone::Cloud as Keystone};
use navigator_tls::TlsOptions;
use serde_json::json;

use super::config;
use crate::cloud::{Backend, Cloud, text};

const SERVER: &str = "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11";

#[tokio::test]
async fn nova_is_told_with_the_services_token_and_with_a_new_one_where_it_is_refused() {
    let keystone = Keystone::fake();
    let account = keystone.account(&["service"]);
    let nova = FakeNova::start(&[SERVER]).await;
    nova.trust_everybody();
    let settings = Settings { server_events: true, ..Settings::default() };
    let cloud = Cloud::with(Backend::Sqlite, settings).await;
    let source = ServiceAccess::new(&config(&keystone, &account, 0), nova.endpoint().to_owned());
    let source = Arc::new(source.unwrap());
    let client = NovaClient::new(nova.endpoint(), &TlsOptions::default()).unwrap();
    let interval = Duration::from_millis(50);
    let teller = tokio::spawn(tell_nova(cloud.store.clone(), source, client, interval));
    let network = cloud.create("admin", "networks", "network", json!({})).await;
    let port = json!({
        "network_id": network["id"], "device_id": SERVER, "device_owner": "compute:nova"});
    let port = cloud.create("admin", "ports", "port", port).await;
    let path = format!("/v2.0/ports/{}", text(&port["id"]));
    for name in ["first", "second"] {
        if name == "second" {
            nova.fail_next(&[401]);
        }
        let change = json!({"port": { "name": name }});
        cloud.put("admin", &path, &change).await.expect(200);
        assert_eq!(nova.wait(1).await.len(), 1, "{name}");
    }
    let tokens = nova.tokens();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens[0], tokens[1], "one is good for many requests");
    assert_ne!(tokens[1], tokens[2], "but not once it was refused");
    teller.abort();
}
