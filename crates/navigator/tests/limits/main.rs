//! Hostile clients of one project against a server process, while another project works: each attack
//! is answered as it should be, nobody else is refused anything, and the server's memory stays.
//!
//! How much longer the other project waits meanwhile is printed, not tested: attackers, server and
//! database share one machine here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod scene;
mod workers;

use navigator_testkit::hostile::{Answers, Attack, Means};
use scene::Scene;

/// The attacks of this kind; there are some.
fn attacks(of_this_kind: impl Fn(&Means) -> bool) -> Vec<Attack> {
    let mut attacks = Attack::all();
    attacks.retain(|attack| of_this_kind(&attack.means));
    assert!(!attacks.is_empty());
    attacks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_every_limit_are_refused_and_disturb_nobody() {
    let scene = Scene::start().await;
    for attack in attacks(|means| matches!(means, Means::Flood(_))) {
        let (name, expected) = (attack.name, attack.expected);
        let answers = scene.during(attack).await;
        // 503: the attacker's own requests wait for each other, and not for ever.
        let only = answers.keys().all(|status| [0, 503, expected].contains(status));
        assert!(only && answers.contains_key(&expected), "{name}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_and_disturb_nobody() {
    let scene = Scene::start().await;
    for attack in attacks(|means| matches!(means, Means::Drip { .. })) {
        let (name, expected) = (attack.name, attack.expected);
        // Bodies that are not there yet take room, and there is not room for all of them.
        let room = matches!(&attack.means, Means::Drip { rest: None, .. });
        let answers = scene.during(attack).await;
        // Whoever goes on sending may find the connection reset before it reads the answer.
        let allowed = |status: &u16| [0, expected].contains(status) || (room && *status == 503);
        let only = answers.keys().all(allowed);
        assert!(only && answers.contains_key(&expected), "{name}: {answers:?}");
    }
    for attack in attacks(|means| matches!(means, Means::ReadLate(_))) {
        assert_eq!(scene.during(attack).await, Answers::from([(200, 20)]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_disturb_nobody() {
    let scene = Scene::start().await;
    for attack in attacks(|means| matches!(means, Means::Idle(_))) {
        // All have ended: the oldest ones made room for the others, those waited in vain.
        assert_eq!(scene.during(attack).await, Answers::from([(0, 10_000)]));
    }
}
