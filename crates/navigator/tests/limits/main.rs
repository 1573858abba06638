//! Hostile clients of one project against a server process, while another project works: each attack
//! is answered as it should be, nobody else is refused anything, and the server's memory stays.
//!
//! How much longer the other project waits meanwhile is printed, not tested: attackers, server and
//! database share one machine here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attacker;
mod floods;
mod requests;
mod scene;
mod slow;
mod victim;

use std::collections::BTreeMap;

use scene::Scene;

/// How often each status was answered; 0 is a connection that ended without.
pub(crate) type Answers = BTreeMap<u16, usize>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_every_limit_are_refused_and_disturb_nobody() {
    let scene = Scene::start().await;
    for (name, request, expected) in requests::table() {
        let answers = scene.during(name, floods::of(scene.address(), request)).await;
        // 503: the attacker's own requests wait for each other, and not for ever.
        let only = answers.keys().all(|status| [0, 503, expected].contains(status));
        assert!(only && answers.contains_key(&expected), "{name}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_and_disturb_nobody() {
    let scene = Scene::start().await;
    for (name, expected, request, rest) in [
        ("1,000 heads at a byte a second", 0, slow::head(), Some(b'a')),
        ("1,000 bodies at a byte a second", 408, slow::body(0), Some(b' ')),
    ] {
        let answers = scene.during(name, slow::drip(scene.address(), 1000, request, rest)).await;
        // Whoever goes on sending may find the connection reset before it reads the answer.
        let only = answers.keys().all(|status| [0, expected].contains(status));
        assert!(only && answers.contains_key(&expected), "{name}: {answers:?}");
    }
    let name = "1,000 bodies of 1 MiB that never end";
    let answers =
        scene.during(name, slow::drip(scene.address(), 1000, slow::body(1 << 20), None)).await;
    let only = answers.keys().all(|status| [0, 408, 503].contains(status));
    assert!(only && answers.contains_key(&408), "{name}: {answers:?}");
    let answers = scene.during("lists that are read late", slow::unread(scene.address(), 20)).await;
    assert_eq!(answers, Answers::from([(200, 20)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_disturb_nobody() {
    let scene = Scene::start().await;
    let answers =
        scene.during("10,000 idle connections", slow::idle(scene.address(), 10_000)).await;
    // All have ended: the oldest ones made room for the others, those waited in vain.
    assert_eq!(answers, Answers::from([(0, 10_000)]));
}
