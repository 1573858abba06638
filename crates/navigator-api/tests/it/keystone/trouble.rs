//! Keystone away, slow, unreliable, or of another opinion about the service itself.

use std::time::{Duration, Instant};

use futures::future::join_all;
use navigator_api::KeystoneConfig;
use navigator_testkit::keystone::{Cloud as Keystone, Lasting, Trouble};

use super::{World, config, unauthorized};
use crate::cloud::Answer;

/// 503, in Neutron's form, with the time to come back.
#[track_caller]
fn unavailable(answer: &Answer) {
    answer.refused(503, "ServiceUnavailable");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn without_keystone_known_tokens_go_on_and_others_are_told_to_come_back() {
    let world = World::with(Keystone::at_hand(), 5).await;
    let alice = world.keystone.account(&["member"]);
    let (known, other) = (world.keystone.log_in(&alice), world.keystone.log_in(&alice));
    world.list(&known).await.expect(200);
    for trouble in [Trouble::Down, Trouble::Failing(500), Trouble::Failing(503)] {
        world.keystone.trouble(trouble);
        unavailable(&world.list(&other).await);
        unavailable(&world.list("gAAAAAunknown").await);
        unauthorized(&world.ask("GET", "/v2.0/networks", &[]).await);
    }
    world.list(&known).await.expect(200);
    tokio::time::sleep(Duration::from_millis(5100)).await;
    unavailable(&world.list(&known).await);
    world.keystone.trouble(Trouble::None);
    world.list(&known).await.expect(200);
    world.list(&other).await.expect(200);
    unauthorized(&world.list("gAAAAAunknown").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keystone_that_takes_thirty_seconds_costs_one_and_holds_up_nobody_else() {
    let keystone = Keystone::at_hand();
    let account = keystone.account(&["service"]);
    let impatient = KeystoneConfig { timeout_s: 1, ..config(&keystone, &account, 10) };
    let world = World::configured(keystone, account, &impatient).await;
    let alice = world.keystone.account(&["member"]);
    let known = world.keystone.log_in(&alice);
    world.list(&known).await.expect(200);
    world.keystone.trouble(Trouble::Slow(Duration::from_secs(30)));
    let start = Instant::now();
    let new = join_all((0..200).map(|n| {
        let token = format!("gAAAAA{n}");
        let world = &world;
        async move { world.list(&token).await }
    }));
    let old = async {
        let mut took = Vec::new();
        for _ in 0..20 {
            let asked = Instant::now();
            world.list(&known).await.expect(200);
            took.push(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        took.sort_unstable();
        assert!(took[10] < Duration::from_secs(5), "{took:?}");
    };
    let (new, ()) = tokio::join!(new, old);
    new.iter().for_each(unavailable);
    // One second for whoever waits in line, one for the answer, and far less than Keystone takes.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_flapping_keystone_never_lets_a_bad_token_in_nor_a_good_one_out() {
    let world = World::with(Keystone::at_hand(), 0).await;
    let alice = world.keystone.account(&["member"]);
    let good = world.keystone.log_in(&alice);
    world.keystone.trouble(Trouble::Flapping);
    let mut seen = [0; 2];
    for n in 0..100 {
        let answer = world.list(&good).await;
        match answer.status {
            200 => seen[0] += 1,
            _ => unavailable(&answer),
        }
        let answer = world.list(&format!("gAAAAA{n}")).await;
        match answer.status {
            503 => unavailable(&answer),
            _ => {
                seen[1] += 1;
                unauthorized(&answer);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[tokio::test]
async fn the_services_own_token_is_renewed_when_keystone_forgot_it() {
    let world = World::with(Keystone::at_hand(), 0).await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    for _ in 0..3 {
        world.list(&token).await.expect(200);
        world.keystone.forget_tokens_of(&world.service);
    }
    world.list(&token).await.expect(200);
}

#[tokio::test]
async fn the_services_own_token_is_renewed_before_it_ends() {
    let keystone = Keystone::at_hand();
    let alice = keystone.account(&["member"]);
    let token = keystone.log_in(&alice);
    let world = World::with(keystone, 0).await;
    world.keystone.let_tokens_last(Lasting::Briefly);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(7) {
        world.list(&token).await.expect(200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_service_that_may_not_ask_answers_503_and_not_401() {
    let world = World::with(Keystone::at_hand(), 10).await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    let service = world.keystone.role_path(&world.service, "service");
    let member = world.keystone.role_path(&world.service, "member");
    world.keystone.call("PUT", &member, None).expect(204);
    world.keystone.call("DELETE", &service, None).expect(204);
    unavailable(&world.list(&token).await);
    world.keystone.call("DELETE", &member, None).expect(204);
    unavailable(&world.list(&token).await);
    world.keystone.call("PUT", &service, None).expect(204);
    world.list(&token).await.expect(200);
}

#[tokio::test]
async fn invented_tokens_fill_nothing_and_no_token_is_ever_shown() {
    let world = World::with(Keystone::at_hand(), 10).await;
    let alice = world.keystone.account(&["member"]);
    let token = world.keystone.log_in(&alice);
    world.list(&token).await.expect(200);
    world.list(&token).await.expect(200);
    for n in 0..500 {
        unauthorized(&world.list(&format!("gAAAAAinvented{n}")).await);
    }
    let text = world.cloud.text(crate::cloud::request("nobody", "GET", "/metrics")).await;
    let value = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} in\n{text}")).parse().unwrap()
    };
    assert_eq!(value("navigator_token_cache_known"), 1);
    assert_eq!(value("navigator_token_cache_refused"), 500);
    assert_eq!(value("navigator_token_hits_total"), 1);
    assert!(value("navigator_token_cache_bytes") < 1 << 20);
    assert!(!text.contains("gAAAA"));
}
