//! Services that vouch for a user, and application credentials that may do little.

use navigator_api::KeystoneConfig;
use navigator_testkit::keystone::{Account, Cloud as Keystone};
use serde_json::{Value, json};

use super::{World, config, unauthorized};

#[tokio::test]
async fn a_service_lets_the_users_token_have_expired() {
    let world = World::with(Keystone::at_hand(), 10).await;
    let keystone = &world.keystone;
    let alice = keystone.account(&["member"]);
    let nova = keystone.account(&["service"]);
    let other = keystone.account(&["member"]);
    let expired = keystone.log_in_until(&alice, -1);
    let both = async |user: &str, service: &str| {
        let headers = [("x-auth-token", user), ("x-service-token", service)];
        world.ask("GET", "/v2.0/networks", &headers).await
    };
    unauthorized(&world.list(&expired).await);
    both(&expired, &keystone.log_in(&nova)).await.expect(200);
    // It is still not good alone, and not beside one without the role.
    unauthorized(&world.list(&expired).await);
    unauthorized(&both(&expired, &keystone.log_in(&other)).await);
    unauthorized(&both(&expired, "gAAAAAinvented").await);
    let gone = keystone.log_in_until(&nova, -1);
    unauthorized(&both(&expired, &gone).await);
    // A service token alone is nobody's.
    let service = keystone.log_in(&nova);
    unauthorized(&world.ask("GET", "/v2.0/networks", &[("x-service-token", &service)]).await);
}

#[tokio::test]
async fn a_service_does_not_vouch_for_a_token_of_long_ago() {
    let keystone = Keystone::at_hand();
    let account = keystone.account(&["service"]);
    let window = KeystoneConfig { allow_expired_window_s: 10, ..config(&keystone, &account, 0) };
    let world = World::configured(keystone, account, &window).await;
    let alice = world.keystone.account(&["member"]);
    let service = world.keystone.log_in(&world.service);
    for (ended_s, status) in [(1, 200), (10, 401)] {
        let token = world.keystone.log_in_until(&alice, -ended_s);
        let headers = [("x-auth-token", token.as_str()), ("x-service-token", service.as_str())];
        let answer = world.ask("GET", "/v2.0/networks", &headers).await;
        assert_eq!(answer.status, status, "ended {ended_s} s ago: {}", answer.body);
    }
}

/// Keystone's window is two days, and so is ours. Always the fake.
#[tokio::test]
async fn a_service_does_not_vouch_for_a_token_of_three_days_ago() {
    let world = World::with(Keystone::fake(), 10).await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in_until(&alice, -172_801);
    let service = world.keystone.log_in(&world.service);
    let headers = [("x-auth-token", token.as_str()), ("x-service-token", service.as_str())];
    unauthorized(&world.ask("GET", "/v2.0/networks", &headers).await);
}

#[tokio::test]
async fn a_bad_service_token_spoils_a_good_users_token() {
    let world = World::new().await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    for service in ["gAAAAAinvented", ""] {
        let headers = [("x-auth-token", token.as_str()), ("x-service-token", service)];
        unauthorized(&world.ask("GET", "/v2.0/networks", &headers).await);
    }
}

/// The token of an application credential with these access rules.
fn credential(keystone: &Keystone, account: &Account, rules: Option<Value>) -> String {
    let own = keystone.log_in(account);
    let mut wanted = json!({"name": format!("c-{}", &own[own.len() - 12..]), "secret": "s3cret"});
    if let Some(rules) = rules {
        wanted["access_rules"] = rules;
    }
    let path = format!("/users/{}/application_credentials", account.user);
    let body = json!({ "application_credential": wanted });
    let made = keystone.send("POST", &path, &[("X-Auth-Token", &own)], Some(body)).expect(201);
    let id = &made["application_credential"]["id"];
    let identity = json!({"methods": ["application_credential"],
                          "application_credential": {"id": id, "secret": "s3cret"}});
    keystone.authenticate(&identity, None).unwrap()
}

fn rule(method: &str, path: &str) -> Value {
    json!({"service": "network", "method": method, "path": path})
}

#[tokio::test]
async fn an_application_credential_may_do_what_its_rules_say() {
    let world = World::new().await;
    let keystone = &world.keystone;
    let alice = keystone.account(&["member"]);
    let own = keystone.log_in(&alice);
    let made = world.ask("POST", "/v2.0/networks", &[("x-auth-token", &own)]).await.expect(201);
    let network = format!("/v2.0/networks/{}", made["network"]["id"].as_str().unwrap());
    let status = async |token: &str, method: &str, path: &str| {
        let answer = world.ask(method, path, &[("x-auth-token", token)]).await;
        if answer.status == 401 {
            unauthorized(&answer);
        }
        answer.status
    };

    let unlimited = credential(keystone, &alice, None);
    assert_eq!(status(&unlimited, "POST", "/v2.0/networks").await, 201);

    let reader = credential(keystone, &alice, Some(json!([rule("GET", "/v2.0/networks")])));
    assert_eq!(status(&reader, "GET", "/v2.0/networks?name=x").await, 200);
    assert_eq!(status(&reader, "GET", "/v2.0/networks.json").await, 200);
    assert_eq!(status(&reader, "POST", "/v2.0/networks").await, 401);
    assert_eq!(status(&reader, "GET", &network).await, 401);
    assert_eq!(status(&reader, "GET", "/v2.0/ports").await, 401);

    for pattern in ["/v2.0/networks/{id}", "/v2.0/networks/*", "/v2.0/**", "/**"] {
        let token = credential(keystone, &alice, Some(json!([rule("GET", pattern)])));
        assert_eq!(status(&token, "GET", &network).await, 200, "{pattern}");
        assert_eq!(status(&token, "DELETE", &network).await, 401, "{pattern}");
    }
    let token = credential(keystone, &alice, Some(json!([rule("GET", "/v2.0/networks/*")])));
    for list in ["/v2.0/networks", "/v2.0/networks/", "/v2.0/networks/.json"] {
        assert_eq!(status(&token, "GET", list).await, 401, "{list}");
    }
    let elsewhere = json!([{"service": "compute", "method": "GET", "path": "/v2.0/networks"}]);
    let token = credential(keystone, &alice, Some(elsewhere));
    assert_eq!(status(&token, "GET", "/v2.0/networks").await, 401);

    // What a service does on the way is not what the user asked for.
    let nova = keystone.account(&["service"]);
    let service = keystone.log_in(&nova);
    let headers = [("x-auth-token", reader.as_str()), ("x-service-token", service.as_str())];
    world.ask("GET", &network, &headers).await.expect(200);
}
