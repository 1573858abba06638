//! Good tokens, bad tokens, and tokens that stop being good.

use std::time::{Duration, Instant};

use futures::future::join_all;
use navigator_testkit::keystone::Cloud as Keystone;
use serde_json::json;

use super::{World, unauthorized};

#[tokio::test]
async fn a_token_speaks_for_its_project_and_for_no_other() {
    let world = World::new().await;
    let alice = world.keystone.account(&["member"]);
    let bob = world.keystone.account(&["member"]);
    let (alices, bobs) = (world.keystone.log_in(&alice), world.keystone.log_in(&bob));
    let made = world.ask("POST", "/v2.0/networks", &[("x-auth-token", &alices)]).await.expect(201);
    assert_eq!(made["network"]["project_id"], alice.project);
    let path = format!("/v2.0/networks/{}", made["network"]["id"].as_str().unwrap());
    world.ask("GET", &path, &[("x-auth-token", &alices)]).await.expect(200);
    assert_eq!(world.ask("GET", &path, &[("x-auth-token", &bobs)]).await.status, 404);
    let list = world.list(&bobs).await.expect(200);
    assert_eq!(list["networks"], json!([]));
}

#[tokio::test]
async fn without_a_good_token_the_answer_is_keystones_401() {
    let world = World::new().await;
    unauthorized(&world.ask("GET", "/v2.0/networks", &[]).await);
    for token in ["", "x", "gAAAAAnobodyknowsthis", "two words", "tökén"] {
        unauthorized(&world.list(token).await);
    }
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    let twice = [("x-auth-token", token.as_str()), ("x-auth-token", token.as_str())];
    unauthorized(&world.ask("GET", "/v2.0/networks", &twice).await);
    world.list(&token).await.expect(200);
}

#[tokio::test]
async fn a_token_of_ten_megabytes_is_refused_at_once_and_nobody_is_asked() {
    let world = World::with(Keystone::at_hand(), 10).await;
    let start = Instant::now();
    for length in [8_001, 10 << 20] {
        unauthorized(&world.list(&"a".repeat(length)).await);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(world.keystone.validations(), 0);
    unauthorized(&world.list(&"a".repeat(8_000)).await);
    assert_eq!(world.keystone.validations(), 1);
}

#[tokio::test]
async fn sec_cve_2026_22797_forged_identity_headers_have_no_effect() {
    let world = World::new().await;
    let alice = world.keystone.account(&["member"]);
    let bob = world.keystone.account(&["member"]);
    let (alices, bobs) = (world.keystone.log_in(&alice), world.keystone.log_in(&bob));
    let made = world.ask("POST", "/v2.0/networks", &[("x-auth-token", &alices)]).await.expect(201);
    let path = format!("/v2.0/networks/{}", made["network"]["id"].as_str().unwrap());
    for name in [
        "x-roles",
        "X-Role",
        "x_roles",
        "x-user-id",
        "x-project-id",
        "x-tenant-id",
        "x-project-domain-id",
        "x-is-admin-project",
        "x-identity-status",
        "x-service-roles",
        "x-service-identity-status",
        "x-system-scope",
        "openstack-system-scope",
    ] {
        for value in ["admin", "service", "True", "Confirmed", "all", alice.project.as_str()] {
            let forged = [("x-auth-token", bobs.as_str()), (name, value), (name, "admin")];
            let answer = world.ask("GET", &path, &forged).await;
            assert_eq!(answer.status, 404, "{name}: {value}");
            unauthorized(&world.ask("GET", &path, &[(name, value)]).await);
        }
    }
}

#[tokio::test]
async fn sec_cve_2013_2104_a_token_ends_on_the_second_however_it_is_remembered() {
    let world = World::with(Keystone::at_hand(), 10).await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in_until(&alice, -1);
    unauthorized(&world.list(&token).await);
    let token = world.keystone.log_in_until(&alice, 4);
    world.list(&token).await.expect(200);
    tokio::time::sleep(Duration::from_millis(4100)).await;
    unauthorized(&world.list(&token).await);
}

/// When the last request with it was made that was answered, from now.
async fn taken_until(world: &World, token: &str) -> Duration {
    let (start, mut last) = (Instant::now(), Duration::ZERO);
    loop {
        // Before the request: how long its answer takes says nothing.
        let asked = start.elapsed();
        assert!(asked < Duration::from_secs(60), "it is taken for ever");
        if world.list(token).await.status != 200 {
            break;
        }
        last = asked;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unauthorized(&world.list(token).await);
    last
}

#[tokio::test]
async fn sec_cve_2015_7546_what_was_taken_away_is_refused_when_it_is_forgotten() {
    let world = World::with(Keystone::at_hand(), 2).await;
    let keystone = &world.keystone;
    let take = |what: usize| {
        let account = keystone.account(&["member"]);
        let token = keystone.log_in(&account);
        (what, account, token)
    };
    for (what, account, token) in (0..4).map(take) {
        world.list(&token).await.expect(200);
        let disabled = |kind: &str| Some(json!({ kind: {"enabled": false} }));
        match what {
            0 => keystone.revoke(&token),
            1 => {
                let path = keystone.role_path(&account, "member");
                keystone.call("DELETE", &path, None).expect(204);
            }
            2 => {
                let path = format!("/projects/{}", account.project);
                keystone.call("PATCH", &path, disabled("project")).expect(200);
            }
            _ => {
                let path = format!("/users/{}", account.user);
                keystone.call("PATCH", &path, disabled("user")).expect(200);
            }
        }
        let after = taken_until(&world, &token).await;
        assert!(after <= Duration::from_secs(2), "{what}: {after:?}");
    }
}

#[tokio::test]
async fn the_default_forgets_within_ten_seconds() {
    let world = World::new().await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    world.list(&token).await.expect(200);
    world.keystone.revoke(&token);
    let after = taken_until(&world, &token).await;
    println!("revoked, taken until {after:?} later");
    assert!(after <= Duration::from_secs(10), "{after:?}");
}

#[tokio::test]
async fn rules_are_for_tokens_of_projects_whatever_the_role() {
    let world = World::new().await;
    let dora = world.keystone.account(&[]);
    let admin = world.keystone.role_path(&dora, "admin");
    let role = admin.rsplit('/').next().unwrap();
    let grant = format!("/domains/default/users/{}/roles/{role}", dora.user);
    world.keystone.call("PUT", &grant, None).expect(204);
    let grant = format!("/system/users/{}/roles/{role}", dora.user);
    world.keystone.call("PUT", &grant, None).expect(204);
    for scope in [json!({"domain": {"id": "default"}}), json!({"system": {"all": true}})] {
        let token = world.keystone.token(&dora.name, &dora.name, &scope).unwrap();
        for method in ["GET", "POST"] {
            let answer = world.ask(method, "/v2.0/networks", &[("x-auth-token", &token)]).await;
            answer.refused(403, "InvalidScope");
        }
        // What says nothing about anybody is open to every token.
        world.ask("GET", "/v2.0/extensions", &[("x-auth-token", &token)]).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_of_no_scope_sees_and_makes_nothing() {
    let world = World::new().await;
    let alice = world.keystone.account(&["member"]);
    let own = world.keystone.log_in(&alice);
    world.ask("POST", "/v2.0/networks", &[("x-auth-token", &own)]).await.expect(201);
    let user = json!({"name": alice.name, "password": alice.name, "domain": {"id": "default"}});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let token = world.keystone.authenticate(&identity, None).unwrap();
    let made = world.ask("POST", "/v2.0/networks", &[("x-auth-token", &token)]).await;
    made.refused(400, "HTTPBadRequest");
    for collection in ["networks", "ports", "security-groups", "quotas"] {
        let path = format!("/v2.0/{collection}");
        let answer = world.ask("GET", &path, &[("x-auth-token", &token)]).await;
        let lists = answer.body.as_object().into_iter().flat_map(|body| body.values());
        let shown: usize = lists.filter_map(|list| list.as_array()).map(Vec::len).sum();
        assert_eq!(shown, 0, "{collection}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_with_one_token_are_one_question() {
    let world = World::with(Keystone::at_hand(), 10).await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    let answers = join_all((0..100).map(|_| world.list(&token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(world.keystone.validations(), 1);
    let answers = join_all((0..100).map(|_| world.list("gAAAAAunknown"))).await;
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(world.keystone.validations(), 2, "the refusal is remembered too");
}
