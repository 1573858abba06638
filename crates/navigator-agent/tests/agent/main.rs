//! The whole loop against a simulated kernel and a scripted server, in process.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails by panicking")]

#[cfg(feature = "failpoints")]
mod crash;
mod fleet;
mod kernel;
mod real_kernel;
mod server;

use std::time::Duration;

use fleet::{Fleet, forward_key, host_scope, network_scope, router_scope};
use navigator_agent::{AgentError, Cause, Host};
use navigator_model::{Fetched, Outcome, Revision, Snapshot, snapshot::Duties};

#[tokio::test]
async fn a_router_is_built_and_its_forwards_are_reported_active() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 2);
    let run = fleet.start();
    run.until(|fleet| fleet.server.reported(forward_key(1, 2)) == Some(Outcome::Active)).await;
    assert!(fleet.kernel.is_converged(&fleet.server, 1));
    assert!(fleet.server.heartbeats() >= 1);
}

#[tokio::test]
async fn nothing_is_touched_before_a_complete_snapshot() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 1);
    fleet.kernel.leave_behind(2);
    fleet.server.answer_fetches_with(|_| Err("no database"));
    let run = fleet.start();
    run.until(|fleet| fleet.server.fetches() >= 2).await;
    assert_eq!(fleet.kernel.writes(), 0);
    // The host's snapshot comes, the router's does not.
    fleet.server.answer_fetches_with(|scope| {
        if *scope == host_scope() { Ok(None) } else { Err("no database") }
    });
    fleet.server.kick();
    run.until(|fleet| !fleet.kernel.has(2)).await;
    assert!(!fleet.kernel.has(1));
    fleet.server.answer_fetches_with(|_| Ok(None));
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
}

#[tokio::test]
async fn an_empty_or_failed_answer_deletes_nothing() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 3);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    let writes = fleet.kernel.writes();
    let empty = |scope: &navigator_model::Scope, revision| {
        let objects = Default::default();
        let scope = scope.clone();
        let duties = Duties::default();
        Fetched::Complete(Snapshot { scope, revision: Revision(revision), objects, duties })
    };
    for revision in [0, 1] {
        fleet.server.answer_fetches_with(move |scope| Ok(Some(empty(scope, revision))));
        fleet.server.kick();
        run.wake_all(Cause::Resync);
        let before = fleet.server.fetches();
        run.until(|fleet| fleet.server.fetches() >= before + 4).await;
    }
    fleet.server.answer_fetches_with(|scope| {
        if *scope == host_scope() {
            Ok(Some(Fetched::Gone { scope: scope.clone(), revision: Revision(99) }))
        } else {
            Err("no database")
        }
    });
    let before = fleet.server.fetches();
    run.wake_all(Cause::Resync);
    run.until(|fleet| fleet.server.fetches() >= before + 2).await;
    assert_eq!(fleet.kernel.writes(), writes);
}

#[tokio::test]
async fn a_scope_that_left_duties_is_removed_with_its_replica() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 1);
    fleet.server.serve_router(2, 1);
    let run = fleet.start();
    run.until(|fleet| {
        fleet.kernel.is_converged(&fleet.server, 1) && fleet.kernel.is_converged(&fleet.server, 2)
    })
    .await;
    fleet.server.take_away(1);
    run.until(|fleet| !fleet.kernel.has(1)).await;
    run.settled().await;
    assert!(fleet.kernel.is_converged(&fleet.server, 2));
    run.stop().await;
    let left = std::fs::read_dir(fleet.state_dir().join("replica")).unwrap();
    let names: Vec<_> = left.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains(&fleet::router_id(1).to_string())), "{names:?}");
}

#[tokio::test]
async fn what_nobody_assigned_is_swept_once_the_server_has_spoken() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 1);
    fleet.kernel.leave_behind(7);
    let run = fleet.start();
    run.until(|fleet| !fleet.kernel.has(7)).await;
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
}

#[tokio::test]
async fn a_lost_wakeup_is_healed_by_comparing_revisions() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 1);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    fleet.server.silently(|server| server.add_forward(1, 50));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!fleet.kernel.is_converged(&fleet.server, 1));
    fleet.server.cut_streams();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_during_many_changes_loses_none_of_them() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 1);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    for n in 10..40 {
        fleet.server.add_forward(1, n);
        if n % 10 == 0 {
            fleet.server.cut_streams();
            fleet.server.set_reachable(n % 20 == 0);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    fleet.server.set_reachable(true);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.until(|fleet| fleet.server.reported(forward_key(1, 39)) == Some(Outcome::Active)).await;
}

#[tokio::test]
async fn a_restart_on_unchanged_state_writes_nothing_and_reports_everything() {
    let fleet = Fleet::new();
    for router in 1..=5 {
        fleet.server.serve_router(router, 4);
    }
    let run = fleet.start();
    run.until(|fleet| (1..=5).all(|n| fleet.kernel.is_converged(&fleet.server, n))).await;
    run.settled().await;
    run.stop().await;
    let writes = fleet.kernel.writes();
    fleet.server.forget_reports();
    let run = fleet.start();
    run.until(|fleet| {
        (1..=5).all(|n| fleet.server.reported(forward_key(n, 4)) == Some(Outcome::Active))
    })
    .await;
    run.settled().await;
    assert_eq!(fleet.kernel.writes(), writes);
    assert_eq!(fleet.server.complete_answers(), 6, "a restart asks for what changed only");
}

#[tokio::test]
async fn a_replica_on_disk_boots_without_a_server() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 3);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    fleet.server.add_forward(1, 77);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.stop().await;
    fleet.kernel.reboot();
    fleet.kernel.leave_behind(9);
    fleet.server.set_reachable(false);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    assert!(fleet.kernel.has(9), "only the server's own word sweeps");
    fleet.server.set_reachable(true);
    run.until(|fleet| !fleet.kernel.has(9)).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_step_converges_after_a_retry_whichever_step_it_is() {
    let counting = Fleet::new();
    counting.server.serve_router(1, 2);
    let run = counting.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    let steps = counting.kernel.writes();
    assert!(steps > 10, "{steps}");
    run.stop().await;
    for refused in 0..steps {
        let fleet = Fleet::new();
        fleet.server.serve_router(1, 2);
        fleet.kernel.refuse_step(refused);
        let run = fleet.start();
        run.until(|fleet| fleet.kernel.refusals() > 0).await;
        run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
        run.settled().await;
        assert_eq!(fleet.server.reported(forward_key(1, 2)), Some(Outcome::Active), "{refused}");
        run.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_poison_forward_goes_to_error_with_the_reason_and_the_others_stay_active() {
    let fleet = Fleet::new();
    fleet.kernel.refuse_object(forward_key(1, 2));
    fleet.server.serve_router(1, 3);
    let run = fleet.start();
    run.until(|fleet| fleet.server.reported(forward_key(1, 3)).is_some()).await;
    let error = fleet.server.reported(forward_key(1, 2));
    assert!(
        matches!(&error, Some(Outcome::Error(reason)) if reason.contains("poison")),
        "{error:?}"
    );
    assert_eq!(fleet.server.reported(forward_key(1, 1)), Some(Outcome::Active));
    assert_eq!(fleet.server.reported(forward_key(1, 3)), Some(Outcome::Active));
    fleet.server.add_forward(1, 9);
    run.until(|fleet| fleet.server.reported(forward_key(1, 9)) == Some(Outcome::Active)).await;
    fleet.kernel.refuse_nothing();
    run.until(|fleet| fleet.server.reported(forward_key(1, 2)) == Some(Outcome::Active)).await;
}

#[tokio::test]
async fn a_change_of_one_forward_is_applied_without_looking_at_the_others() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 500);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    let observed = fleet.kernel.observations();
    for n in 1000..1020 {
        fleet.server.add_forward(1, n);
        run.until(|fleet| fleet.server.reported(forward_key(1, n)) == Some(Outcome::Active)).await;
    }
    fleet.server.remove_forward(1, 1005);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    assert_eq!(fleet.kernel.observations(), observed);
    assert_eq!(run.metrics().incremental, 21);
}

#[tokio::test]
async fn a_foreign_change_is_repaired_counted_and_ends_the_trust_in_what_was_remembered() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 5);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    assert_eq!(run.metrics().drift_repaired_total, 0);
    // Seen only by the generation: the monitor has said nothing yet.
    fleet.kernel.flush_ruleset(1);
    fleet.server.add_forward(1, 60);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    fleet.kernel.flush_ruleset(1);
    fleet.kernel.notice_namespace(1);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    assert!(run.metrics().drift_repaired_total > 0);
}

#[tokio::test]
async fn a_repair_does_not_wait_for_the_server() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 5);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    let fetches = fleet.server.fetches();
    fleet.kernel.flush_ruleset(1);
    fleet.kernel.notice_namespace(1);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    assert_eq!(fleet.server.fetches(), fetches);
}

#[tokio::test]
async fn a_second_agent_on_one_host_is_refused() {
    let fleet = Fleet::new();
    let run = fleet.start();
    run.until(|fleet| fleet.server.heartbeats() > 0).await;
    let second = fleet.agent().run(std::future::pending()).await;
    assert!(matches!(second, Err(AgentError::AlreadyRunning(_))));
    run.stop().await;
}

#[tokio::test]
async fn a_router_that_made_its_devices_wakes_the_network_that_waits_for_them() {
    let fleet = Fleet::new();
    fleet.server.serve_network(1);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.observed(&network_scope(1)) > 0).await;
    run.settled().await;
    let looked = fleet.kernel.observed(&network_scope(1));
    fleet.server.serve_router(1, 1);
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.until(|fleet| fleet.kernel.observed(&network_scope(1)) > looked).await;
    run.settled().await;
    assert_eq!(run.metrics().drift_repaired_total, 0);
}

#[tokio::test]
async fn a_preview_tells_the_steps_and_does_none() {
    let fleet = Fleet::new();
    fleet.server.serve_router(1, 1);
    let agent = fleet.agent();
    let plan = agent.plan_scope(&router_scope(1)).await.unwrap();
    let text = plan.to_string();
    assert!(text.contains("create namespace qrouter-"), "{text}");
    assert!(text.contains("gateway_port_forwarding/") || text.contains("rules"), "{text}");
    assert_eq!(fleet.kernel.writes(), 0);
    drop(agent);
    let run = fleet.start();
    run.until(|fleet| fleet.kernel.is_converged(&fleet.server, 1)).await;
    run.settled().await;
    run.stop().await;
    assert!(fleet.agent().plan_scope(&router_scope(1)).await.unwrap().plan.is_empty());
}
